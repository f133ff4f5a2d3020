"""The statistics of a window in the plain way, from all its readings, with nothing of our own code."""

import math
import statistics
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np

Reading = tuple[float, float]
Readings = Sequence[Reading]
# To the last bit; the others to 1e-12 of their size.
EXACT = {"count", "sum", "avg", "min", "max", "range", "first", "last"}
# What is a value as the readings are: an empty window may have it of a value that is held there.
HELD = {"avg", "min", "max", "median", "first", "last", "time_weighted_avg", "circular_avg"}


class Stream(NamedTuple):
    """What the keys of a stream say."""

    hold: float | None = None
    reset_below: float = 0.9
    per: float = 1.0


PLAIN = Stream()


def reference(
    name: str,
    at: float,
    readings: Readings,
    *,
    begin: float = -math.inf,
    before: Reading | None = None,
    stream: Stream = PLAIN,
) -> float | None:
    """Return a statistic of (time, value) pairs, in the order of time, at the moment `at`.

    The window holds what is later than `begin`, and `before` is the last reading that is not, if it must be
    known. None where it is not defined.
    """
    values = [value for _, value in readings]
    if name == "count":
        return len(values)
    if not values:
        return _of_held(name, at, before, stream)
    if name in _OF_VALUES:
        return _OF_VALUES[name](values)
    if name == "rate":
        return _rate(readings, before, stream)
    if name == "time_weighted_avg":
        return _time_weighted_avg(at, readings, begin, before, stream)
    return float(np.percentile(values, float(name.removeprefix("p"))))


def _of_held(name: str, at: float, before: Reading | None, stream: Stream) -> float | None:
    if not (name in HELD or name[1:2].isdecimal()):
        return None
    if before is None or stream.hold is None or at > before[0] + stream.hold:
        return None
    return _circular_avg([before[1]]) if name == "circular_avg" else before[1]


def age(at: float, readings: Readings, before: Reading | None, hold: float) -> float | None:
    """Return how old the value is that is held in an empty window."""
    return None if readings or before is None or at > before[0] + hold else at - before[0]


def agrees(name: str, ours: float | None, expected: float | None, scale: float) -> bool:
    """Whether a statistic of values that are not larger than `scale` is what it must be."""
    if ours is None or expected is None or name in EXACT:
        return ours == expected
    if name == "circular_avg":
        return 0 <= ours < 360 and abs(math.remainder(ours - expected, 360)) < 1e-7
    return math.isclose(ours, expected, rel_tol=1e-12, abs_tol=1e-12 * scale)


def _rate(readings: Readings, before: Reading | None, stream: Stream) -> float | None:
    def drops(old: float, new: float) -> bool:
        return max(new, 0.0) < stream.reset_below * old

    known = [*([] if before is None else [before]), *readings]
    alone = {
        place
        for place, ((_, one), (_, two), (_, three)) in enumerate(
            zip(known, known[1:], known[2:], strict=False), start=1
        )
        if drops(one, two) and not drops(one, three)
    }
    first = len(known) - len(readings)
    left = [reading for place, reading in enumerate(known) if place >= first and place not in alone]
    increase = sum(
        Fraction(new) if drops(old, new) else Fraction(new) - Fraction(old)
        for (_, old), (_, new) in pairwise(left)
    )
    seconds = left[-1][0] - left[0][0]
    return float(increase * Fraction(stream.per) / Fraction(seconds)) if seconds else None


def _time_weighted_avg(
    at: float, readings: Readings, begin: float, before: Reading | None, stream: Stream
) -> float:
    known = [*([] if before is None else [before]), *readings]
    total = seconds = Fraction(0)
    for (time, value), (until, _) in pairwise([*known, (max(at, known[-1][0]), 0.0)]):
        end = until if stream.hold is None else min(until, time + stream.hold)
        length = max(Fraction(0), Fraction(end) - Fraction(max(time, begin)))
        seconds += length
        total += length * Fraction(value)
    return float(total / seconds) if seconds else readings[-1][1]


def _circular_avg(degrees: Sequence[float]) -> float | None:
    mean = np.mean(np.exp(1j * np.deg2rad(np.fmod(degrees, 360.0))))
    return None if abs(mean) < 1e-9 else float(np.rad2deg(np.angle(mean)) % 360.0)


_OF_VALUES: dict[str, Callable[[Sequence[float]], float | None]] = {
    "sum": math.fsum,
    "avg": lambda values: math.fsum(values) / len(values),
    "min": lambda values: float(np.min(values)),
    "max": lambda values: float(np.max(values)),
    "range": lambda values: float(np.ptp(values)),
    "median": lambda values: float(np.median(values)),
    "stddev": lambda values: statistics.stdev(values) if len(values) > 1 else None,
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
    "circular_avg": _circular_avg,
}
