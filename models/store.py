"""What is written, all through one connection."""

from collections import Counter as Tally
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from peewee import EXCLUDED, SqliteDatabase, fn

from models.tables import Counter, Delivery, Reading, RejectedMessage, Series
from models.transaction import close, insert_sql, transaction


class NewReading(NamedTuple):
    """A reading to be stored. `time` is its event time in UTC epoch seconds."""

    series: str
    time: float
    value: float
    message_id: str | None = None


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
    """What one transaction writes.

    `counts` has no `stored`: only the store can tell how many of the readings were new.
    """

    readings: list[NewReading] = field(default_factory=list)
    rejected: list[NewRejected] = field(default_factory=list)
    counts: Tally[str] = field(default_factory=Tally)
    # Packet ids and digests, under the number of the delivery; None: nothing to recognise again.
    delivery: tuple[int, bytes] | None = None
    # Deliveries up to this number are forgotten.
    forget_until: int = 0


class Store:
    """The one writing connection. Used by one thread; opens by itself, and again after an error."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._series_ids: dict[str, int] = {}
        self._next_id: Iterator[int] | None = None
        self._insert_reading = insert_sql(
            database,
            Reading,
            *(Reading.id, Reading.series, Reading.time, Reading.value, Reading.message_id),
            action="nothing",
            conflict_target=[Reading.series, Reading.message_id],
            conflict_where=Reading.message_id.is_null(False),
        )
        self._insert_rejected = insert_sql(
            database, RejectedMessage, *(getattr(RejectedMessage, name) for name in NewRejected._fields)
        )
        self._insert_delivery = insert_sql(database, Delivery, Delivery.id, Delivery.packets)
        self._count_up = insert_sql(
            database,
            Counter,
            *(Counter.name, Counter.value),
            conflict_target=[Counter.name],
            update={Counter.value: Counter.value + EXCLUDED.value},
        )

    def add(self, batch: Batch) -> int:
        """Commit `batch` in one transaction, or raise StoreUnavailable and change nothing.

        Returns how many readings were stored already, known by the id of their message.
        """
        with transaction(self._database) as connection:
            new_series = self._add_series({reading.series for reading in batch.readings})
            known = self._series_ids | new_series if new_series else self._series_ids
            ids = self._ids()
            rows = [(next(ids), known[series], *rest) for series, *rest in batch.readings]
            stored = connection.executemany(self._insert_reading, rows).rowcount if rows else 0
            if batch.rejected:
                connection.executemany(self._insert_rejected, batch.rejected)
            if batch.delivery:
                connection.execute(self._insert_delivery, batch.delivery)
            if batch.forget_until:
                self._forget(batch.forget_until)
            counts = batch.counts + Tally(stored=stored, duplicates=len(rows) - stored)
            connection.executemany(self._count_up, counts.items())
        # only now is it certain that these are stored
        self._series_ids.update(new_series)
        return len(rows) - stored

    def reused_id(self, readings: Sequence[NewReading]) -> NewReading | None:
        """Return one of `readings` whose id is stored with another value, if there is one."""
        with transaction(self._database):
            for reading in readings:
                if reading.message_id is None:
                    continue
                stored = (
                    Reading.select(Reading.value)
                    .join(Series)
                    .where(Series.name == reading.series, Reading.message_id == reading.message_id)
                    .scalar(self._database)
                )
                if stored not in (None, reading.value):
                    return reading
        return None

    def deliveries(self) -> list[tuple[int, bytes]]:
        """Return what `Batch.delivery` was in earlier transactions, in order, and is not forgotten."""
        with transaction(self._database):
            query = Delivery.select(Delivery.id, Delivery.packets).order_by(Delivery.id)
            return list(self._database.execute(query).fetchall())

    def forget_deliveries(self, until: int) -> None:
        """Forget the deliveries with numbers up to `until`."""
        with transaction(self._database):
            self._forget(until)

    def delete_readings(self, until: float, limit: int) -> int:
        """Delete up to `limit` of the readings with time <= `until`; return how many."""
        oldest = Reading.select(Reading.id).where(Reading.time <= until).limit(limit)
        with transaction(self._database) as connection:
            deleted = int(Reading.delete().where(Reading.id.in_(oldest)).execute(self._database))
            if deleted:
                connection.execute(self._count_up, ("pruned", deleted))
        return deleted

    def delete_rejected(self, until: float, keep: int) -> int:
        """Delete rejected messages that arrived at or before `until`, and all but the newest `keep`."""
        newest = RejectedMessage.select(RejectedMessage.id).order_by(RejectedMessage.id.desc())
        too_many = RejectedMessage.id <= fn.COALESCE(newest.limit(1).offset(keep), 0)
        with transaction(self._database):
            query = RejectedMessage.delete().where((RejectedMessage.arrived <= until) | too_many)
            return int(query.execute(self._database))

    def close(self) -> None:
        close(self._database)

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

    def _forget(self, until: int) -> None:
        Delivery.delete().where(Delivery.id <= until).execute(self._database)
