"""The statistics of a window in the plain way, from all its readings, with nothing of our own code."""

import math
import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

Readings = Sequence[tuple[float, float]]
# To the last bit; the others to 1e-12 of their size.
EXACT = {"count", "sum", "avg", "min", "max", "range", "first", "last"}


def reference(name: str, at: float, readings: Readings) -> float | None:
    """Return a statistic of (time, value) pairs, in the order of time, at the moment `at`.

    None where it is not defined.
    """
    values = [value for _, value in readings]
    if name == "count":
        return len(values)
    if not values:
        return None
    if name in _OF_VALUES:
        return _OF_VALUES[name](values)
    if name in _OF_READINGS:
        return _OF_READINGS[name](at, readings)
    return float(np.percentile(values, float(name.removeprefix("p"))))


def agrees(name: str, ours: float | None, expected: float | None, scale: float) -> bool:
    """Whether a statistic of values that are not larger than `scale` is what it must be."""
    if ours is None or expected is None or name in EXACT:
        return ours == expected
    return math.isclose(ours, expected, rel_tol=1e-12, abs_tol=1e-12 * scale)


def _rate(at: float, readings: Readings) -> float | None:
    seconds = readings[-1][0] - readings[0][0]
    steps = [new - old if new >= old else new for (_, old), (_, new) in pairwise(readings)]
    return math.fsum(steps) / seconds if seconds else None


def _time_weighted_avg(at: float, readings: Readings) -> float:
    end = max(at, readings[-1][0])
    if end == readings[0][0]:
        return readings[-1][1]
    held = [value * (until - time) for (time, value), (until, _) in pairwise([*readings, (end, 0.0)])]
    return math.fsum(held) / (end - readings[0][0])


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
}
_OF_READINGS: dict[str, Callable[[float, Readings], float | None]] = {
    "rate": _rate,
    "time_weighted_avg": _time_weighted_avg,
}
