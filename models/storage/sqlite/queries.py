"""What is asked of the stored readings, through a reading connection."""

import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from itertools import chain, islice
from sqlite3 import Cursor

from peewee import JOIN, SQL, Expression, Field, ModelSelect, Select, SqliteDatabase, fn

from models.storage.records import RejectedRow, SummedSlot, SumsOfSeries
from models.storage.sqlite.columns import unpack
from models.storage.sqlite.tables import Counter, Delayed, Reading, RejectedMessage, Series, SlotSums

# How many readings are held at once.
_CHUNK = 100_000
# Of a reading: series, time (UTC epoch seconds), value.
TimedValue = tuple[int, float, float]


class StoredReadings:
    """The stored readings, span by span of time, as one transaction sees them.

    A span is the times with `after` < time <= `until`, in UTC epoch seconds.
    """

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        query = Series.select(Series.id, Series.retention).order_by(Series.id)
        rows = database.execute(query).fetchall()
        self.series = [series for series, _ in rows]
        self._retentions = {retention for _, retention in rows}
        # Written once: for a short span, peewee would take longer for that than SQLite for the answer.
        self._next = self._sql(Reading.select(fn.MIN(Reading.time)))
        # Only what is needed: most of the time goes into making Python's objects.
        columns = [Reading.value] if len(self.series) == 1 else [Reading.series, Reading.value]
        in_order = Reading.time, Reading.sequence
        self._values = self._sql(Reading.select(*columns).order_by(*in_order))
        timed = Reading.select(Reading.series, Reading.time, Reading.value).order_by(*in_order)
        self._timed = self._sql(timed)
        # As one parameter, however many there are.
        these = Select([fn.json_each("[]")], [SQL("value")])
        self._timed_of = self._sql(timed, Reading.series.in_(these))
        others = Series.select(Series.id).where(Series.retention.not_in(these))
        self._kept_otherwise = self._sql(
            Reading.select(Reading.series, Reading.value), Reading.series.in_(others)
        )
        kept_alike = Reading.series.in_(Series.select(Series.id).where(Series.retention.in_(these)))
        span = (Delayed.time > 0) & (Delayed.time <= 0)
        self._delayed = str(delayed_readings(Reading.series, Reading.value).where(span, kept_alike).sql()[0])

    def latest_sequence(self) -> int:
        """Return the sequence of the reading that was stored last, 0 if there was none."""
        return latest_sequence(self._database)

    def next_time(self, after: float) -> float | None:
        """Return the time of the first reading later than `after`, None if there is none."""
        time: float | None
        [(time,)] = self._select(self._next, after, math.inf)
        return time

    def values(self, after: float, until: float) -> Iterator[Mapping[int, list[float]]]:
        """Yield the values of a span by series; in parts, so that memory stays bounded."""
        cursor = self._select(self._values, after, until)
        if len(self.series) == 1:
            values = chain.from_iterable(cursor)
            while part := list(islice(values, _CHUNK)):
                yield {self.series[0]: part}
            return
        while True:
            by_series: defaultdict[int, list[float]] = defaultdict(list)
            for series, value in islice(cursor, _CHUNK):
                by_series[series].append(value)
            if not by_series:
                return
            yield by_series

    def timed(self, after: float, until: float = math.inf) -> Iterator[TimedValue]:
        """Yield the readings of a span in the order of time, and of arrival where that is equal."""
        return self._select(self._timed, after, until)

    def timed_of(
        self, series: Collection[int], after: float, until: float = math.inf
    ) -> Iterator[TimedValue]:
        """Yield the readings of a span that are of these series, in the same order: others cost little."""
        return self._select(self._timed_of, after, until, json.dumps(list(series)))

    def summed(self, slot_length: int, after: float) -> Iterator[SummedSlot]:
        """Yield what is noted of slots of so many milliseconds that begin at `after` or later, in order."""
        slots = SlotSums.select(SlotSums.after, SlotSums.until).distinct()
        slots = slots.where(SlotSums.slot_length == slot_length, SlotSums.after >= after)
        for span in self._database.execute(slots.order_by(SlotSums.after)).fetchall():
            yield self._summed_slot(*span)

    def _summed_slot(self, after: float, until: float) -> SummedSlot:
        query = SlotSums.select(SlotSums.retention, SlotSums.entries, SlotSums.together)
        rows = self._database.execute(query.where(SlotSums.after == after)).fetchall()
        sums: list[SumsOfSeries] = []
        for _, entries, together in rows:
            series, counts, highs, lows = unpack(entries)
            [parts] = unpack(together)
            sums.append((series, counts, highs, lows, parts))
        noted = [retention for retention, _, _ in rows]
        of_these = after, until, json.dumps(noted)
        rest: defaultdict[int, list[float]] = defaultdict(list)
        for number, value in self._select(self._delayed, *of_these):
            rest[number].append(value)
        if not self._retentions.issubset(noted):
            for number, value in self._select(self._kept_otherwise, *of_these):
                rest[number].append(value)
        return SummedSlot(after, until, sums, rest)

    def _sql(self, query: "ModelSelect[Reading]", *conditions: Expression) -> str:
        return str(query.where(Reading.time > 0, Reading.time <= 0, *conditions).sql()[0])

    def _select(self, sql: str, after: float, until: float, *rest: object) -> Cursor:
        cursor: Cursor = self._database.execute_sql(sql, (after, until, *rest))
        return cursor


