"""The readings of one series in the order of time, and what has to be told from that order."""

import math
from abc import ABC, abstractmethod
from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from models.statistics.exact import ExactSum, ratio


class At(NamedTuple):
    """A value at a time (UTC epoch seconds)."""

    time: float
    value: float


class Accumulator(ABC):
    """Something of a window that is carried along as readings come into it and leave it.

    A reading is given with those beside it in the window, None where there is none.
    """

    __slots__ = ()

    @abstractmethod
    def enter(self, before: At | None, reading: At, behind: At | None) -> None: ...

    @abstractmethod
    def leave(self, before: At | None, reading: At, behind: At | None) -> None: ...

    def fill(self, readings: Iterable[At]) -> None:
        """Take in all readings of a window that is empty, in order."""
        before = None
        for reading in readings:
            self.enter(before, reading, None)
            before = reading


class Ranks(Accumulator):
    """The values in the order of size."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values = array("d")

    def enter(self, before: At | None, reading: At, behind: At | None) -> None:
        insort(self.values, reading.value)

    def leave(self, before: At | None, reading: At, behind: At | None) -> None:
        del self.values[bisect_left(self.values, reading.value)]

    def fill(self, readings: Iterable[At]) -> None:
        self.values.extend(sorted(reading.value for reading in readings))


class Squares(Accumulator):
    """The sum of the values' squares."""

    __slots__ = ("total",)

    def __init__(self) -> None:
        self.total = ExactSum()

    def enter(self, before: At | None, reading: At, behind: At | None) -> None:
        numerator, bits = ratio(reading.value)
        self.total.add(numerator * numerator, 2 * bits)

    def leave(self, before: At | None, reading: At, behind: At | None) -> None:
        numerator, bits = ratio(reading.value)
        self.total.add(-numerator * numerator, 2 * bits)


class _Pairs(Accumulator):
    """A sum over each two readings that follow one another."""

    __slots__ = ("total",)

    def __init__(self) -> None:
        self.total = ExactSum()

    def enter(self, before: At | None, reading: At, behind: At | None) -> None:
        self._between(before, reading, behind, 1)

    def leave(self, before: At | None, reading: At, behind: At | None) -> None:
        self._between(before, reading, behind, -1)

    def _between(self, before: At | None, reading: At, behind: At | None, sign: int) -> None:
        if before is not None:
            self._add(before, reading, sign)
        if behind is not None:
            self._add(reading, behind, sign)
        if before is not None and behind is not None:
            self._add(before, behind, -sign)

    @abstractmethod
    def _add(self, one: At, other: At, sign: int) -> None:
        """Add what two neighbours amount to, `sign` times."""


class Increase(_Pairs):
    """By how much a counter has grown. One that is smaller than before has begun again at 0."""

    __slots__ = ()

    def _add(self, one: At, other: At, sign: int) -> None:
        numerator, bits = ratio(other.value)
        self.total.add(sign * numerator, bits)
        if other.value >= one.value:
            numerator, bits = ratio(one.value)
            self.total.add(-sign * numerator, bits)


class Area(_Pairs):
    """The integral of the value over time, each value holding until the next, up to the last reading."""

    __slots__ = ()

    def _add(self, one: At, other: At, sign: int) -> None:
        add_product(self.total, one.value, one.time, other.time, sign)


def add_product(total: ExactSum, value: float, begin: float, end: float, sign: int = 1) -> None:
    """Add `sign * value * (end - begin)` exactly."""
    value_numerator, value_bits = ratio(value)
    for time, direction in ((end, sign), (begin, -sign)):
        numerator, bits = ratio(time)
        total.add(direction * value_numerator * numerator, value_bits + bits)


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


def percentile(ranked: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the values lie, with linear interpolation.

    Hyndman and Fan, Sample quantiles in statistical packages, 1996, definition 7.
    """
    place = (len(ranked) - 1) * share
    below = math.floor(place)
    low, high = ranked[below], ranked[min(below + 1, len(ranked) - 1)]
    return low + (high - low) * (place - below)
