"""Sums without any rounding, to which numbers can be added and from which they can be taken.

Every finite float is a whole number over a power of two. A sum kept as such a fraction is exact
whatever has passed through it: no drift, and a huge value leaves no trace.
"""

import math
from collections.abc import Sequence

# 2**bits is a float up to so many; here once for all sums.
MOST_BITS = 1023
_POWERS = tuple(2.0**bits for bits in range(MOST_BITS + 1))


class ExactSum:
    """A sum of fractions whose denominators are powers of two. It takes whole numbers and bits."""

    __slots__ = ("_bits", "_numerator", "_scale")

    def __init__(self, numerator: int = 0, bits: int = 0) -> None:
        """Begin with `numerator / 2**bits`."""
        self._numerator = numerator
        self._bits = bits
        self._scale = power_of_two(bits)

    def add(self, numerator: int, bits: int) -> None:
        """Add `numerator / 2**bits`; to take away, add the negative."""
        if bits > self._bits:
            self._numerator <<= bits - self._bits
            self._bits = bits
            self._scale = power_of_two(bits)
        self._numerator += numerator << (self._bits - bits)

    def add_float(self, value: float, sign: int = 1) -> None:
        """Add a finite float, or with `sign` -1 take it away."""
        scaled = value * self._scale  # exact, or infinite: the scale is a power of two
        if scaled.is_integer():  # as nearly always; quicker than to take the float apart
            self._numerator += sign * int(scaled)
        else:
            numerator, bits = ratio(value)
            self.add(sign * numerator, bits)

    def ratio(self) -> tuple[int, int]:
        """Return the sum as numerator and bits."""
        return self._numerator, self._bits

    def rounded(self) -> float:
        """Return the float nearest to the sum, as `math.fsum` does. Raises OverflowError."""
        if self._bits <= MOST_BITS:
            try:
                # rounded once: to divide by a power of two is exact, and no result is too small for that
                return self._numerator / self._scale
            except OverflowError:  # the numerator is no float, but the sum may be one
                pass
        return self._numerator / (1 << self._bits)

    def mean(self, count: int) -> float:
        """Return what `math.fsum(values) / count` is for the `count` values in the sum."""
        try:
            return self.rounded() / count
        except OverflowError:  # the sum is no float, but the mean is
            return self._numerator / (count << self._bits)


def power_of_two(bits: int) -> float:
    """Return 2**bits, nan where it is too large for a float."""
    return _POWERS[bits] if bits <= MOST_BITS else math.nan


def ratio(value: float) -> tuple[int, int]:
    """Return a finite float as numerator and bits: `numerator / 2**bits`."""
    numerator, denominator = value.as_integer_ratio()
    return numerator, denominator.bit_length() - 1


def expansion(values: Sequence[float]) -> Sequence[float]:
    """Return few floats, mostly two and never fewer, that have the same sum as `values` to the last bit.

    The first is the sum rounded at every step, which is quick; `math.fsum` rounds what that left
    over once, and what is left over then is a sum of floats again.
    (Shewchuk, Adaptive precision floating-point arithmetic, 1997.)
    """
    if len(values) == 1:
        return [values[0], 0.0]
    high = sum(values, 0.0)
    rest = [*values, -high]
    try:
        low = math.fsum(rest)
        rest.append(-low)
        parts = [high, low]
        while part := math.fsum(rest):
            rest.append(-part)
            parts.append(part)
    except (OverflowError, ValueError):  # a sum on the way is no float
        return values
    return parts


def quotient(dividend: ExactSum, divisor: ExactSum) -> float:
    """Return one sum divided by another that is not 0, rounded once. Raises OverflowError."""
    numerator, bits = dividend.ratio()
    denominator, more = divisor.ratio()
    return (numerator << max(0, more - bits)) / (denominator << max(0, bits - more))


def square_root(numerator: int, denominator: int) -> float:
    """Return the root of a fraction that may itself be too large or too small for a float."""
    half = (numerator.bit_length() - denominator.bit_length()) // 2
    numerator, denominator = numerator << max(0, -2 * half), denominator << max(0, 2 * half)
    return math.ldexp(math.sqrt(numerator / denominator), half)
