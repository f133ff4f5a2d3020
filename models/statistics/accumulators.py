"""What is carried along of a window beside counts and sums, as readings come into it and leave it."""

import math
from abc import ABC, abstractmethod
from array import array
from bisect import bisect_left, insort
from collections.abc import Sequence
from fractions import Fraction

from models.statistics.exact import ExactSum, ratio
from models.statistics.rules import Rules
from models.statistics.span import Span


class Accumulator(ABC):
    """Something of a window that is carried along as readings come into it and leave it."""

    __slots__ = ()

    def __init__(self, rules: Rules) -> None:  # noqa: B027 - most go by no rules
        """Begin with an empty window."""

    @abstractmethod
    def enter(self, span: Span, place: int) -> None:
        """Take in the reading at a place of the window, which is there already."""

    @abstractmethod
    def leave(self, span: Span, place: int) -> None:
        """Take out the reading at a place of the window, which is still there."""

    def fill(self, span: Span) -> None:
        """Take in all readings of a window that is empty."""
        for place in range(span.start, span.end):
            self.enter(span._replace(end=place + 1), place)


class Ranks(Accumulator):
    """The values in the order of size."""

    __slots__ = ("values",)

    def __init__(self, rules: Rules) -> None:
        self.values = array("d")

    def enter(self, span: Span, place: int) -> None:
        insort(self.values, span.values[place])

    def leave(self, span: Span, place: int) -> None:
        del self.values[bisect_left(self.values, span.values[place])]

    def fill(self, span: Span) -> None:
        self.values.extend(sorted(span.values[span.start : span.end]))


class Squares(Accumulator):
    """The sum of the values' squares."""

    __slots__ = ("total",)

    def __init__(self, rules: Rules) -> None:
        self.total = ExactSum()

    def enter(self, span: Span, place: int) -> None:
        numerator, bits = ratio(span.values[place])
        self.total.add(numerator * numerator, 2 * bits)

    def leave(self, span: Span, place: int) -> None:
        numerator, bits = ratio(span.values[place])
        self.total.add(-numerator * numerator, 2 * bits)


class Directions(Accumulator):
    """The sums of the sines and cosines of values in degrees."""

    __slots__ = ("cosines", "sines")

    def __init__(self, rules: Rules) -> None:
        self.sines = ExactSum()
        self.cosines = ExactSum()

    def enter(self, span: Span, place: int) -> None:
        self._add(span.values[place], 1)

    def leave(self, span: Span, place: int) -> None:
        self._add(span.values[place], -1)

    def _add(self, value: float, sign: int) -> None:
        # From -180 to 180, which is exact: in radians, what has turned around many times would not be.
        angle = math.radians(math.remainder(value, 360.0))
        self.sines.add_float(math.sin(angle), sign)
        self.cosines.add_float(math.cos(angle), sign)


class Resets(Accumulator):
    """The sum of what a counter read each time before it began again at 0."""

    __slots__ = ("_share", "total")

    def __init__(self, rules: Rules) -> None:
        self._share = rules.reset_below
        self.total = ExactSum()

    def enter(self, span: Span, place: int) -> None:
        self._change(span, place, 1)

    def leave(self, span: Span, place: int) -> None:
        self._change(span, place, -1)

    def fill(self, span: Span) -> None:
        for value in read_before_resets(span.values[span.start : span.end].tolist(), self._share):
            self.total.add_float(value)

    def _change(self, span: Span, place: int, sign: int) -> None:
        """Add what there is with the reading at a place, and take away what there is without it.

        Both among the two readings on each side of it: whether one is a reset say its two neighbours.
        """
        begin = max(span.start, place - 2)
        near = span.values[begin : min(span.end, place + 3)].tolist()
        for value in read_before_resets(near, self._share):
            self.total.add_float(value, sign)
        del near[place - begin]
        for value in read_before_resets(near, self._share):
            self.total.add_float(value, -sign)


def read_before_resets(values: list[float], share: float) -> list[float]:
    """Return each value with a reset behind it. A reset is a drop that is no outlier."""
    found = []
    for place in range(1, len(values)):
        line = share * values[place - 1]
        # most readings of a counter are no drops, so that is asked first
        if values[place] < line and line > 0 and (place + 1 == len(values) or values[place + 1] < line):
            found.append(values[place - 1])
    return found


def is_drop(before: float, value: float, share: float) -> bool:
    """Whether a counter reads less than a share of what it read before."""
    return max(0.0, value) < share * before


class Area(Accumulator):
    """The integral from the first reading to the last, each value holding until the next."""

    __slots__ = ("_hold", "gaps", "total")

    def __init__(self, rules: Rules) -> None:
        self._hold = rules.longest_hold
        self.total = ExactSum()
        # For how many seconds no value held.
        self.gaps = ExactSum()

    def enter(self, span: Span, place: int) -> None:
        self._change(span, place, 1)

    def leave(self, span: Span, place: int) -> None:
        self._change(span, place, -1)

    def _change(self, span: Span, place: int, sign: int) -> None:
        before, behind = place > span.start, place + 1 < span.end
        if before:
            self._add(span, place - 1, place, sign)
        if behind:
            self._add(span, place, place + 1, sign)
        if before and behind:
            self._add(span, place - 1, place + 1, -sign)

    def _add(self, span: Span, place: int, behind: int, sign: int) -> None:
        """Add the value at a place, which holds until the reading at another, but not longer than it may."""
        time, until = span.times[place], span.times[behind]
        end = min(until, time + self._hold)
        add_product(self.total, span.values[place], time, end, sign)
        if end < until:
            add_time(self.gaps, end, until, sign)


def add_product(total: ExactSum, value: float, begin: float, end: float, sign: int = 1) -> None:
    """Add `sign * value * (end - begin)` exactly."""
    value_numerator, value_bits = ratio(value)
    for time, direction in ((end, sign), (begin, -sign)):
        numerator, bits = ratio(time)
        total.add(direction * value_numerator * numerator, value_bits + bits)


def add_time(total: ExactSum, begin: float, end: float, sign: int = 1) -> None:
    """Add `sign * (end - begin)` exactly."""
    total.add_float(end, sign)
    total.add_float(begin, -sign)


def percentile(ranked: Sequence[float], share: Fraction) -> float:
    """Return the value below which `share` (0 to 1) of the values lie, with linear interpolation.

    Hyndman and Fan, Sample quantiles in statistical packages, 1996, definition 7.
    """
    # In whole numbers: where a rank is a whole one, rounding would mix in some of the next value, however
    # far away that is.
    below, rest = divmod((len(ranked) - 1) * share.numerator, share.denominator)
    low = ranked[below]
    if not rest:
        return low
    high = ranked[below + 1]
    # From the one that is nearer to 0, and never across it: so nothing cancels out.
    if low >= 0:
        return low + (high - low) * (rest / share.denominator)
    if high <= 0:
        return high + (low - high) * ((share.denominator - rest) / share.denominator)
    above = Fraction(rest, share.denominator)
    return float(Fraction(low) * (1 - above) + Fraction(high) * above)
