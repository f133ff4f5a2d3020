"""The publisher's readings that no broker has acknowledged yet."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from peewee import fn

from models.storage.sqlite.connection import WritingDatabase
from models.storage.sqlite.tables import Outgoing
from models.storage.sqlite.transaction import Transaction, close, insert_sql, sql


class Waiting(NamedTuple):
    """A reading in the outbox. Ids grow in the order the readings were put in."""

    id: int
    topic: str
    payload: str


class Outbox:
    """A queue on disk. Used by one thread; opens by itself. Each method is one transaction.

    Each method raises StoreUnavailable if the file cannot be written now, and changes nothing.
    """

    def __init__(self, database: WritingDatabase) -> None:
        self._database = database
        self._last_id = 0
        self._insert = insert_sql(database, Outgoing, Outgoing.id, Outgoing.topic, Outgoing.payload)
        # by the driver, row by row: a list of ids in one statement may be longer than SQLite takes
        delete = Outgoing.delete().where(Outgoing.id == 0)
        self._delete = sql(database, delete)

    def add(self, readings: Sequence[tuple[str, str]]) -> None:
        """Append (topic, payload) pairs, at least one."""
        with Transaction(self._database) as connection:
            # SQLite would give the id of a row that has been removed again
            newest = Outgoing.select(fn.COALESCE(fn.MAX(Outgoing.id), 0)).scalar(self._database)
            first = max(newest, self._last_id) + 1
            rows = [(first + place, topic, payload) for place, (topic, payload) in enumerate(readings)]
            connection.executemany(self._insert, rows)
        self._last_id = rows[-1][0]

    def after(self, last: int, limit: int) -> list[Waiting]:
        """Return up to `limit` readings with ids above `last`, the oldest first."""
        query = (
            Outgoing.select(Outgoing.id, Outgoing.topic, Outgoing.payload)
            .where(Outgoing.id > last)
            .order_by(Outgoing.id)
            .limit(limit)
        )
        with Transaction(self._database):
            return [Waiting(*row) for row in self._database.execute(query)]

    def remove(self, ids: Iterable[int]) -> None:
        with Transaction(self._database) as connection:
            connection.executemany(self._delete, [(each,) for each in ids])

    def count(self) -> int:
        with Transaction(self._database):
            return int(Outgoing.select(fn.COUNT(Outgoing.id)).scalar(self._database))

    def close(self) -> None:
        close(self._database)
