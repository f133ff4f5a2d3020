"""The averages over all readings together, whatever their series."""

from collections.abc import Mapping, Sequence

from models.statistics.exact import expansion
from models.statistics.grid import Frame
from models.statistics.slot_columns import SlotColumns
from models.statistics.sums import Sums
from models.statistics.tick import WindowAverage

# All series together are one here, with an id that none of them has.
_ALL = 0


class Overall:
    """Counts and sums over all series, carried from tick to tick."""

    def __init__(self, names: Sequence[str], frame: Frame) -> None:
        """`names` are those of the windows of the frame, in order."""
        self._names = names
        self._sums = Sums(frame)
        self._sums.begin(_ALL)

    @property
    def frame(self) -> Frame:
        """Where the windows are."""
        return self._sums.frame

    def enter(self, arrived: Mapping[int, SlotColumns]) -> None:
        """Take what some series have added to slots into the windows."""
        for slot, columns in arrived.items():
            self.add(slot, sum(columns.counts), [*columns.highs, *columns.lows])
        self._sums.enter()

    def add(self, slot: int, count: int, parts: Sequence[float]) -> None:
        """Add `count` readings with the same sum as `parts` to a slot; then `fill`, or `enter`."""
        self._sums.add(_ALL, slot, count, expansion(parts))

    def fill(self) -> None:
        """Fill the windows with all that has been taken."""
        self._sums.fill()

    def move(self, slot: int) -> None:
        """Move all windows to the end of a later slot."""
        self._sums.move(slot)

    def averages(self) -> tuple[WindowAverage, ...]:
        """Return the average of all readings in each window, in order."""
        sums = self._sums
        counts = [by_series[_ALL] for by_series in sums.counts]
        return tuple(
            WindowAverage(name, sums.mean(_ALL, window, count) if count else None, count)
            for window, (name, count) in enumerate(zip(self._names, counts, strict=True))
        )
