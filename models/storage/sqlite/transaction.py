"""A transaction on the writing connection, and a look through a reading one."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

import peewee

from models.storage.errors import (
    DamagedStore,
    DatabaseGone,
    NotStored,
    StoreUnavailable,
    UnreadableDatabase,
)
from models.storage.sqlite.connection import Database, WritingDatabase
from models.storage.sqlite.damage import is_damage, what_to_do_with_a_damaged
from models.storage.sqlite.room import with_cause

# peewee's own errors, and the driver's where its connection is used directly.
_ERRORS = (peewee.DatabaseError, sqlite3.Error)
_FAILURES = (DatabaseGone, *_ERRORS)
# SQLite takes a NaN for NULL. It would do so however often it is tried.
_NO_NUMBER = "NOT NULL constraint failed: reading."


class Transaction:
    """Commits the body on leaving, or raises StoreUnavailable; connects if it must.

    Raises DatabaseGone if the file is not at its path any more: what was committed may be lost; and NotStored
    if a reading is no number.

    A reading that comes alone has one to itself. So the driver begins and ends it, since peewee takes longer
    than SQLite itself, and it is no generator.
    """

    def __init__(self, database: WritingDatabase) -> None:
        self._database = database

    def __enter__(self) -> sqlite3.Connection:
        database = self._database
        try:
            if database.is_closed():
                database.connect()
            connection: sqlite3.Connection = database.connection()
            connection.execute("BEGIN IMMEDIATE")
        except _FAILURES as error:
            raise self._told(error) from None
        self._connection = connection
        return connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._connection.__exit__(kind, error, traceback)  # commits, or rolls back
            if error is None:
                self._database.check_files()
        except _FAILURES as failure:
            raise self._told(failure) from None
        if isinstance(error, _FAILURES):
            raise self._told(error) from None

    def _told(self, error: BaseException) -> BaseException:
        """Close the connection, and return the error of ours that tells of `error`."""
        database = self._database
        text = str(first_error(error))
        loss = database.loss
        # After a full disk or an I/O error a connection may be in any state: take a new one.
        with suppress(*_ERRORS):
            close(database)
        if isinstance(error, DatabaseGone):
            return error
        if loss is not None:
            return DatabaseGone(loss)
        if is_damage(text):
            return DamagedStore(what_to_do_with_a_damaged(database.name, text))
        if text.startswith(_NO_NUMBER):
            return NotStored(text)
        return StoreUnavailable(with_cause(database.path, text))


@contextmanager
def reading(database: Database) -> Iterator[None]:
    """Have a connection while inside. Raises UnreadableDatabase for what SQLite cannot do there."""
    try:
        with database.connection_context():
            yield
    except _ERRORS as error:
        text = str(first_error(error))
        if is_damage(text):
            raise UnreadableDatabase(what_to_do_with_a_damaged(database.name, text)) from None
        raise UnreadableDatabase(
            f"{database.name} cannot be read: {with_cause(database.path, text)}"
        ) from None


def first_error(error: BaseException) -> BaseException:
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


def close(database: WritingDatabase) -> None:
    """Close this thread's connection, if there is one."""
    if database.is_closed():
        return
    if database.loss is not None:
        # SQLite leaves the log of a moved file behind, where it would be taken for the next file's.
        # So the file gets all that was committed, wherever it is now, and the log becomes empty.
        with suppress(*_ERRORS):
            database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
