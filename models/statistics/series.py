"""The statistics of one series, carried from tick to tick."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from models.statistics.content import Content, Number, compute
from models.statistics.exact import expansion
from models.statistics.grid import Edges, Frame
from models.statistics.ordered import Ordered, TimeEdges
from models.statistics.plan import Plan
from models.statistics.span import At
from models.statistics.sums import Sums
from models.statistics.tick import SeriesResult


class KnownSeries(Protocol):
    """What has to be known of a series. Whoever keeps the list of them has more."""

    @property
    def name(self) -> str: ...
    @property
    def since(self) -> float:
        """The time of its first reading, in UTC epoch seconds."""

    @property
    def retention(self) -> float:
        """How many seconds its readings are kept."""


class SeriesStatistics:
    """The windows of one series at the latest tick."""

    __slots__ = ("_known", "_ordered", "_sums", "frame", "newest", "plan")

    def __init__(self, known: KnownSeries, plan: Plan, frame: Frame) -> None:
        self._known = known
        self.plan = plan
        # The latest of all its readings, also if it is in no window any more.
        self.newest = At(float("-inf"), 0.0)
        self.frame = frame
        self._sums = Sums(len(plan.windows))
        self._ordered: Ordered | None = None
        if plan.in_order:
            windows = [plan.accumulators() for _ in plan.windows]
            self._ordered = Ordered(windows, before=plan.looks_before)

    @property
    def name(self) -> str:
        return self._known.name

    @property
    def in_order(self) -> bool:
        """Whether it needs each reading in the order of time, not only sums."""
        return self._ordered is not None

    def add(self, slot: int, values: Sequence[float]) -> Sequence[float]:
        """Add readings that lie in one slot of time; return few floats that have the same sum."""
        return self._sums.add(slot, len(values), values, self.frame.edges)

    def insert(self, times: Sequence[float], values: Sequence[float], latest: float) -> None:
        """Put the same readings in order, if that is needed, and note the newest.

        `latest` is the largest of the times.
        """
        if latest >= self.newest.time:
            place = len(times) - 1
            while times[place] != latest:
                place -= 1
            self.newest = At(latest, values[place])
        if self._ordered is not None:
            for time, value in zip(times, values, strict=True):
                self._ordered.insert(time, value, self.frame.times)

    def remember(self, slot: int, values: Sequence[float]) -> Sequence[float]:
        """Take readings that lie in one slot, the latest so far, into no window: that is for `fill`.

        Returns few floats that have the same sum.
        """
        parts = expansion(values)
        if slot > self.frame.first:
            self._sums.remember(slot, len(values), parts)
        return parts

    def extend(
        self, slots: Sequence[int], counts: Sequence[int], highs: Sequence[float], lows: Sequence[float]
    ) -> None:
        """Take the counts and sums of later slots into no window: that is for `fill`."""
        self._sums.extend(slots, counts, highs, lows)

    def sums_of(self, slots: range) -> Iterable[tuple[int, int, float, float]]:
        """Return rows of slots that windows reach back to: slot, count, two floats whose sum is theirs."""
        return self._sums.rows_of(slots)

    def append(self, time: float, value: float) -> None:
        """Take the next reading in the order of time, if order is needed, into no window."""
        if self._ordered is not None:
            self._ordered.append(time, value)

    def fill(self) -> None:
        """Fill the windows with all that has been taken."""
        self._sums.fill(self.frame.edges)
        if self._ordered is not None:
            self._ordered.fill(self.frame.times)

    def move(self, old: Edges, old_times: TimeEdges) -> None:
        """Move from the edges given to those of the frame."""
        self._sums.move(old, self.frame.edges)
        if self._ordered is not None:
            self._ordered.move(old_times, self.frame.times)

    def result(self, at: float) -> SeriesResult | None:
        """Return the statistics at the tick `at` (UTC epoch seconds); None if all readings are too old.

        Beside those of the plan each window has its `count`, and as `coverage` the part of it for
        which there is history: 1 if the first reading of the series is older than the window. If values
        are held, there is an `age` too: the seconds since the reading whose value an empty window has.
        """
        if self.newest.time <= at - self._known.retention:
            return None
        plan, counts = self.plan, self._sums.counts
        holds = plan.rules.hold is not None
        age = at - self._known.since
        numbers: list[Number] = []
        for window, seconds in enumerate(plan.seconds):
            numbers += (counts[window], 1.0 if age >= seconds else max(0.0, age / seconds))
            if holds:
                numbers += self._held(window, at)
            elif counts[window]:
                content = self._content(window, at)
                for formula in plan.formulas:
                    numbers.append(compute(formula, content))
            else:
                numbers += plan.nothing
        return SeriesResult(self._known.name, self.newest, plan, tuple(numbers))

    def _content(self, window: int, at: float) -> Content:
        total, count = self._sums.totals[window], self._sums.counts[window]
        if self._ordered is None:
            return Content(at, count, total)
        after, until = self.frame.times.afters[window], self.frame.times.until
        span = self._ordered.inside(after, until)
        return Content(at, count, total, after, span, self._ordered.windows[window], self.plan.rules)

    def _held(self, window: int, at: float) -> Sequence[Number]:
        """Return the age of the value that is held in an empty window, and the statistics.

        The age is None where none is held.
        """
        plan, content = self.plan, self._content(window, at)
        if content.count:
            return None, *(compute(formula, content) for formula in plan.formulas)
        held = content.held
        if held is None:
            return None, *plan.nothing
        return at - held.time, *(of_held and of_held(held.value) for of_held in plan.of_held)
