"""The readings of one series in the order of time."""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from models.statistics.accumulators import Accumulator, At


class TimeEdges(NamedTuple):
    """Where windows are at one moment: each holds `after` < time <= `until` (UTC epoch seconds)."""

    afters: tuple[float, ...]
    until: float


class Ordered:
    """The readings of the longest window in memory, by time and, where that is equal, by arrival.

    A reading takes 16 bytes here, and 8 more for each window that ranks the values. A tick costs
    what has come and what has left.
    """

    __slots__ = ("_times", "_values", "windows")

    def __init__(self, windows: Sequence[Sequence[Accumulator]]) -> None:
        """`windows`: what is accumulated in each."""
        self._times = array("d")
        self._values = array("d")
        self.windows = windows

    def insert(self, time: float, value: float, edges: TimeEdges) -> None:
        """Put a reading in its place; `edges` are the present ones."""
        place = bisect_right(self._times, time)
        self._times.insert(place, time)
        self._values.insert(place, value)
        if time <= edges.until:
            end = self._until(edges.until)
            for after, accumulators in zip(edges.afters, self.windows, strict=True):
                if time > after:
                    start = self._until(after)
                    for accumulator in accumulators:
                        accumulator.enter(*self._around(place, start, end))

    def move(self, old: TimeEdges, new: TimeEdges) -> None:
        """Move all windows from the edges they have to later ones."""
        end, new_end = self._until(old.until), self._until(new.until)
        for before, after, accumulators in zip(old.afters, new.afters, self.windows, strict=True):
            start, new_start = self._until(before), self._until(after)
            for accumulator in accumulators:
                for place in range(end, new_end):
                    accumulator.enter(*self._around(place, start, place + 1))
                for place in range(start, new_start):
                    accumulator.leave(*self._around(place, place, new_end))
        needless = self._until(min(new.afters))
        if needless:
            del self._times[:needless], self._values[:needless]

    def append(self, time: float, value: float) -> None:
        """Put a reading last, but into no window: that is for `fill`."""
        self._times.append(time)
        self._values.append(value)

    def fill(self, edges: TimeEdges) -> None:
        """Fill windows that are empty; quicker than to insert each reading."""
        end = self._until(edges.until)
        for after, accumulators in zip(edges.afters, self.windows, strict=True):
            inside = slice(self._until(after), end)
            for accumulator in accumulators:
                accumulator.fill(map(At, self._times[inside], self._values[inside]))

    def inside(self, after: float, until: float) -> tuple[At, At] | None:
        """Return the first and the last reading with `after` < time <= `until`."""
        start, end = self._until(after), self._until(until)
        return (self._at(start), self._at(end - 1)) if start < end else None

    def _until(self, time: float) -> int:
        return bisect_right(self._times, time)

    def _at(self, place: int) -> At:
        return At(self._times[place], self._values[place])

    def _around(self, place: int, start: int, end: int) -> tuple[At | None, At, At | None]:
        """Return the reading at a place with its neighbours, as far as they are within `start` to `end`."""
        return (
            self._at(place - 1) if place > start else None,
            self._at(place),
            self._at(place + 1) if place + 1 < end else None,
        )
