"""Sums of floats without any rounding, to which numbers can be added and from which they can be taken.

Every finite float is a whole multiple of 2**-1074, the smallest positive one. A sum kept as that
whole number is exact whatever has passed through it: no drift, and a huge value leaves no trace.
"""

import math
from collections.abc import Sequence

_UNIT = 1 << 1074


def exact_sum(values: Sequence[float]) -> int:
    """Return the sum of finite `values`, in units of 2**-1074."""
    total = 0
    try:
        # fsum rounds its exact sum once. What that rounding left over is again a sum of floats,
        # so a few rounds in C give all of it.
        rest = values
        while part := math.fsum(rest):
            total += _units(part)
            rest = [*rest, -part]
    except OverflowError:  # fsum's limit, not ours
        return sum(map(_units, values))
    return total


def rounded(total: int) -> float:
    """Return the float nearest to an exact sum, as `math.fsum` does. Raises OverflowError."""
    return total / _UNIT


def mean(total: int, count: int) -> float:
    """Return what `math.fsum(values) / count` is for the values in `total`."""
    try:
        return rounded(total) / count
    except OverflowError:  # the sum is no float, but the mean is
        return total / (_UNIT * count)


def _units(value: float) -> int:
    numerator, denominator = value.as_integer_ratio()
    return numerator * (_UNIT // denominator)
