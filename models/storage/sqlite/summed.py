"""What is noted of time that has ended, so that its readings need not all be read again.

Of a stretch of time it is noted which series have readings in it, and of a slot of time what the readings of
each series add up to. A reading that comes when its time was read already is noted as delayed, in the
transaction that stores it: so both stay right, however late readings come.
"""

import json
import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence

from peewee import fn

from models.storage.repeats import Row
from models.storage.sqlite.columns import pack, pack_series
from models.storage.sqlite.connection import WritingDatabase
from models.storage.sqlite.tables import Delayed, Reading, SlotSums, Stretch
from models.storage.sqlite.transaction import insert_sql, sql
from models.storage.summing import Piece, Whereabouts
from models.storage.summing import SlotSums as Sums

# When more than so many readings of so many seconds were delayed, nothing of these seconds stays noted: all
# their readings are read instead, which costs less by then.
MOST_DELAYED = 1000
SECONDS = 10.0


class SummedUp:
    """Reads and writes what is noted, in the transactions of the store."""

    def __init__(self, database: WritingDatabase) -> None:
        # What is at this time or earlier (UTC epoch seconds) and comes from now on is delayed; None: the
        # database must tell.
        self._until: float | None = None
        # Up to which time readings were deleted.
        self._deleted_until = -math.inf
        # How many were delayed, by the number of their `SECONDS`.
        self._delayed: Counter[int] = Counter()

        span = (Reading.time > 0.0) & (Reading.time <= 0.0)
        in_order = Reading.time, Reading.sequence
        nth = Reading.select(Reading.time).where(span).order_by(*in_order).limit(1).offset(0)
        self._select_nth = sql(database, nth)
        # In one piece: ten thousand rows would take Python five times as long.
        series = Reading.select(fn.JSON_GROUP_ARRAY(Reading.series)).where(span)
        self._select_series = sql(database, series)
        self._select_oldest = sql(database, Reading.select(fn.MIN(Reading.time)))
        self._insert_delayed = insert_sql(database, Delayed, Delayed.time, Delayed.sequence)
        self._insert_stretch = insert_sql(database, Stretch, Stretch.after, Stretch.until, Stretch.series)
        self._insert_sums = insert_sql(
            database,
            SlotSums,
            *(SlotSums.after, SlotSums.retention, SlotSums.until, SlotSums.slot_length),
            *(SlotSums.entries, SlotSums.together),
        )
        self._select_until = [
            sql(database, table.select(table.until).order_by(table.after.desc()).limit(1))
            for table in (Stretch, SlotSums)
        ]
        self._delete_overlapping = [
            sql(database, table.delete().where(table.after < 0.0, table.until > 0.0))
            for table in (Stretch, SlotSums)
        ]
        self._delete_later = sql(database, Delayed.delete().where(Delayed.time > 0.0))
        self._delete_all_sums = sql(database, SlotSums.delete())
        kept_alike = (SlotSums.after < 0.0) & (SlotSums.retention == 0.0)
        self._delete_sums = sql(database, SlotSums.delete().where(kept_alike))
        before = (Stretch.after < 0.0) & (Stretch.until < 0.0)
        self._delete_old_stretches = sql(database, Stretch.delete().where(before))
        self._delete_old_delayed = sql(database, Delayed.delete().where(Delayed.time < 0.0))

    def begin(self, connection: sqlite3.Connection, now: float) -> float:
        """Return up to which time something is noted, as SummingStore describes it."""
        until = self._noted_until(connection)
        if until > now:
            self._forget(connection, now, math.inf)
            self._delayed.clear()
            until = self._noted_until(connection)
        connection.execute(self._delete_later, (until,))
        self._until = until
        return until

    def nth_time(
        self, connection: sqlite3.Connection, after: float, until: float, number: int
    ) -> float | None:
        found = connection.execute(self._select_nth, (after, until, 1, number - 1)).fetchone()
        return None if found is None else float(found[0])

    def read(
        self, connection: sqlite3.Connection, after: float, until: float, rows: int, pieces: int
    ) -> list[Piece]:
        """Return the first pieces of a span. What comes from now on in that time is delayed."""
        found: list[Piece] = []
        while after < until and len(found) < pieces:
            end = self.nth_time(connection, after, until, rows)
            if end is None:
                end = until
            [series] = connection.execute(self._select_series, (after, end)).fetchone()
            found.append(Piece(after, end, json.loads(series)))
            after = end
        self._until = max(after, -math.inf if self._until is None else self._until)
        return found

    def note(
        self, connection: sqlite3.Connection, whereabouts: Iterable[Whereabouts], sums: Iterable[Sums]
    ) -> None:
        """Note what was found; but not where more was delayed than is noted, or some is deleted by now."""
        for after, until, series in whereabouts:
            if not self._is_given_up(after, until):
                connection.execute(self._insert_stretch, (after, until, pack_series(series)))
        for slot in sums:
            if slot.after >= self._deleted_until and not self._is_given_up(slot.after, slot.until):
                entries = pack(slot.series, slot.counts, slot.highs, slot.lows)
                row = slot.after, slot.retention, slot.until, slot.length, entries, pack(slot.together)
                connection.execute(self._insert_sums, row)

    def note_delayed(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
        """Note which of the readings that are stored in this transaction are delayed."""
        if self._until is None:
            self._until = self._noted_until(connection)
        if self._until == -math.inf or not rows or min(rows)[0] > self._until:
            return  # as nearly always
        delayed: dict[int, list[tuple[float, int]]] = {}
        for time, sequence, *_ in rows:
            if time <= self._until:
                delayed.setdefault(_part(time), []).append((time, sequence))
        for part, places in delayed.items():
            self._delayed[part] += len(places)
            if self._delayed[part] > MOST_DELAYED:
                self._forget(connection, (part - 1) * SECONDS, part * SECONDS)
            else:
                connection.executemany(self._insert_delayed, places)

    def note_deleted(self, connection: sqlite3.Connection, until: float, retention: float) -> None:
        """Forget what was noted of readings that are deleted: up to a time, of series kept for so long."""
        self._deleted_until = max(self._deleted_until, until)
        if self._until == -math.inf:
            return
        connection.execute(self._delete_sums, (until, retention))
        [oldest] = connection.execute(self._select_oldest).fetchone()
        if oldest is None:
            oldest = math.inf
        connection.execute(self._delete_old_stretches, (oldest, oldest))
        connection.execute(self._delete_old_delayed, (oldest,))

    def forget_sums(self, connection: sqlite3.Connection) -> None:
        """Forget all sums: they are by how long series are kept, and that is changed."""
        self._deleted_until = math.inf
        connection.execute(self._delete_all_sums)

    def _forget(self, connection: sqlite3.Connection, after: float, until: float) -> None:
        """Forget what is noted of a span, and of what reaches into it."""
        for delete in self._delete_overlapping:
            connection.execute(delete, (until, after))

    def _is_given_up(self, after: float, until: float) -> bool:
        parts = range(math.floor(after / SECONDS) + 1, _part(until) + 1)
        return any(self._delayed.get(part, 0) > MOST_DELAYED for part in parts)

    def _noted_until(self, connection: sqlite3.Connection) -> float:
        found = [connection.execute(select, (1,)).fetchone() for select in self._select_until]
        return max((until for [until] in filter(None, found)), default=-math.inf)


def _part(time: float) -> int:
    """Return the number of the `SECONDS` in which a time lies, the last moment of them included."""
    return math.ceil(time / SECONDS)
