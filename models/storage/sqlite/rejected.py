"""The rejected messages that are kept: the newest, within bounds of rows and of bytes."""

import sqlite3
from collections.abc import Sequence

from peewee import ModelSelect, SqliteDatabase, fn

from models.storage.batch import NewRejected
from models.storage.rejected_bounds import MORE_AT_ONCE, MOST_BYTES, MOST_ROWS, Amount
from models.storage.sqlite.tables import RejectedMessage
from models.storage.sqlite.transaction import insert_sql, sql

# What a row takes of MOST_BYTES. It can be told without reading what lies behind a long payload.
_BYTES = fn.LENGTH(RejectedMessage.topic.cast("BLOB")) + fn.LENGTH(RejectedMessage.payload)


class RejectedMessages:
    """Inserts and deletes them in the transactions of the one who writes.

    `amount` is how much is kept, so that it need not be counted again. Each method returns what it
    will be when the transaction is committed; only then may it be set.
    """

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        # None: the database must tell.
        self.amount: Amount | None = None
        self._insert = insert_sql(
            database, RejectedMessage, *(getattr(RejectedMessage, name) for name in NewRejected._fields)
        )
        self._delete = sql(database, RejectedMessage.delete().where(RejectedMessage.id == 0))

    def insert(self, connection: sqlite3.Connection, messages: Sequence[NewRejected]) -> Amount:
        """Insert `messages`, and delete the oldest of all where there are too many now."""
        rows, size = self._amount()
        connection.executemany(self._insert, messages)
        size += sum(len(message.topic.encode()) + len(message.payload) for message in messages)
        limit = len(messages) + MORE_AT_ONCE
        _, amount = self._delete_excess(connection, Amount(rows + len(messages), size), limit)
        return amount

    def delete(self, connection: sqlite3.Connection, until: float, limit: int) -> tuple[int, Amount]:
        """Delete the oldest of too many, and what arrived at or before `until` (UTC epoch seconds).

        Deletes `limit` at most. Returns how many it deleted, and how much is kept then.
        """
        excess, amount = self._delete_excess(connection, self._amount(), limit)
        if excess == limit:
            return excess, amount  # and the next time again, before all rows are looked at
        old = self._oldest(limit - excess).where(RejectedMessage.arrived <= until)
        aged, amount = self._delete_rows(connection, amount, self._database.execute(old).fetchall())
        return excess + aged, amount

    def _amount(self) -> Amount:
        if self.amount is not None:
            return self.amount
        query = RejectedMessage.select(fn.COUNT(RejectedMessage.id), fn.COALESCE(fn.SUM(_BYTES), 0))
        return Amount(*self._database.execute(query).fetchone())

    def _delete_excess(
        self, connection: sqlite3.Connection, amount: Amount, limit: int
    ) -> tuple[int, Amount]:
        """Delete the oldest, `limit` at most, until no bound is passed."""
        rows, size = amount
        excess = []
        if rows > MOST_ROWS or size > MOST_BYTES:
            for row in self._database.execute(self._oldest(limit)).fetchall():
                if rows <= MOST_ROWS and size <= MOST_BYTES:
                    break
                excess.append(row)
                rows -= 1
                size -= row[1]
        return self._delete_rows(connection, amount, excess)

    def _delete_rows(
        self, connection: sqlite3.Connection, amount: Amount, rows: Sequence[tuple[int, int]]
    ) -> tuple[int, Amount]:
        connection.executemany(self._delete, [(number,) for number, _ in rows])
        return len(rows), Amount(amount.rows - len(rows), amount.bytes - sum(size for _, size in rows))

    def _oldest(self, limit: int) -> "ModelSelect[RejectedMessage]":
        """Return a query for the oldest ones: id, and bytes."""
        return RejectedMessage.select(RejectedMessage.id, _BYTES).order_by(RejectedMessage.id).limit(limit)
