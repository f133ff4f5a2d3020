"""The windows of every series, and those over all readings together, at one moment."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from models.statistics.grid import Frame, Grid
from models.statistics.overall import Overall
from models.statistics.plan import Plan
from models.statistics.series import KnownSeries, SeriesStatistics
from models.statistics.slot_columns import SlotColumns
from models.statistics.sums import Sums


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
        # The last slot that is in no window any more.
        self.first = self.overall.frame.first
        # The times between which the slot behind it lies.
        self._present = self.grid.edge(slot), self.grid.edge(slot + 1)
        # By the lengths of the windows, and whether the series are in the averages over all readings.
        self._sums: dict[tuple[tuple[int, ...], bool], Sums] = {}

    def find(self, number: int) -> SeriesStatistics | None:
        """Return the series of that id, which begins here if it is not there yet; None if there is none."""
        series = self.by_id.get(number)
        if series is None:
            found = self._layout.look_up(number)
            if found is None:
                return None
            known, plan = found
            series = self.by_id[number] = SeriesStatistics(number, known, plan, self._sums_of(plan))
        return series

    def remove(self, number: int) -> None:
        """Have a series no longer. What the averages over all readings have of it, they keep."""
        series = self.by_id.pop(number, None)
        if series is not None:
            series.sums.remove(number)

    def add(self, series: SeriesStatistics, times: Sequence[float], values: Sequence[float]) -> None:
        """Add readings to a series; then `enter`."""
        in_order = sorted(times)  # quicker than min and max, as nearly always they are in order
        present = self.slot + 1  # the slot that ends with this tick, in which nearly all lie
        begin, end = self._present
        if begin < in_order[0] and in_order[-1] <= end:
            series.add(present, values)
        else:
            for slot, some in self._by_slot(in_order, times, values):
                if slot > self.first:
                    series.add(slot, some)
        series.insert(times, values, in_order[-1])

    def enter(self) -> None:
        """Have all that was added in the windows."""
        for (_, overall), sums in self._sums.items():
            arrived = sums.enter()
            if overall:
                self.overall.enter(arrived)

    def fill(self, look: Callable[[], object]) -> None:
        """Fill the windows, which are empty, with all that was loaded. `look` ends it by what it raises."""
        for sums in self._sums.values():
            sums.fill()
        for series in self.by_id.values():
            if series.in_order:
                series.fill()
                look()
        self.overall.fill()

    def move(self, slot: int) -> None:
        """Move all windows to the end of a later slot."""
        old = {sums: sums.frame.times for sums in self._sums.values()}
        for sums in old:
            sums.move(slot)
        for series in self.by_id.values():
            if series.in_order:
                series.move(old[series.sums])
        self.overall.move(slot)
        self.slot = slot
        self._present = self.grid.edge(slot), self.grid.edge(slot + 1)
        self._note_first()

    def ended(self, slots: range) -> dict[int, SlotColumns]:
        """Return the sums of slots, as they are now."""
        columns = {slot: SlotColumns.empty() for slot in slots}
        for slot, of_all in columns.items():
            for sums in self._sums.values():
                of_all.extend(*sums.rows_of(slot))
        return columns

    def _sums_of(self, plan: Plan) -> Sums:
        key = plan.lengths, plan.overall
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = Sums(Frame(self.grid, plan.lengths, self._layout.ahead, self.slot))
            self._note_first()
        return sums

    def _note_first(self) -> None:
        frames = (self.overall.frame, *(sums.frame for sums in self._sums.values()))
        self.first = min(frame.first for frame in frames)

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
