"""The windows of every series, and those over all readings together, at one moment."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from models.statistics.grid import Frame, Grid
from models.statistics.overall import Overall
from models.statistics.plan import Plan
from models.statistics.series import KnownSeries, SeriesStatistics


class Layout(NamedTuple):
    """Where windows are: it is the same for as long as the service runs."""

    grid: Grid
    # The windows over all readings: name, length in milliseconds.
    overall: tuple[tuple[str, int], ...]
    # So many milliseconds every window reaches ahead of the clock.
    ahead: int
    # Gives what is known of a series and what is computed of it, by its id; None if there is no such series.
    look_up: Callable[[int], tuple[KnownSeries, Plan] | None]


class AllSeries:
    """All that is carried from tick to tick. It begins empty, at the end of one slot of time."""

    def __init__(self, layout: Layout, slot: int) -> None:
        self.grid = layout.grid
        self.slot = slot
        self.by_id: dict[int, SeriesStatistics] = {}
        self._layout = layout
        names = [name for name, _ in layout.overall]
        lengths = [length for _, length in layout.overall]
        self.overall = Overall(names, Frame(self.grid, lengths, layout.ahead, slot))
        # The times between which the slot behind it lies.
        self._present = self.grid.edge(slot), self.grid.edge(slot + 1)
        # By the lengths of the windows.
        self._frames: dict[tuple[int, ...], Frame] = {}

    @property
    def first(self) -> int:
        """The last slot that is in no window any more."""
        return min(frame.first for frame in (self.overall.frame, *self._frames.values()))

    def find(self, number: int) -> SeriesStatistics | None:
        """Return the series of that id, which begins here if it is not there yet; None if there is none."""
        series = self.by_id.get(number)
        if series is None:
            found = self._layout.look_up(number)
            if found is None:
                return None
            known, plan = found
            series = self.by_id[number] = SeriesStatistics(known, plan, self._frame(plan.lengths))
        return series

    def add(self, series: SeriesStatistics, times: Sequence[float], values: Sequence[float]) -> None:
        """Add readings to a series; then `overall.add_gathered`."""
        in_order = sorted(times)  # quicker than min and max, as nearly always they are in order
        present = self.slot + 1  # the slot that ends with this tick, in which nearly all lie
        begin, end = self._present
        if begin < in_order[0] and in_order[-1] <= end:
            parts = series.add(present, values)
            if series.plan.overall:
                self.overall.gather(present, len(values), parts)
        else:
            for slot, some in self._by_slot(in_order, times, values):
                parts = series.add(slot, some)
                if series.plan.overall:
                    self.overall.gather(slot, len(some), parts)
        series.insert(times, values, in_order[-1])

    def move(self, slot: int) -> None:
        """Move all windows to the end of a later slot."""
        old = {frame: (frame.edges, frame.times) for frame in (*self._frames.values(), self.overall.frame)}
        for frame in old:
            frame.move(slot)
        for series in self.by_id.values():
            series.move(*old[series.frame])
        self.overall.move(old[self.overall.frame][0])
        self.slot = slot
        self._present = self.grid.edge(slot), self.grid.edge(slot + 1)

    def _frame(self, lengths: tuple[int, ...]) -> Frame:
        frame = self._frames.get(lengths)
        if frame is None:
            frame = self._frames[lengths] = Frame(self.grid, lengths, self._layout.ahead, self.slot)
        return frame

    def _by_slot(
        self, in_order: Sequence[float], times: Sequence[float], values: Sequence[float]
    ) -> Iterator[tuple[int, Sequence[float]]]:
        """Yield the values apart by the slot of time they lie in; `in_order` are their `times`, sorted."""
        if times != in_order:
            values = [value for _, value in sorted(zip(times, values, strict=True))]
        begin = 0
        while begin < len(in_order):
            slot = self.grid.slot(in_order[begin])
            end = bisect_right(in_order, self.grid.edge(slot), begin)
            yield slot, values[begin:end]
            begin = end
