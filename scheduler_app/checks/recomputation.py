"""Each statistic of a window in the plain way, from all its readings. It shares no code with what it audits.

The definitions are those of docs/statistics.md. `times` are UTC epoch seconds, in order; readings of the
same time are in the order in which they were taken in.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

# These must be right to the last bit.
EXACT = frozenset(("count", "sum", "avg", "min", "max", "range", "first", "last"))
# The others must be right within so much of their size.
TOLERANCE = 1e-12

Floats = Sequence[float]


class Result(NamedTuple):
    """A statistic; None where it is not defined or is no float.

    `scale` is the size of what it was added up from. Where that cancels out, the digits that are
    left of it say nothing about those of the result.
    """

    value: float | None
    scale: float = 0.0


class UnknownStatistic(Exception):
    """There is no statistic of that name."""


def recompute(name: str, at: float, times: Floats, values: Floats) -> Result:
    """Return a statistic of a window at the moment `at`. Raises UnknownStatistic."""
    formula = _FORMULAS.get(name)
    if formula is None:
        if name[:1] != "p" or not name[1:].replace(".", "", 1).isdecimal():
            raise UnknownStatistic(name)
        formula = _percentile(Fraction(name[1:]))
    if name == "count":
        return Result(len(values))
    if not values:
        return Result(None)
    try:
        result = formula(at, times, values)
    except OverflowError:
        return Result(None)
    return result if result.value is not None and math.isfinite(result.value) else Result(None)


def difference(name: str, published: float | None, result: Result) -> float:
    """Return how far a published statistic is off, relative to its size; infinity where one is null."""
    expected, scale = result
    if published is None or expected is None:
        return 0.0 if published == expected else math.inf
    distance = abs(published - expected)
    if distance == 0:
        return 0.0
    size = abs(expected) if name in EXACT else max(abs(expected), scale)
    return distance / size if size else math.inf


def is_off(name: str, difference: float) -> bool:
    """Whether a difference is larger than it may be."""
    return difference > (0.0 if name in EXACT else TOLERANCE)


def _average(at: float, times: Floats, values: Floats) -> Result:
    try:
        return Result(math.fsum(values) / len(values))
    except OverflowError:  # the sum is no float, but the average is
        return Result(float(sum(map(Fraction, values)) / len(values)))


def _stddev(at: float, times: Floats, values: Floats) -> Result:
    return Result(statistics.stdev(values) if len(values) > 1 else None)


def _percentile(percent: Fraction) -> "Callable[[float, Floats, Floats], Result]":
    def percentile(at: float, times: Floats, values: Floats) -> Result:
        ranked = sorted(values)
        place = (len(ranked) - 1) * percent / 100
        below = math.floor(place)
        low, high = ranked[below], ranked[min(below + 1, len(ranked) - 1)]
        share = float(place - below)
        return Result(low * (1 - share) + high * share, max(map(abs, values)))

    return percentile


def _rate(at: float, times: Floats, values: Floats) -> Result:
    seconds = times[-1] - times[0]
    if not seconds:
        return Result(None)
    steps = [new - old if new >= old else new for old, new in pairwise(values)]
    return Result(math.fsum(steps) / seconds, math.fsum(map(abs, steps)) / seconds)


def _time_weighted_average(at: float, times: Floats, values: Floats) -> Result:
    end = max(at, times[-1])
    if end == times[0]:
        return Result(values[-1])
    held = [
        value * (until - time) for value, (time, until) in zip(values, pairwise([*times, end]), strict=True)
    ]
    seconds = end - times[0]
    return Result(math.fsum(held) / seconds, math.fsum(map(abs, held)) / seconds)


_FORMULAS: "dict[str, Callable[[float, Floats, Floats], Result]]" = {
    "count": lambda at, times, values: Result(len(values)),
    "sum": lambda at, times, values: Result(math.fsum(values)),
    "avg": _average,
    "min": lambda at, times, values: Result(min(values)),
    "max": lambda at, times, values: Result(max(values)),
    "range": lambda at, times, values: Result(max(values) - min(values)),
    "stddev": _stddev,
    "median": _percentile(Fraction(50)),
    "first": lambda at, times, values: Result(values[0]),
    "last": lambda at, times, values: Result(values[-1]),
    "rate": _rate,
    "time_weighted_avg": _time_weighted_average,
}
