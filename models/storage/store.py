"""What is written, all through one connection."""

import sqlite3
from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from peewee import EXCLUDED, Tuple

from models.catalog import SeriesRow
from models.storage.database import WritingDatabase
from models.storage.queries import latest_sequence
from models.storage.reading_id import Packed, pack
from models.storage.rejected import NewRejected, RejectedMessages
from models.storage.series_queries import all_series
from models.storage.tables import Counter, Delivery, MessageId, Reading, Series, Subscription
from models.storage.transaction import close, insert_sql, sql, transaction


class NewReading(NamedTuple):
    """A reading to be stored. `time` is its event time in UTC epoch seconds."""

    time: float
    series: int
    value: float
    message_id: str | None = None


# A reading as it is stored: time, sequence, series, value, id of its message.
StoredReading = tuple[float, int, int, float, Packed | None]


@dataclass
class Batch:
    """What one transaction writes.

    `counts` has no `stored`: only the store can tell how many of the readings were new.
    """

    readings: list[NewReading] = field(default_factory=list)
    # Series that begin with one of the readings.
    series: list[SeriesRow] = field(default_factory=list)
    rejected: list[NewRejected] = field(default_factory=list)
    counts: Tally[str] = field(default_factory=Tally)
    # Deliveries to be written or written anew: their numbers, and their packet ids and digests.
    deliveries: Sequence[tuple[int, bytes]] = ()
    # The numbers of deliveries that are forgotten.
    forgotten: Sequence[int] = ()


class Stored(NamedTuple):
    """What has become of a batch: which readings are stored, and which were already, by their id."""

    readings: list[StoredReading]
    duplicates: list[StoredReading]
    # Of the last reading.
    sequence: int


# Where a reading lies: its event time (UTC epoch seconds) and its sequence.
Place = tuple[float, int]


class Deleted(NamedTuple):
    """How many readings were deleted, and up to which one; None when that was all of them."""

    rows: int
    last: Place | None


