"""The tables are made, or known to be ours, before anything else uses a database."""

import psycopg

from models.storage.errors import LockedDatabase, UnusableDatabase
from models.storage.postgresql.connection import ERRORS, PatientConnection, Server, explain, is_mistake
from models.storage.postgresql.schema import CREATE, LOCKS, MAKING_TABLES, TABLES, VERSION


def prepare(server: Server) -> None:
    """Make the tables if there are none; of several that come at once, one makes them.

    Raises UnusableDatabase if that cannot be done, or if those that are there are not ours, and
    LockedDatabase if it cannot be done now.
    """
    try:
        with server.connection_context():
            connection = server.driver
            if not _is_there(connection, server.name):
                with connection.transaction():
                    connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (LOCKS, MAKING_TABLES))
                    if not _is_there(connection, server.name):
                        connection.execute(CREATE)
    except psycopg.errors.InsufficientPrivilege as error:
        raise UnusableDatabase(
            f"{server.name}: no tables can be made in it ({explain(error)}): give its user a database of "
            "its own, or the right to CREATE in the schema"
        ) from None
    except ERRORS as error:
        if is_mistake(error):
            raise UnusableDatabase(f"{server.name} cannot be used: {explain(error)}") from None
        raise LockedDatabase(f"{server.name}: {explain(error)}") from None


def why_unknown(connection: PatientConnection, name: str) -> str | None:
    """Say why the tables are not those that this version reads, None if they are. Raises psycopg.Error."""
    if _version(connection, name) is None:
        return f"{name} has no tables of ours yet: the subscriber makes them when it first runs"
    return None


def _is_there(connection: PatientConnection, name: str) -> bool:
    return _version(connection, name) is not None


def _version(connection: PatientConnection, name: str) -> int | None:
    """Return the version of our tables, None if there are none.

    Raises UnusableDatabase if there are others under their names, or those of another version of ours.
    """
    query = """SELECT relname FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relname = ANY(%s)"""
    found = {table for (table,) in connection.execute(query, (list(TABLES),))}
    if not found:
        return None
    if found != TABLES:
        raise UnusableDatabase(
            f"{name} has tables of another program ({', '.join(sorted(found))}): name another database"
        )
    version: int
    [version] = connection.execute("SELECT version FROM about").fetchone() or [0]
    if version != VERSION:
        raise UnusableDatabase(
            f"{name} was written by another version of this program (schema {version}, this one knows "
            f"{VERSION}): {'update this program' if version > VERSION else 'name another database'}"
        )
    return version
