"""What is carried along of a window beside counts and sums, as readings come into it and leave it."""

import math
from abc import ABC, abstractmethod
from array import array
from bisect import bisect_left, insort
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


def percentile(ranked: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the values lie, with linear interpolation.

    Hyndman and Fan, Sample quantiles in statistical packages, 1996, definition 7.
    """
    place = (len(ranked) - 1) * share
    below = math.floor(place)
    low, high = ranked[below], ranked[min(below + 1, len(ranked) - 1)]
    return low + (high - low) * (place - below)
