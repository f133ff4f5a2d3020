"""What is written, all through one connection."""

from collections import Counter as Tally
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

import peewee
from peewee import SqliteDatabase, fn

from models.tables import Counter, Reading, RejectedMessage, Series


class StoreUnavailable(Exception):
    """The database cannot be written now: locked, disk full, I/O error. Nothing was changed."""


class NewReading(NamedTuple):
    """A reading to be stored. `time` is its event time in UTC epoch seconds."""

    series: str
    time: float
    value: float


class NewRejected(NamedTuple):
    """A message to be kept as rejected, in the order of the table's columns."""

    arrived: float
    topic: str
    payload: bytes
    size: int
    reason: str
    detail: str


@dataclass
class Batch:
    """What one transaction writes."""

    readings: list[NewReading] = field(default_factory=list)
    rejected: list[NewRejected] = field(default_factory=list)
    counts: Tally[str] = field(default_factory=Tally)


class Store:
    """The one writing connection. Used by one thread; opens by itself, and again after an error."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._series_ids: dict[str, int] = {}
        self._next_id: Iterator[int] | None = None
        self._sql = {
            "reading": self._insert(Reading, Reading.id, Reading.series, Reading.time, Reading.value),
            "rejected": self._insert(
                RejectedMessage,
                RejectedMessage.arrived,
                RejectedMessage.topic,
                RejectedMessage.payload,
                RejectedMessage.size,
                RejectedMessage.reason,
                RejectedMessage.detail,
            ),
        }

    def add(self, batch: Batch) -> None:
        """Commit `batch` in one transaction, or raise StoreUnavailable."""
        with self._transaction():
            new_series = self._add_series({reading.series for reading in batch.readings})
            known = self._series_ids | new_series if new_series else self._series_ids
            ids = self._ids()
            self._execute_many(
                "reading", [(next(ids), known[series], time, value) for series, time, value in batch.readings]
            )
            self._execute_many("rejected", batch.rejected)
            self._count(batch.counts)
        # only now is it certain that these are stored
        self._series_ids.update(new_series)

    def delete_readings(self, until: float, limit: int) -> int:
        """Delete up to `limit` of the readings with time <= `until`; return how many."""
        oldest = Reading.select(Reading.id).where(Reading.time <= until).limit(limit)
        with self._transaction():
            return int(Reading.delete().where(Reading.id.in_(oldest)).execute(self._database))

    def delete_rejected(self, until: float, keep: int) -> int:
        """Delete rejected messages that arrived at or before `until`, and all but the newest `keep`."""
        newest = RejectedMessage.select(RejectedMessage.id).order_by(RejectedMessage.id.desc())
        too_many = RejectedMessage.id <= fn.COALESCE(newest.limit(1).offset(keep), 0)
        with self._transaction():
            query = RejectedMessage.delete().where((RejectedMessage.arrived <= until) | too_many)
            return int(query.execute(self._database))

    def close(self) -> None:
        if not self._database.is_closed():
            self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._database.connect(reuse_if_open=True)
            with self._database.atomic():
                yield
        except peewee.DatabaseError as error:
            # After a full disk or an I/O error a connection may be in any state: take a new one.
            with suppress(peewee.DatabaseError):
                self.close()
            raise StoreUnavailable(str(error)) from None

    def _ids(self) -> Iterator[int]:
        """Return the ids for new readings. They only grow, even when the newest rows are deleted.

        SQLite would give a deleted row's id again, and AUTOINCREMENT writes a second table.
        """
        if self._next_id is None:
            newest = Reading.select(fn.COALESCE(fn.MAX(Reading.id), 0)).scalar(self._database)
            self._next_id = count(newest + 1)
        return self._next_id

    def _add_series(self, names: set[str]) -> dict[str, int]:
        missing = names - self._series_ids.keys()
        if not missing:
            return {}
        rows = [{Series.name: name} for name in sorted(missing)]
        insert = Series.insert_many(rows).on_conflict(action="nothing", conflict_target=[Series.name])
        insert.execute(self._database)
        found = Series.select(Series.name, Series.id).where(Series.name.in_(missing))
        return dict(self._database.execute(found).fetchall())

    def _count(self, counts: Tally[str]) -> None:
        for name, number in counts.items():
            Counter.insert(name=name, value=number).on_conflict(
                conflict_target=[Counter.name], update={Counter.value: Counter.value + number}
            ).execute(self._database)

    def _insert(self, table: type[peewee.Model], *fields: peewee.Field) -> str:
        # peewee writes the SQL once; the driver runs it for many rows, ten times as fast
        query = table.insert(dict.fromkeys(fields))
        sql, _ = self._database.get_sql_context().sql(query).query()
        return str(sql)

    def _execute_many(self, name: str, rows: Sequence[Sequence[object]]) -> None:
        if rows:
            self._database.connection().executemany(self._sql[name], rows)
