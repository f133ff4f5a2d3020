"""What is written, all through one connection."""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from peewee import Tuple, fn

from models.catalog import NewSeries, SeriesRow
from models.reading import Reading
from models.storage.batch import Batch, Deleted, Place, Stored
from models.storage.reading_id import pack
from models.storage.repeats import Row
from models.storage.sqlite import tables
from models.storage.sqlite.connection import WritingDatabase
from models.storage.sqlite.members import Member
from models.storage.sqlite.queries import latest_sequence
from models.storage.sqlite.rejected import RejectedMessages
from models.storage.sqlite.repeats import Repeats
from models.storage.sqlite.series_queries import all_series
from models.storage.sqlite.summed import SummedUp
from models.storage.sqlite.tables import ReadingId, Series
from models.storage.sqlite.transaction import Transaction, close, insert_sql, sql
from models.storage.summing import Piece, SlotSums, SummingStore, Whereabouts

# Behind all sequences of one event time.
_LAST = 2**62


class Store:
    """The one writing connection: a WritingStore, which is described in models/storage/interface.py.

    And a SummingStore (models/storage/summing.py).
    """

    def __init__(self, database: WritingDatabase, member: str) -> None:
        """`member`: the client id of the session whose messages are stored."""
        self._database = database
        self._member = Member(database, member)
        # Of the last reading taken in, and of the series begun last; None: the database must tell.
        self._sequence: int | None = None
        self._last_series: int | None = None
        table = tables.Reading
        self._insert_reading = insert_sql(
            database, table, table.time, table.sequence, table.series, table.value, table.reading_id
        )
        self._insert_id = insert_sql(
            database,
            ReadingId,
            *(ReadingId.series, ReadingId.reading_id),
            action="nothing",
            conflict_target=[ReadingId.series, ReadingId.reading_id],
        )
        one_id = (ReadingId.series == 0) & (ReadingId.reading_id == b"")
        self._delete_id = sql(database, ReadingId.delete().where(one_id))
        place = Tuple(table.time, table.sequence)
        # up to a time also by itself, or SQLite would look at all rows up to a place
        behind = (place > Tuple(0.0, 0)) & (table.time <= 0.0)
        ordered = table.select(table.time, table.sequence).where(behind)
        ordered = ordered.order_by(table.time, table.sequence).limit(1).offset(0)
        self._select_place = sql(database, ordered)
        of_such = table.series.in_(Series.select(Series.id).where(Series.retention == 0.0))
        old = behind & (place <= Tuple(0.0, 0)) & of_such
        ids = table.select(table.series, table.reading_id).where(old, table.reading_id.is_null(False))
        self._select_ids = sql(database, ids)
        self._delete_readings = sql(database, table.delete().where(old))
        self._repeats = Repeats(database)
        self._insert_series = insert_sql(
            database, Series, *(getattr(Series, name) for name in SeriesRow._fields)
        )
        self._rejected = RejectedMessages(database)
        self._summed = SummedUp(database)

    def add(self, batch: Batch) -> Stored:
        """Commit `batch` in one transaction, or raise StoreUnavailable and change nothing."""
        readings: Sequence[Reading] = batch.readings
        series: list[SeriesRow] = []
        with Transaction(self._database) as connection:
            first = self._last_sequence() + 1
            if batch.series:
                series = self._begin(connection, batch.series)
                ids = {new.id: row.id for new, row in zip(batch.series, series, strict=True)}
                readings = [
                    reading._replace(series=ids[reading.series]) if reading.series < 0 else reading
                    for reading in readings
                ]
            rows: list[Row] = [
                (time, sequence, number, value, reading_id and pack(reading_id))
                for sequence, (number, time, value, reading_id) in enumerate(readings, start=first)
            ]
            known = self._insert_ids(connection, rows)
            if batch.unless_repeated:
                repeated = self._repeats.find(connection, rows, batch.unless_repeated, known)
                self._delete_ids(connection, (rows[place] for place in repeated))
                known |= repeated
            duplicates: list[Reading] = []
            if known:
                duplicates = [readings[place] for place in sorted(known)]
                readings = [reading for place, reading in enumerate(readings) if place not in known]
                rows = [row for place, row in enumerate(rows) if place not in known]
            connection.executemany(self._insert_reading, rows)
            self._summed.note_delayed(connection, rows)
            rejected = self._rejected.insert(connection, batch.rejected) if batch.rejected else None
            self._member.change_deliveries(connection, batch.deliveries, batch.forgotten)
            counts = dict(batch.counts)
            if batch.readings:
                counts |= {"stored": len(readings), "sequence": len(batch.readings)}
            if duplicates:
                counts["duplicates"] = counts.get("duplicates", 0) + len(duplicates)
            self._member.count(connection, counts)
        # only now is it certain that these are stored
        self._sequence = first + len(batch.readings) - 1
        if series:
            self._last_series = series[-1].id
        self._rejected.amount = rejected or self._rejected.amount
        return Stored(readings, duplicates, series, self._sequence)

    def series(self) -> list[SeriesRow]:
        """Return all series, in the order in which they began."""
        with Transaction(self._database):
            return sorted(all_series(self._database))

    def set_retentions(self, retentions: Mapping[int, float]) -> None:
        """Note for how many seconds the readings of these series are kept, by their ids."""
        with Transaction(self._database) as connection:
            self._summed.forget_sums(connection)
            for series, retention in retentions.items():
                Series.update(retention=retention).where(Series.id == series).execute(self._database)

    def delete_series(self, series: int) -> None:
        """Delete a series that has no readings any more."""
        with Transaction(self._database):
            Series.delete().where(Series.id == series).execute(self._database)

    def subscriptions(self) -> set[str]:
        """Return the topic filters that the session may be subscribed to."""
        with Transaction(self._database):
            self._member.take_over()
            return self._member.subscriptions()

    def set_subscriptions(self, topic_filters: Iterable[str]) -> None:
        """Note which topic filters the session may be subscribed to."""
        with Transaction(self._database):
            self._member.set_subscriptions(topic_filters)

    def deliveries(self) -> list[tuple[int, bytes]]:
        """Return what `Batch.deliveries` was in earlier transactions, in order, and is not forgotten."""
        with Transaction(self._database):
            self._member.take_over()
            return self._member.deliveries()

    def forget_deliveries(self, numbers: Sequence[int], rewritten: Sequence[tuple[int, bytes]] = ()) -> None:
        """Forget the deliveries with these numbers, and what `rewritten` leaves out of others."""
        with Transaction(self._database) as connection:
            self._member.change_deliveries(connection, rewritten, numbers)

    def delete_readings(self, after: Place, until: float, limit: int, retention: float) -> Deleted:
        """Delete the oldest readings behind `after` whose time is `until` (UTC epoch seconds) or earlier.

        Looks at `limit` readings at most, and deletes those among them whose series are kept for
        `retention` seconds.
        """
        with Transaction(self._database) as connection:
            last: Place | None = connection.execute(
                self._select_place, (*after, until, 1, limit - 1)
            ).fetchone()
            end = last or (until, _LAST)
            wanted = (*after, end[0], *end, retention)
            ids = connection.execute(self._select_ids, wanted).fetchall()
            connection.executemany(self._delete_id, ids)
            deleted = connection.execute(self._delete_readings, wanted).rowcount
            if deleted:
                self._member.count(connection, {"pruned": deleted})
                self._summed.note_deleted(connection, end[0], retention)
        return Deleted(deleted, last)

    def gone_until(self, until: float, retention: float) -> float:
        """Return `until`: each reading is deleted by itself."""
        return until

    def delete_rejected(self, until: float, limit: int) -> int:
        """Delete the oldest rejected messages of too many, and those that arrived at or before `until`.

        Deletes `limit` at most; returns how many.
        """
        with Transaction(self._database) as connection:
            deleted, rejected = self._rejected.delete(connection, until, limit)
        self._rejected.amount = rejected
        return deleted

    @property
    def summing(self) -> SummingStore:
        """It is noted here what time that has ended holds."""
        return self

    def begin_summing(self, now: float) -> float:
        with Transaction(self._database) as connection:
            return self._summed.begin(connection, now)

    def nth_time(self, after: float, until: float, number: int) -> float | None:
        with Transaction(self._database) as connection:
            return self._summed.nth_time(connection, after, until, number)

    def read_to_sum(self, after: float, until: float, rows: int, pieces: int) -> Sequence[Piece]:
        with Transaction(self._database) as connection:
            return self._summed.read(connection, after, until, rows, pieces)

    def note(self, whereabouts: Collection[Whereabouts], sums: Collection[SlotSums]) -> None:
        with Transaction(self._database) as connection:
            self._summed.note(connection, whereabouts, sums)

    @property
    def file_may_be_gone(self) -> bool:
        """Whether `check_file` should look for the file at its path. Safe in any thread."""
        return self._database.loss is not None

    def check_file(self) -> bool:
        """Raise DatabaseGone if the file that is open is not at its path any more.

        A task for the thread that writes: there is no more to do after it.
        """
        with Transaction(self._database):
            return False

    def keep_alive(self, look: Callable[[], None]) -> None:
        """Do nothing: no transaction waits longer than for a lock, which is a quarter of a second."""

    def change_thread(self) -> None:
        """Close the connection, which SQLite lets only the thread use that has opened it."""
        self.close()

    def close(self) -> None:
        close(self._database)

    def _last_sequence(self) -> int:
        if self._sequence is None:
            self._sequence = latest_sequence(self._database)
        return self._sequence

    def _begin(self, connection: sqlite3.Connection, new: NewSeries) -> list[SeriesRow]:
        """Insert `new` series and return their rows, with ids that no series has had since we opened.

        Else the statistics might take a new series for one that was deleted.
        """
        if self._last_series is None:
            query = Series.select(fn.COALESCE(fn.MAX(Series.id), 0))
            [self._last_series] = self._database.execute(query).fetchone()
        rows = [row._replace(id=number) for number, row in enumerate(new, start=self._last_series + 1)]
        connection.executemany(self._insert_series, rows)
        return rows

    def _insert_ids(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> set[int]:
        """Insert the ids of readings; return the places of those whose ids were there already."""
        ids = [(series, packed) for _, _, series, _, packed in rows if packed is not None]
        if not ids:
            return set()
        if len(ids) > 1:  # all at once, which is quicker and nearly always right
            connection.execute("SAVEPOINT ids")
            new = connection.executemany(self._insert_id, ids).rowcount
            if new < len(ids):
                connection.execute("ROLLBACK TO ids")
            connection.execute("RELEASE ids")
            if new == len(ids):
                return set()
        return {
            place
            for place, (_, _, series, _, packed) in enumerate(rows)
            if packed is not None and not connection.execute(self._insert_id, (series, packed)).rowcount
        }

    def _delete_ids(self, connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
        """Delete the ids of readings that are not stored after all: else they would stay for good."""
        ids = [(series, packed) for _, _, series, _, packed in rows if packed is not None]
        connection.executemany(self._delete_id, ids)
