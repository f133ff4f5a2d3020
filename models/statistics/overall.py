"""The averages over all readings together, whatever their series."""

from collections import defaultdict
from collections.abc import Sequence

from models.statistics.exact import expansion
from models.statistics.grid import Edges, Frame
from models.statistics.sums import Sums
from models.statistics.tick import WindowAverage


class Overall:
    """Counts and sums over all series, carried from tick to tick."""

    def __init__(self, names: Sequence[str], frame: Frame) -> None:
        """`names` are those of the windows of the frame, in order."""
        self._names = names
        self.frame = frame
        self._sums = Sums(len(names))
        # What the series have added in this go, by slot: how many readings, and floats of the same sum.
        self._counts: defaultdict[int, int] = defaultdict(int)
        self._parts: defaultdict[int, list[float]] = defaultdict(list)

    def gather(self, slot: int, count: int, parts: Sequence[float]) -> None:
        """Note `count` readings in a slot of time, with the sum of `parts`; then `add_gathered`."""
        self._counts[slot] += count
        self._parts[slot] += parts

    def add_gathered(self) -> None:
        """Add what has been gathered, in one addition a slot instead of one a series."""
        for slot, count in self._counts.items():
            self._sums.add(slot, count, self._parts[slot], self.frame.edges)
        self._counts.clear()
        self._parts.clear()

    def remember(self, slot: int, count: int, parts: Sequence[float]) -> None:
        """Take readings into no window yet: that is for `fill`."""
        self._sums.remember(slot, count, expansion(parts))

    def fill(self) -> None:
        """Fill the windows with all that has been taken."""
        self._sums.fill(self.frame.edges)

    def move(self, old: Edges) -> None:
        """Move from the edges given to those of the frame."""
        self._sums.move(old, self.frame.edges)

    def averages(self) -> tuple[WindowAverage, ...]:
        """Return the average of all readings in each window, in order."""
        totals = self._sums.totals
        return tuple(
            WindowAverage(name, totals[window].mean(count) if count else None, count)
            for window, (name, count) in enumerate(zip(self._names, self._sums.counts, strict=True))
        )
