"""Each statistic of a window in the plain way, from all its readings. It shares no code with what it audits.

The definitions are those of docs/statistics.md. Times are UTC epoch seconds.
"""

import cmath
import math
import statistics
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import chain, pairwise
from typing import NamedTuple

# These must be right to the last bit.
EXACT = frozenset(("count", "sum", "avg", "min", "max", "range", "first", "last"))
# The others must be right within so much of their size.
TOLERANCE = 1e-12
# And no float can be nearer than a few of the smallest.
_NEAREST = 4 * math.ulp(0.0)
# What is left of a sum of so small a share of its parts is exact to 1e-12 only if nothing was rounded.
_CANCELLED = 1e-3
# Of these an empty window has none, also if a value is held there.
_NEVER_HELD = frozenset(("sum", "range", "stddev", "rate"))
_CIRCULAR = "circular_avg"

Floats = Sequence[float]


class Given(NamedTuple):
    """A window at the moment `at`: its readings in the order of time and, where that is equal, of arrival.

    The rest is what `rate` and `time_weighted_avg` need beside that.
    """

    at: float
    times: Floats
    values: Floats
    # The window holds what is later than this.
    begin: float = -math.inf
    # Time and value of the last reading before the window, if there is one that must be known.
    before: tuple[float, float] | None = None
    # The keys of the stream.
    hold: float | None = None
    reset_below: float = 0.9
    per: float = 1.0


class Result(NamedTuple):
    """A statistic; None where it is not defined or is no float.

    `scale` is the size of what it was added up from. Where that cancels out, the digits that are
    left of it say nothing about those of the result.
    """

    value: float | None
    scale: float = 0.0


class UnknownStatistic(Exception):
    """There is no statistic of that name."""


def recompute(name: str, given: Given) -> Result:
    """Return a statistic of a window. Raises UnknownStatistic."""
    formula = _FORMULAS.get(name)
    if formula is None:
        if name[:1] != "p" or not name[1:].replace(".", "", 1).isdecimal():
            raise UnknownStatistic(name)
        formula = _percentile(Fraction(name[1:]))
    if name == "count":
        return Result(len(given.values))
    if not given.values:
        if recompute_age(given).value is None or given.before is None or name in _NEVER_HELD:
            return Result(None)
        _, value = given.before
        return Result(_from_0_to_360(value) if name == _CIRCULAR else value)
    try:
        result = formula(given)
    except OverflowError:
        return Result(None)
    return result if result.value is not None and math.isfinite(result.value) else Result(None)


def recompute_age(given: Given) -> Result:
    """Return how many seconds old the value is that is held in an empty window."""
    if given.values or given.before is None or given.hold is None:
        return Result(None)
    time, _ = given.before
    return Result(given.at - time if given.at <= time + given.hold else None)


def difference(name: str, published: float | None, result: Result) -> float:
    """Return how far a published statistic is off, relative to its size; infinity where one is null."""
    expected, scale = result
    if published is None or expected is None:
        return 0.0 if published == expected else math.inf
    distance = abs(published - expected)
    if name not in EXACT and distance <= _NEAREST:
        return 0.0
    if name == _CIRCULAR:
        if not 0 <= published < 360:
            return math.inf
        distance = min(distance, 360 - distance)  # the shorter way round
    if distance == 0:
        return 0.0
    size = abs(expected) if name in EXACT else max(abs(expected), scale)
    return distance / size if size else math.inf


def is_off(name: str, difference: float) -> bool:
    """Whether a difference is larger than it may be."""
    return difference > (0.0 if name in EXACT else TOLERANCE)


def _total(values: Floats) -> Fraction:
    """Return the sum, rounded once if it is a float."""
    try:
        return Fraction(math.fsum(values))
    except OverflowError:  # it is none, or one on the way to it
        total = sum(map(Fraction, values), Fraction(0))
    try:
        return Fraction(float(total))
    except OverflowError:
        return total


def _average(given: Given) -> Result:
    return Result(float(_total(given.values) / len(given.values)))


