"""A transaction on the writing connection, and what it raises when there can be none."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import peewee

# peewee's own errors, and the driver's where its connection is used directly.
_ERRORS = (peewee.DatabaseError, sqlite3.Error)


class StoreUnavailable(Exception):
    """The file cannot be written now: locked, disk full, I/O error. Nothing was changed."""


class NotStored(Exception):
    """What it was to write cannot be written, whatever state the file is in. Nothing was changed."""


@contextmanager
def transaction(database: peewee.SqliteDatabase) -> Iterator[sqlite3.Connection]:
    """Commit the body on leaving, or raise StoreUnavailable; connects if it must."""
    try:
        database.connect(reuse_if_open=True)
        with database.atomic():
            yield database.connection()
    except _ERRORS as error:
        # After a full disk or an I/O error a connection may be in any state: take a new one.
        with suppress(*_ERRORS):
            close(database)
        raise StoreUnavailable(str(_first(error))) from None


def _first(error: BaseException) -> BaseException:
    """Return the error that `error` was raised over: a full disk, not that it left nothing to roll back."""
    while isinstance(error.__context__, _ERRORS):
        error = error.__context__
    return error


def insert_sql(
    database: peewee.SqliteDatabase, table: type[peewee.Model], *columns: peewee.Field, **conflict: Any
) -> str:
    """Return the SQL by which peewee inserts a row; `conflict` goes to its `on_conflict`.

    Written once, and run by the driver for many rows: ten times as fast as a query each.
    """
    insert = table.insert(dict.fromkeys(columns))
    if conflict:
        insert = insert.on_conflict(**conflict)
    return sql(database, insert)


def sql(database: peewee.SqliteDatabase, query: peewee.Query) -> str:
    """Return the SQL of a query; its parameters are given when it is run."""
    return str(database.get_sql_context().sql(query).query()[0])


def close(database: peewee.SqliteDatabase) -> None:
    """Close this thread's connection, if there is one."""
    if not database.is_closed():
        database.close()
