"""The statistics of one series, carried from tick to tick."""

from collections.abc import Sequence
from typing import Protocol

from models.statistics.content import Content, Number, compute
from models.statistics.exact import expansion
from models.statistics.ordered import Ordered, TimeEdges
from models.statistics.plan import Plan
from models.statistics.span import At
from models.statistics.sums import Sums


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

    __slots__ = ("_ordered", "id", "known", "newest", "plan", "sums")

    def __init__(self, number: int, known: KnownSeries, plan: Plan, sums: Sums) -> None:
        """Begin in `sums`, which are those of all series with such windows; `number` is its id there."""
        self.id = number
        self.known = known
        self.plan = plan
        self.sums = sums
        sums.begin(number)
        # The latest of all its readings, also if it is in no window any more.
        self.newest = At(float("-inf"), 0.0)
        self._ordered: Ordered | None = None
        if plan.in_order:
            windows = [plan.accumulators() for _ in plan.windows]
            self._ordered = Ordered(windows, before=plan.looks_before)

    @property
    def name(self) -> str:
        return self.known.name

    @property
    def in_order(self) -> bool:
        """Whether it needs each reading in the order of time, not only sums."""
        return self._ordered is not None

    def add(self, slot: int, values: Sequence[float]) -> Sequence[float]:
        """Add readings that lie in one slot of time; return few floats that have the same sum."""
        parts = expansion(values)
        self.sums.add(self.id, slot, len(values), parts)
        return parts

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
                self._ordered.insert(time, value, self.sums.frame.times)

    def append(self, time: float, value: float) -> None:
        """Take the next reading, if its place in time is needed, into no window: that is for `fill`."""
        if self._ordered is not None:
            self._ordered.append(time, value)

    def fill(self) -> None:
        """Fill the windows with all that was appended."""
        if self._ordered is not None:
            self._ordered.fill(self.sums.frame.times)

    def move(self, old: TimeEdges) -> None:
        """Move from the edges given to those of the frame."""
        if self._ordered is not None:
            self._ordered.move(old, self.sums.frame.times)

    def numbers(self, at: float) -> tuple[Number, ...]:
        """Return the numbers that a SeriesResult has at the tick `at` (UTC epoch seconds)."""
        plan = self.plan
        holds = plan.rules.hold is not None
        age = at - self.known.since
        numbers: list[Number] = []
        for window, (seconds, counts) in enumerate(zip(plan.seconds, self.sums.counts, strict=True)):
            count = counts[self.id]
            numbers += (count, coverage(age, seconds))
            if holds:
                numbers += self._held(window, at, count)
            elif count:
                content = self._content(window, at, count)
                for formula in plan.formulas:
                    numbers.append(compute(formula, content))
            else:
                numbers += plan.nothing
        return tuple(numbers)

    def _content(self, window: int, at: float, count: int) -> Content:
        sums, number, ordered = self.sums, self.id, self._ordered
        if ordered is None:
            return Content(at, count, sums, number, window)
        after, until = sums.frame.times.afters[window], sums.frame.times.until
        span, accumulated = ordered.inside(after, until), ordered.windows[window]
        return Content(at, count, sums, number, window, after, span, accumulated, self.plan.rules)

    def _held(self, window: int, at: float, count: int) -> Sequence[Number]:
        """Return the age of the value that is held in an empty window, and the statistics.

        The age is None where none is held.
        """
        plan, content = self.plan, self._content(window, at, count)
        if content.count:
            return None, *(compute(formula, content) for formula in plan.formulas)
        held = content.held
        if held is None:
            return None, *plan.nothing
        return at - held.time, *(of_held and of_held(held.value) for of_held in plan.of_held)


def coverage(age: float, seconds: float) -> float:
    """Return for which part of a window of so many seconds a series of that age has history, 0 to 1."""
    return 1.0 if age >= seconds else max(0.0, age / seconds)
