"""Counts and exact sums of many series, over the same windows."""

from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from operator import add, neg, or_

from models.statistics.exact import MOST_BITS, ExactSum, power_of_two
from models.statistics.grid import Frame
from models.statistics.slot_columns import SlotColumns

# What comes to a slot bit by bit is put together when its rows are more than twice as many as the series, and
# so many more.
_MORE_ROWS = 16
# Hardly any reading is so small that its sum takes more bits behind the point; then all sums take longer.
_MANY_BITS = 256


class Sums:
    """Counts and sums, carried from tick to tick: what has come is added, what has left is taken away.

    To know later what leaves, it remembers the sums of each slot of time, not the readings; and those of all
    series together, since they leave a window at the same moment. All windows end together.

    A sum is exact: a whole number over a power of two, which is the same for all of them.
    """

    def __init__(self, frame: Frame) -> None:
        """Begin without a series; `frame` says where the windows are, and is moved with them."""
        self.frame = frame
        # What the windows hold, what is ahead of them, and what is in none yet, though it may belong there.
        self._slots: dict[int, SlotColumns] = {}
        self._arrived: dict[int, SlotColumns] = {}
        # Of each window, by the ids of the series: how many readings, and their sum times 2**bits.
        self.counts: list[dict[int, int]] = [{} for _ in frame.edges.afters]
        self._numerators: list[dict[int, int]] = [{} for _ in frame.edges.afters]
        self._bits = 0
        self._scale = power_of_two(0)
        # Series that were removed, with the last slot that may have something of them.
        self._removed: dict[int, int] = {}

    def begin(self, series: int) -> None:
        """Have a series, by its id; one that was removed may begin again, with what is left of it."""
        self._removed.pop(series, None)
        for by_series in (*self.counts, *self._numerators):
            by_series.setdefault(series, 0)

    def remove(self, series: int) -> None:
        """Have a series no longer than it has something in a window. Nothing more is added to it."""
        self._removed[series] = max((self.frame.edges.until, *self._slots, *self._arrived))

    def add(self, series: int, slot: int, count: int, parts: Sequence[float]) -> None:
        """Add to a slot `count` readings with the same sum as `parts`, two floats or more; then `enter`."""
        columns = self._arrived.get(slot)
        if columns is None:
            columns = self._arrived[slot] = SlotColumns.empty()
        columns.add(series, count, parts)

    def enter(self) -> Mapping[int, SlotColumns]:
        """Take what was added into the windows that reach to it; return it, by slots."""
        arrived, self._arrived = self._arrived, {}
        edges = self.frame.edges
        for slot, columns in arrived.items():
            if slot <= edges.until:
                self._change([window for window, after in enumerate(edges.afters) if slot > after], columns)
            known = self._slots.get(slot)
            if known is None:
                self._slots[slot] = columns
            else:
                known.extend(*columns)
                if len(known.series) > 2 * len(self.counts[0]) + _MORE_ROWS:
                    self._slots[slot] = known.put_together()
        return arrived

    def extend(
        self,
        slot: int,
        series: Sequence[int],
        counts: Sequence[int],
        highs: Sequence[float],
        lows: Sequence[float],
    ) -> None:
        """Add many rows, as SlotColumns has them, to a slot; then `fill`."""
        self._slots.setdefault(slot, SlotColumns.empty()).extend(series, counts, highs, lows)

    def fill(self) -> None:
        """Fill the windows, which are empty, with all that was added: quicker than `enter`.

        From the last slot to the first: a window holds what has been seen when it begins.
        """
        for slot, columns in self._arrived.items():
            self.extend(slot, *columns)
        self._arrived = {}
        edges = self.frame.edges
        longest, *others = sorted(range(len(edges.afters)), key=lambda window: edges.afters[window])
        alike: list[SlotColumns] = []
        for slot in sorted(self._slots, reverse=True):
            columns = self._slots[slot]
            begun = [window for window in others if slot <= edges.afters[window]]
            if alike and (begun or columns.series != alike[0].series):
                self._take_alike(longest, alike)
                alike = []
            for window in begun:
                others.remove(window)
                self._copy(longest, window)
            if self.frame.first < slot <= edges.until:
                alike.append(columns)
        if alike:
            self._take_alike(longest, alike)
        for window in others:
            self._copy(longest, window)

    def move(self, slot: int) -> None:
        """Move all windows to the end of a later slot; what was added has entered."""
        old = self.frame.edges
        self.frame.move(slot)
        new = self.frame.edges
        for ahead, columns in self._slots.items():
            if old.until < ahead <= new.until:
                self._change(range(len(old.afters)), columns)
        for window, (before, after) in enumerate(zip(old.afters, new.afters, strict=True)):
            for past, columns in self._slots.items():
                if before < past <= after:
                    self._change([window], columns, leave=True)
        self._slots = {each: columns for each, columns in self._slots.items() if each > self.frame.first}
        for series, last in list(self._removed.items()):
            if last <= self.frame.first:
                del self._removed[series]
                for by_series in (*self.counts, *self._numerators):
                    del by_series[series]
        if self._bits > _MANY_BITS:
            self._drop_needless_bits()

    def rows_of(self, slot: int) -> SlotColumns:
        """Return the sums of a slot that the windows reach back to: new columns, put together."""
        return self._slots.get(slot, SlotColumns.empty()).put_together()

    def total(self, series: int, window: int) -> ExactSum:
        """Return the sum of a series in a window."""
        return ExactSum(self._numerators[window][series], self._bits)

    def counts_in(self, window: int, series: Sequence[int]) -> list[int]:
        """Return how many readings each of some series has in a window."""
        return list(map(self.counts[window].__getitem__, series))

    def means_in(self, window: int, series: Sequence[int], counts: Sequence[int]) -> list[float | None]:
        """Return the `mean` of each of some series in a window, None with count 0."""
        if self._bits <= MOST_BITS:
            numerators, scale = map(self._numerators[window].__getitem__, series), self._scale
            try:
                return [
                    numerator / scale / count if count else None
                    for numerator, count in zip(numerators, counts, strict=True)
                ]
            except OverflowError:
                pass
        return [
            self.mean(each, window, count) if count else None
            for each, count in zip(series, counts, strict=True)
        ]

    def mean(self, series: int, window: int, count: int) -> float:
        """Return what `math.fsum(values) / count` is for the `count` values of a series in a window."""
        if self._bits <= MOST_BITS:  # as nearly always, and quicker than by the total
            try:
                return self._numerators[window][series] / self._scale / count
            except OverflowError:
                pass
        return self.total(series, window).mean(count)

    def _change(self, windows: Collection[int], columns: SlotColumns, *, leave: bool = False) -> None:
        """Add the rows of a slot to windows, or take them away."""
        numerators = self._numerators_of(columns)
        counts: Sequence[int] = columns.counts
        if leave:
            numerators, counts = list(map(neg, numerators)), list(map(neg, counts))
        for window in windows:
            self._add_rows(window, columns.series, counts, numerators)

    def _take_alike(self, window: int, slots: Sequence[SlotColumns]) -> None:
        """Add the rows of slots that have the same series in the same order: as one, which is quicker."""
        counts: Sequence[int] = slots[0].counts
        numerators, bits = self._numerators_of(slots[0]), self._bits
        for columns in slots[1:]:
            counts, more = list(map(add, counts, columns.counts)), self._numerators_of(columns)
            if self._bits > bits:
                numerators, bits = [each << (self._bits - bits) for each in numerators], self._bits
            numerators = list(map(add, numerators, more))
        self._add_rows(window, slots[0].series, counts, numerators)

    def _add_rows(
        self, window: int, series: Sequence[int], counts: Sequence[int], numerators: Sequence[int]
    ) -> None:
        of_counts, of_numerators = self.counts[window], self._numerators[window]
        for number, count, numerator in zip(series, counts, numerators, strict=True):
            of_counts[number] += count
            of_numerators[number] += numerator

    def _copy(self, window: int, to: int) -> None:
        self.counts[to] = dict(self.counts[window])
        self._numerators[to] = dict(self._numerators[window])

    def _numerators_of(self, columns: SlotColumns) -> list[int]:
        """Return the sum of each row times 2**bits, which may grow for it."""
        scale = self._scale
        # exact, infinite or not a number: the scale is a power of two, if it is a float
        highs, lows = [high * scale for high in columns.highs], [low * scale for low in columns.lows]
        if all(map(float.is_integer, highs)) and all(map(float.is_integer, lows)):
            return list(map(add, map(int, highs), map(int, lows)))
        return self._taken_apart(columns)

    def _taken_apart(self, columns: SlotColumns) -> list[int]:
        """Return the same for any floats, some five times more slowly."""
        ratios = []
        for high, low in zip(columns.highs, columns.lows, strict=True):
            total = ExactSum(0, self._bits)
            total.add_float(high)
            total.add_float(low)
            ratios.append(total.ratio())
        most = max(bits for _, bits in ratios)
        if most > self._bits:
            self._set_bits(most)
        return [numerator << (self._bits - bits) for numerator, bits in ratios]

    def _drop_needless_bits(self) -> None:
        """Take no more bits than the sums need now, or one small reading would slow ticks down for good."""
        of_any = reduce(or_, (each for numerators in self._numerators for each in numerators.values()), 0)
        # the zeros at the end of all of them
        needless = (of_any & -of_any).bit_length() - 1 if of_any else self._bits
        self._set_bits(max(0, self._bits - needless))

    def _set_bits(self, bits: int) -> None:
        more, less = max(0, bits - self._bits), max(0, self._bits - bits)
        self._numerators = [
            {series: each << more >> less for series, each in numerators.items()}
            for numerators in self._numerators
        ]
        self._bits, self._scale = bits, power_of_two(bits)
