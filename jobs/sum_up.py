"""Note what time that has ended holds, so that a restart and a history need not read all its readings."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from models.catalog import Catalog
from models.statistics.ended import EndedSlots
from models.statistics.exact import expansion
from models.statistics.grid import Grid
from models.statistics.slot_columns import SlotColumns
from models.storage.summing import Piece, SlotSums, SummingStore, Whereabouts

# Seconds between two runs.
INTERVAL = 60.0
# Seconds after which a slot of time has ended: few readings come later than this.
PATIENCE = 10.0
# It pays where so many readings are kept: a restart reads them in a tenth of a second.
WORTH_IT = 200_000
# It is noted which series are in so many readings.
STRETCH = 256
# Sums are noted of a slot that has so many times as many readings as it has series: each takes about as many
# bytes as a reading.
LEAST_EACH = 4
# What is done at once at most, so that no acknowledgement waits for longer than a few milliseconds: so many
# stretches are read, and so many are written.
READ_AT_ONCE = 4
WRITTEN_AT_ONCE = 64


class Ending(Protocol):
    """What tells the sums of slots: RollingStatistics."""

    def ended(self, after: float, until: float) -> EndedSlots | None: ...


class SummingUp:
    """Notes of each slot of time that has ended what its readings add up to, and where those of a series are.

    The sums are those that the statistics have. They are noted where they are of as many readings as are
    stored: of the same ones then, since what the statistics have is stored too. Time is read forward only,
    each reading once. Where few readings are kept nothing is read and nothing written.
    """

    def __init__(self, store: SummingStore, catalog: Catalog, grid: Grid) -> None:
        self._store = store
        self._catalog = catalog
        self._grid = grid
        # The time up to which there is nothing more to do (UTC epoch seconds).
        self._until = -math.inf
        # When it was begun last, and whether that is not done yet.
        self._begun = -math.inf
        self._busy = False

    def begin(self, at: float, statistics: Ending, submit: Callable[[Callable[[], bool]], object]) -> None:
        """Submit a task for the writing thread, if it is time for one and the last one is done.

        By the thread that ticks, when it has ticked at `at` (UTC epoch seconds).
        """
        if 0 <= at - self._begun < INTERVAL or self._busy:
            return
        ended = statistics.ended(at - 2 * INTERVAL - PATIENCE, at - PATIENCE)
        if ended is not None:
            self._begun = at
            submit(self.task(ended))

    def task(self, ended: EndedSlots) -> Callable[[], bool]:
        """Return a task for the writing thread, to be called until it returns False."""
        self._busy = True
        work = self._work(ended)
        return lambda: next(work, False)

    def _work(self, ended: EndedSlots) -> Iterator[bool]:
        try:
            noted = self._store.begin_summing(ended.at)
            after = max(noted, self._until) if self._until <= ended.at else noted
            end = self._grid.edge(self._grid.last_slot(ended.at - PATIENCE))
            notes = _Notes(self._store)
            while (time := self._store.nth_time(after, end, 1)) is not None:
                number = self._grid.slot(time)
                begin, until = self._grid.edge(number - 1), self._grid.edge(number)
                if self._store.nth_time(begin, until, self._least()) is not None:
                    slot = _Slot(max(begin, after), until, {row.id: row.retention for row in self._catalog})
                    yield from self._read(slot, notes)
                    columns = ended.slots.get(number)
                    # a slot by other settings may have ended within this one
                    if columns is not None and slot.after == begin:
                        yield from self._add_sums(slot, columns, notes)
                after = until
                yield True
            notes.write()
            self._until = end
        finally:
            self._busy = False

    def _least(self) -> int:
        """Return how many readings a slot has at least where so many are kept that it pays."""
        longest = max((row.retention for row in self._catalog), default=1.0)
        return max(1, math.ceil(WORTH_IT * self._grid.milliseconds / 1000 / longest))

    def _read(self, slot: "_Slot", notes: "_Notes") -> Iterator[bool]:
        after = slot.after
        while after < slot.until:
            for piece in self._store.read_to_sum(after, slot.until, STRETCH, READ_AT_ONCE):
                notes.take(piece)
                slot.take(piece)
                after = piece.until
            if notes.full:
                notes.write()
            yield True

    def _add_sums(self, slot: "_Slot", columns: SlotColumns, notes: "_Notes") -> Iterator[bool]:
        """Note the sums of all series that are kept equally long, if they are of all that is stored."""
        if slot.counts[None]:
            return  # a series has begun in it only now
        for retention, part in columns.by(slot.retentions).items():
            yield True
            count = sum(part.counts)
            if count == slot.counts[retention] and count >= LEAST_EACH * len(part.series):
                together = expansion([*part.highs, *part.lows])
                length = self._grid.milliseconds
                notes.sums.append(SlotSums(slot.after, slot.until, length, retention, *part, together))
        yield True
        notes.write()


class _Slot:
    """What has been read of a slot of time."""

    def __init__(self, after: float, until: float, retentions: Mapping[int, float]) -> None:
        """`retentions`: for how many seconds the readings of each series are kept."""
        self.after = after
        self.until = until
        self.retentions = retentions
        # By how long they are kept, how many readings. None: that is not known.
        self.counts: Counter[float | None] = Counter()
        self._only = retentions[next(iter(retentions))] if len(set(retentions.values())) == 1 else None

    def take(self, piece: Piece) -> None:
        if self._only is not None:  # as mostly
            self.counts[self._only] += len(piece.series)
        else:
            self.counts.update(map(self.retentions.get, piece.series))


class _Notes:
    """What is to be noted, until it is written."""

    def __init__(self, store: SummingStore) -> None:
        self._store = store
        self._stretches: list[Whereabouts] = []
        # What has been read of the next stretch: between which times, which series, and how many readings.
        self._after = self._until = -math.inf
        self._series: set[int] = set()
        self._rows = 0
        self.sums: list[SlotSums] = []

    @property
    def full(self) -> bool:
        return len(self._stretches) >= WRITTEN_AT_ONCE

    def take(self, piece: Piece) -> None:
        """Take in what was read. A stretch goes on where it follows on the last one."""
        if piece.after != self._until:
            self._end_stretch()
            self._after = piece.after
        self._until = piece.until
        self._series.update(piece.series)
        self._rows += len(piece.series)
        if self._rows >= STRETCH:
            self._end_stretch()

    def write(self) -> None:
        """Have all that was taken in written."""
        self._end_stretch()
        if self._stretches or self.sums:
            self._store.note(self._stretches, self.sums)
            self._stretches, self.sums = [], []

    def _end_stretch(self) -> None:
        if self._rows:
            self._stretches.append(Whereabouts(self._after, self._until, self._series))
        self._after, self._series, self._rows = self._until, set(), 0