class Store:
    """The one writing connection. Used by one thread; opens by itself, and again after an error."""

    def __init__(self, database: WritingDatabase) -> None:
        self._database = database
        # Of the last reading taken in; None: the database must tell.
        self._sequence: int | None = None
        self._insert_reading = insert_sql(
            database,
            Reading,
            *(Reading.time, Reading.sequence, Reading.series, Reading.value, Reading.message_id),
        )
        self._insert_id = insert_sql(
            database,
            MessageId,
            *(MessageId.series, MessageId.message_id),
            action="nothing",
            conflict_target=[MessageId.series, MessageId.message_id],
        )
        one_id = (MessageId.series == 0) & (MessageId.message_id == b"")
        self._delete_id = sql(database, MessageId.delete().where(one_id))
        self._insert_series = insert_sql(
            database, Series, *(getattr(Series, name) for name in SeriesRow._fields)
        )
        self._rejected = RejectedMessages(database)
        self._write_delivery = insert_sql(
            database,
            Delivery,
            *(Delivery.id, Delivery.packets),
            conflict_target=[Delivery.id],
            update={Delivery.packets: EXCLUDED.packets},
        )
        self._delete_delivery = sql(database, Delivery.delete().where(Delivery.id == 0))
        self._count_up = insert_sql(
            database,
            Counter,
            *(Counter.name, Counter.value),
            conflict_target=[Counter.name],
            update={Counter.value: Counter.value + EXCLUDED.value},
        )

    def add(self, batch: Batch) -> Stored:
        """Commit `batch` in one transaction, or raise StoreUnavailable and change nothing."""
        with transaction(self._database) as connection:
            first = self._last_sequence() + 1
            taken: list[StoredReading] = [
                (time, sequence, series, value, message_id and pack(message_id))
                for sequence, (time, series, value, message_id) in enumerate(batch.readings, start=first)
            ]
            if batch.series:
                connection.executemany(self._insert_series, batch.series)
            rows, duplicates = self._apart(connection, taken)
            connection.executemany(self._insert_reading, rows)
            rejected = self._rejected.insert(connection, batch.rejected) if batch.rejected else None
            self._change_deliveries(connection, batch.deliveries, batch.forgotten)
            counts = batch.counts + Tally(
                stored=len(rows), duplicates=len(duplicates), sequence=len(batch.readings)
            )
            connection.executemany(self._count_up, counts.items())
        # only now is it certain that these are stored
        self._sequence = first + len(taken) - 1
        self._rejected.amount = rejected or self._rejected.amount
        return Stored(rows, duplicates, self._sequence)

    def series(self) -> list[SeriesRow]:
        """Return all series, in the order in which they began."""
        with transaction(self._database):
            return sorted(all_series(self._database))

    def set_retention(self, series: int, retention: float) -> None:
        """Note for how many seconds the readings of a series are kept."""
        with transaction(self._database):
            Series.update(retention=retention).where(Series.id == series).execute(self._database)

    def delete_series(self, series: int) -> None:
        """Delete a series that has no readings any more."""
        with transaction(self._database):
            Series.delete().where(Series.id == series).execute(self._database)

    def subscriptions(self) -> set[str]:
        """Return the topic filters that the session may be subscribed to."""
        with transaction(self._database):
            query = Subscription.select(Subscription.topic_filter)
            return {topic_filter for (topic_filter,) in self._database.execute(query)}

    def set_subscriptions(self, topic_filters: Iterable[str]) -> None:
        """Note which topic filters the session may be subscribed to."""
        with transaction(self._database):
            Subscription.delete().execute(self._database)
            rows = [{Subscription.topic_filter: topic_filter} for topic_filter in topic_filters]
            Subscription.insert_many(rows).execute(self._database)

    def deliveries(self) -> list[tuple[int, bytes]]:
        """Return what `Batch.deliveries` was in earlier transactions, in order, and is not forgotten."""
        with transaction(self._database):
            query = Delivery.select(Delivery.id, Delivery.packets).order_by(Delivery.id)
            return list(self._database.execute(query).fetchall())

    def forget_deliveries(self, numbers: Sequence[int], rewritten: Sequence[tuple[int, bytes]] = ()) -> None:
        """Forget the deliveries with these numbers, and what `rewritten` leaves out of others."""
        with transaction(self._database) as connection:
            self._change_deliveries(connection, rewritten, numbers)

    def delete_readings(self, after: Place, until: float, limit: int, retention: float) -> Deleted:
        """Delete the oldest readings behind `after` with time <= `until`, of series so long kept.

        Looks at `limit` readings at most, and deletes those among them whose series are kept for
        `retention` seconds.
        """
        place = Tuple(Reading.time, Reading.sequence)
        behind = place > Tuple(*after)
        with transaction(self._database) as connection:
            ordered = Reading.select(Reading.time, Reading.sequence).where(behind, Reading.time <= until)
            ordered = ordered.order_by(Reading.time, Reading.sequence).limit(1).offset(limit - 1)
            last: Place | None = self._database.execute(ordered).fetchone()
            of_such = Series.select(Series.id).where(Series.retention == retention)
            end = Reading.time <= until
            if last is not None:  # also by time alone, or SQLite would look at all rows up to `until`
                end = (Reading.time <= last[0]) & (place <= Tuple(*last))
            wanted = behind & end & Reading.series.in_(of_such)
            ids = Reading.select(Reading.series, Reading.message_id).where(
                wanted, Reading.message_id.is_null(False)
            )
            connection.executemany(self._delete_id, self._database.execute(ids).fetchall())
            deleted = int(Reading.delete().where(wanted).execute(self._database))
            if deleted:
                connection.execute(self._count_up, ("pruned", deleted))
        return Deleted(deleted, last)

    def delete_rejected(self, until: float, limit: int) -> int:
        """Delete the oldest rejected messages of too many, and those that arrived at or before `until`.

        Deletes `limit` at most; returns how many.
        """
        with transaction(self._database) as connection:
            deleted, rejected = self._rejected.delete(connection, until, limit)
        self._rejected.amount = rejected
        return deleted

    @property
    def file_may_be_gone(self) -> bool:
        """Whether `check_file` should look for the file at its path. Safe in any thread."""
        return self._database.loss is not None

    def check_file(self) -> bool:
        """Raise DatabaseGone if the file that is open is not at its path any more.

        A step for the thread that writes: there is no more to do after it.
        """
        with transaction(self._database):
            return False

    def close(self) -> None:
        close(self._database)

    def _last_sequence(self) -> int:
        if self._sequence is None:
            self._sequence = latest_sequence(self._database)
        return self._sequence

    def _apart(
        self, connection: sqlite3.Connection, readings: list[StoredReading]
    ) -> tuple[list[StoredReading], list[StoredReading]]:
        """Return the readings that are new, whose ids are now stored, and those whose ids were."""
        ids = [(series, message_id) for _, _, series, _, message_id in readings if message_id is not None]
        if not ids:
            return readings, []
        with self._database.savepoint() as savepoint:
            if connection.executemany(self._insert_id, ids).rowcount == len(ids):
                return readings, []  # as nearly always, and quicker
            savepoint.rollback()
        new: list[StoredReading] = []
        known: list[StoredReading] = []
        for reading in readings:
            _, _, series, _, message_id = reading
            inserted = (
                message_id is None or connection.execute(self._insert_id, (series, message_id)).rowcount
            )
            (new if inserted else known).append(reading)
        return new, known

    def _change_deliveries(
        self, connection: sqlite3.Connection, written: Sequence[tuple[int, bytes]], forgotten: Sequence[int]
    ) -> None:
        if written:
            connection.executemany(self._write_delivery, written)
        if forgotten:
            connection.executemany(self._delete_delivery, [(number,) for number in forgotten])
