"""Counts and exact sums of one series, over several windows."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from models.statistics.exact import ExactSums, expansion
from models.statistics.grid import Edges


class Sums:
    """Counts and sums, carried from tick to tick: what has come is added, what has left is taken away.

    To know later what leaves, it remembers the sum of each slot of time, not the readings. All
    windows end together; how far each goes back is in the `Edges` that it is given.
    """

    __slots__ = ("_counts", "_highs", "_lows", "_slots", "counts", "totals")

    def __init__(self, windows: int) -> None:
        """Begin with that many empty windows."""
        # A row for each slot, in order: how many readings, and the two floats whose sum is theirs.
        # A sum that two floats cannot hold goes on in a row of its own, with no readings.
        self._slots = array("q")
        self._counts = array("I")
        self._highs = array("d")
        self._lows = array("d")
        self.counts = [0] * windows
        self.totals = ExactSums(windows)

    def add(self, slot: int, count: int, values: Sequence[float], edges: Edges) -> Sequence[float]:
        """Add to a slot `count` readings with the same sum as `values`; `edges` are the present ones.

        Returns the few floats it has made of `values`, for others to add.
        """
        parts = expansion(values)
        self.remember(slot, count, parts)
        if slot <= edges.until:
            self._add_to_windows(slot, count, parts, edges)
        return parts

    def remember(self, slot: int, count: int, parts: Sequence[float]) -> None:
        """Add readings with the sum of `parts` to a slot, but to no window: that is for `fill`."""
        row = len(self._slots)
        if row and self._slots[-1] >= slot:
            row = bisect_right(self._slots, slot)
            if row and self._slots[row - 1] == slot:
                together = expansion([self._highs[row - 1], self._lows[row - 1], *parts])
                if len(together) == 2:
                    self._counts[row - 1] += count
                    self._highs[row - 1], self._lows[row - 1] = together
                    return
        elif len(parts) == 2:  # as nearly always when a service starts
            self._slots.append(slot)
            self._counts.append(count)
            self._highs.append(parts[0])
            self._lows.append(parts[1])
            return
        for place in range(0, len(parts) or 1, 2):
            high, low = (*parts[place : place + 2], 0.0, 0.0)[:2]
            self._slots.insert(row, slot)
            self._counts.insert(row, 0 if place else count)
            self._highs.insert(row, high)
            self._lows.insert(row, low)

    def extend(
        self, slots: Sequence[int], counts: Sequence[int], highs: Sequence[float], lows: Sequence[float]
    ) -> None:
        """Remember later slots: how many readings, and the two floats whose sum is theirs."""
        self._slots.extend(slots)
        self._counts.extend(counts)
        self._highs.extend(highs)
        self._lows.extend(lows)

    def rows_of(self, slots: range) -> Iterator[tuple[int, int, float, float]]:
        """Return the rows of slots that are remembered: slot, count and two floats."""
        start, end = bisect_left(self._slots, slots.start), bisect_left(self._slots, slots.stop)
        return zip(
            *(self._slots[start:end], self._counts[start:end]),
            *(self._highs[start:end], self._lows[start:end]),
            strict=True,
        )

    def fill(self, edges: Edges) -> None:
        """Fill windows that are empty from the slots that are remembered."""
        end = bisect_right(self._slots, edges.until)
        for window, after in enumerate(edges.afters):
            start = bisect_right(self._slots, after)
            self.counts[window] = sum(self._counts[start:end])
            numerator = self.totals.numerator(expansion([*self._highs[start:end], *self._lows[start:end]]))
            self.totals.numerators[window] += numerator
        self._forget(bisect_right(self._slots, min(edges.afters)))

    def move(self, old: Edges, new: Edges) -> None:
        """Move all windows from the edges they have to later ones."""
        slots = self._slots
        if slots and slots[-1] > old.until:  # readings that were ahead of the clock
            for row in range(bisect_right(slots, old.until), bisect_right(slots, new.until)):
                self._add_to_windows(slots[row], self._counts[row], (self._highs[row], self._lows[row]), old)
        highs, lows, totals = self._highs, self._lows, self.totals
        kept_from = len(slots)
        for window, after in enumerate(new.afters):
            before = old.afters[window]
            row = bisect_right(slots, after)
            kept_from = min(row, kept_from)
            while row and slots[row - 1] > before:
                row -= 1
                numerator = totals.numerator((highs[row], lows[row]))
                totals.numerators[window] -= numerator
                self.counts[window] -= self._counts[row]
        self._forget(kept_from)

    def _add_to_windows(self, slot: int, count: int, parts: Sequence[float], edges: Edges) -> None:
        """Add to each window that reaches back to a slot."""
        numerator = self.totals.numerator(parts)
        for window, after in enumerate(edges.afters):
            if slot > after:
                self.counts[window] += count
                self.totals.numerators[window] += numerator

    def _forget(self, rows: int) -> None:
        """Forget the first rows, which no window needs any more."""
        if rows:
            del self._slots[:rows], self._counts[:rows], self._highs[:rows], self._lows[:rows]
