"""What a server, and what stands before it, promises of what is committed and locked."""

from models.storage.cluster import Examination
from models.storage.postgresql.asking import leave, looking
from models.storage.postgresql.connection import PatientConnection, Server

_SETTINGS = """SELECT current_setting('fsync') = 'on', current_setting('synchronous_standby_names'),
    current_setting('server_version_num')::int"""
# What tells how a standby stands is shown to the database's administrators alone: to others it is NULL.
_STANDBYS = "SELECT count(*), count(sync_state), count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) "
_STANDBYS += "FROM pg_stat_replication"


def examine(one: Server, other: Server) -> Examination:
    """Look, over two connections. Raises UnreadableDatabase."""
    try:
        with looking(one) as connection, looking(other) as another:
            fsync, names, version = connection.execute(_SETTINGS).fetchone() or (True, "", 0)
            there, told, synchronous = connection.execute(_STANDBYS).fetchone() or (0, 0, 0)
            return Examination(
                version=version // 10_000,
                fsync=fsync,
                standby_names=names,
                standbys=synchronous if told or not there else None,
                keeps_sessions=keeps_sessions(connection, another),
            )
    finally:
        leave(one)
        leave(other)


def keeps_sessions(connection: PatientConnection, another: PatientConnection) -> bool:
    """Whether each connection of ours has one of the server's to itself.

    A pooler that gives them out for a transaction at a time gives ours to another while we have none.
    """
    query = "SELECT pg_backend_pid()"
    before = connection.execute(query).fetchone()
    another.execute("BEGIN")
    another.execute(query)
    try:
        return connection.execute(query).fetchone() == before
    finally:
        another.execute("ROLLBACK")