def _stddev(given: Given) -> Result:
    return Result(statistics.stdev(given.values) if len(given.values) > 1 else None)


def _percentile(percent: Fraction) -> "Callable[[Given], Result]":
    def percentile(given: Given) -> Result:
        ranked = sorted(given.values)
        place = (len(ranked) - 1) * percent / 100
        below = math.floor(place)
        low, high = map(Fraction, (ranked[below], ranked[min(below + 1, len(ranked) - 1)]))
        share = place - below
        return Result(float(low * (1 - share) + high * share))

    return percentile


def _rate(given: Given) -> Result:
    """Return the increase. Each drop is looked at, and outliers are taken out, before anything is added."""
    readings = list(zip(given.times, given.values, strict=True))
    known = readings if given.before is None else [given.before, *readings]
    share = given.reset_below
    resets, outliers = set(), set()
    for place in range(1, len(known)):
        line = share * known[place - 1][1]
        if line <= 0 or known[place][1] >= line:
            continue
        if place + 1 < len(known) and known[place + 1][1] >= line:
            outliers.add(place)
        else:
            resets.add(place)
    first = len(known) - len(readings)
    left = [place for place in range(first, len(known)) if place not in outliers]
    seconds = known[left[-1]][0] - known[left[0]][0]
    if not seconds:
        return Result(None)
    steps = [(known[new][1], 0.0 if new in resets else -known[old][1]) for old, new in pairwise(left)]
    increase = _total([*chain.from_iterable(steps)])
    return Result(float(increase * Fraction(given.per) / Fraction(seconds)))


def _time_weighted_average(given: Given) -> Result:
    hold = math.inf if given.hold is None else given.hold
    times = [*given.times, max(given.at, given.times[-1])]
    held = [
        (value, min(until, time + hold) - time)
        for value, (time, until) in zip(given.values, pairwise(times), strict=True)
    ]
    if given.before is not None:
        time, value = given.before
        held.insert(0, (value, max(0.0, min(times[0], time + hold) - given.begin)))
    seconds = math.fsum(part for _, part in held)
    if not seconds:
        return Result(given.values[-1])
    if all(1e-250 < abs(value) < 1e250 for value, _ in held if value):
        parts = [value * part for value, part in held]
        area = math.fsum(parts)
        if abs(area) >= _CANCELLED * math.fsum(map(abs, parts)):
            return Result(area / seconds)
    # What it is added up from may be no floats, or cancels out, and then what is left is of the rounding.
    exact = sum((Fraction(value) * Fraction(part) for value, part in held), Fraction(0))
    return Result(float(exact / Fraction(seconds)))


def _circular_average(given: Given) -> Result:
    arrows = [cmath.rect(1.0, math.radians(_from_0_to_360(value))) for value in given.values]
    count = len(arrows)
    mean = complex(
        math.fsum(arrow.real for arrow in arrows) / count, math.fsum(arrow.imag for arrow in arrows) / count
    )
    length = abs(mean)
    if length < 1e-9:
        return Result(None)
    return Result(_from_0_to_360(math.degrees(cmath.phase(mean))), 360.0 / length)


def _from_0_to_360(degrees: float) -> float:
    turned = math.fmod(degrees, 360.0)
    if turned < 0:
        turned += 360.0
    return 0.0 if turned == 360.0 else turned


_FORMULAS: "dict[str, Callable[[Given], Result]]" = {
    "count": lambda given: Result(len(given.values)),
    "sum": lambda given: Result(float(_total(given.values))),
    "avg": _average,
    "min": lambda given: Result(min(given.values)),
    "max": lambda given: Result(max(given.values)),
    "range": lambda given: Result(max(given.values) - min(given.values)),
    "stddev": _stddev,
    "median": _percentile(Fraction(50)),
    "first": lambda given: Result(given.values[0]),
    "last": lambda given: Result(given.values[-1]),
    "rate": _rate,
    "time_weighted_avg": _time_weighted_average,
    _CIRCULAR: _circular_average,
}
