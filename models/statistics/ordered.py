"""The readings of one series in the order of time."""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from models.statistics.accumulators import Accumulator
from models.statistics.span import Span


class TimeEdges(NamedTuple):
    """Where windows are at one moment: each holds `after` < time <= `until` (UTC epoch seconds)."""

    afters: tuple[float, ...]
    until: float


class Ordered:
    """The readings of the longest window in memory, by time and, where that is equal, by arrival.

    If that is needed, the one before it too. A reading takes 16 bytes here, and 8 more for each window that
    ranks the values. A tick costs what has come and what has left.
    """

    __slots__ = ("_before", "_times", "_values", "windows")

    def __init__(self, windows: Sequence[Sequence[Accumulator]], *, before: bool = False) -> None:
        """`windows`: what is accumulated in each. `before`: whether the reading before them is kept."""
        self._times = array("d")
        self._values = array("d")
        # How many readings are kept before the longest window.
        self._before = int(before)
        self.windows = windows

    def insert(self, time: float, value: float, edges: TimeEdges) -> None:
        """Put a reading in its place; `edges` are the present ones."""
        place = bisect_right(self._times, time)
        self._times.insert(place, time)
        self._values.insert(place, value)
        if time <= edges.until:
            end = self._until(edges.until)
            for after, accumulators in zip(edges.afters, self.windows, strict=True):
                if accumulators and time > after:
                    span = self._span(self._until(after), end)
                    for accumulator in accumulators:
                        accumulator.enter(span, place)

    def move(self, old: TimeEdges, new: TimeEdges) -> None:
        """Move all windows from the edges they have to later ones."""
        end, new_end = self._until(old.until), self._until(new.until)
        for before, after, accumulators in zip(old.afters, new.afters, self.windows, strict=True):
            if not accumulators:
                continue
            start, new_start = self._until(before), self._until(after)
            for place in range(end, new_end):
                span = self._span(start, place + 1)
                for accumulator in accumulators:
                    accumulator.enter(span, place)
            for place in range(start, new_start):
                span = self._span(place, new_end)
                for accumulator in accumulators:
                    accumulator.leave(span, place)
        needless = self._until(min(new.afters)) - self._before
        if needless > 0:
            del self._times[:needless], self._values[:needless]

    def append(self, time: float, value: float) -> None:
        """Put a reading last, but into no window: that is for `fill`."""
        self._times.append(time)
        self._values.append(value)

    def fill(self, edges: TimeEdges) -> None:
        """Fill windows that are empty; quicker than to insert each reading."""
        for after, accumulators in zip(edges.afters, self.windows, strict=True):
            span = self.inside(after, edges.until)
            for accumulator in accumulators:
                accumulator.fill(span)

    def inside(self, after: float, until: float) -> Span:
        """Return the readings with `after` < time <= `until`."""
        return self._span(self._until(after), self._until(until))

    def _until(self, time: float) -> int:
        return bisect_right(self._times, time)

    def _span(self, start: int, end: int) -> Span:
        return Span(self._times, self._values, start, end)