def delayed_readings(*columns: Field) -> "ModelSelect[Delayed]":
    """Return the query for these columns of delayed readings.

    They are looked up one by one: left to itself, SQLite would look through all readings.
    """
    same = (Reading.time == Delayed.time) & (Reading.sequence == Delayed.sequence)
    return Delayed.select(*columns).join(Reading, JOIN.CROSS, on=None).where(same)


def latest_sequence(database: SqliteDatabase) -> int:
    """Return the sequence of the reading that was stored last, 0 if there was none."""
    return counters(database).get("sequence", 0)


def counters(database: SqliteDatabase) -> dict[str, int]:
    """Return how many messages came to which end at all members, since the database was created."""
    query = Counter.select(Counter.name, fn.SUM(Counter.value)).group_by(Counter.name)
    return dict(database.execute(query).fetchall())


def reading_count(database: SqliteDatabase) -> int:
    """Return how many readings are stored."""
    return int(Reading.select().count(database))


def rejected_counts(database: SqliteDatabase) -> list[tuple[int, str, str]]:
    """Return (how many, reason, topic) of the rejected messages that are kept, most first."""
    number = fn.COUNT(RejectedMessage.id)
    query = (
        RejectedMessage.select(number, RejectedMessage.reason, RejectedMessage.topic)
        .group_by(RejectedMessage.reason, RejectedMessage.topic)
        .order_by(number.desc(), RejectedMessage.reason, RejectedMessage.topic)
    )
    return list(database.execute(query).fetchall())


def rejected_messages(database: SqliteDatabase, newest: int | None = None) -> Iterator[RejectedRow]:
    """Yield the rejected messages, oldest first; or the `newest` so many, newest first."""
    order = RejectedMessage.id if newest is None else RejectedMessage.id.desc()
    for row in database.execute(_rejected().order_by(order).limit(newest)):
        yield RejectedRow(*row)


def rejected_on(
    database: SqliteDatabase, topic: str, after: float, until: float, limit: int
) -> list[RejectedRow]:
    """Return the newest `limit` rejected messages of a topic that arrived in `after` < time <= `until`.

    The newest comes first.
    """
    query = (
        _rejected()
        .where(
            RejectedMessage.topic == topic,
            RejectedMessage.arrived > after,
            RejectedMessage.arrived <= until,
        )
        .order_by(RejectedMessage.id.desc())
        .limit(limit)
    )
    return [RejectedRow(*row) for row in database.execute(query)]


def _rejected() -> "ModelSelect[RejectedMessage]":
    return RejectedMessage.select(*(getattr(RejectedMessage, column) for column in RejectedRow._fields))


def newest_time(database: SqliteDatabase) -> float | None:
    """Return the largest event time of the stored readings, in UTC epoch seconds."""
    time: float | None = Reading.select(fn.MAX(Reading.time)).scalar(database)
    return time
