"""How those statistics of the readings in a window are computed that take more than a line."""

import math
from fractions import Fraction

from models.statistics.accumulators import (
    Area,
    Directions,
    Ranks,
    Resets,
    Squares,
    add_product,
    add_time,
    is_drop,
    percentile,
)
from models.statistics.content import Content, Formula
from models.statistics.exact import ExactSum, quotient, ratio, square_root

# Directions cancel out if the mean of their unit vectors is shorter: what is left of it is rounding.
_CANCELLED = 1e-9


def percentile_of(share: Fraction) -> Formula:
    """Return the formula of the percentile below which `share` (0 to 1) of the values lie."""
    return lambda content: percentile(content.of(Ranks).values, share)


def spread(content: Content) -> float:
    """Return the largest value minus the smallest."""
    ranked = content.of(Ranks).values
    return ranked[-1] - ranked[0]


def standard_deviation(content: Content) -> float | None:
    """Return the sample standard deviation: sqrt((n Σv² - (Σv)²) / (n (n - 1)))."""
    count = content.count
    if count < 2:
        return None
    squares, square_bits = content.of(Squares).total.ratio()
    total, bits = content.total.ratio()
    common = max(square_bits, 2 * bits)
    numerator = (count * squares << (common - square_bits)) - (total * total << (common - 2 * bits))
    return square_root(numerator, count * (count - 1) << common)


def rate(content: Content) -> float | None:
    """Return the increase from the first reading to the last, by the unit of time of the stream.

    A first reading that is an outlier is left out: that shows the one before the window.
    """
    first, last = content.first, content.last
    before, share = content.before, content.rules.reset_below
    if before is not None and content.count > 1 and is_drop(before.value, first.value, share):
        second = content.span.at(content.span.start + 1)
        if not is_drop(before.value, second.value, share):
            first = second
    if last.time == first.time:
        return None
    increase = ExactSum()
    increase.add(*content.of(Resets).total.ratio())
    increase.add_float(last.value)
    increase.add_float(first.value, -1)
    per, more = ratio(content.rules.per)
    numerator, bits = increase.ratio()
    seconds = ExactSum()
    add_time(seconds, first.time, last.time)
    # the increase itself may be no float, or too small for one, though the rate is one
    return quotient(ExactSum(numerator * per, bits + more), seconds)


def time_weighted_average(content: Content) -> float:
    """Return the average over the time in which a value is known.

    Each holds until the next reading, the last until `at`, but none longer than `hold`; at the beginning of
    the window that of the reading before it.
    """
    first, last, before = content.first, content.last, content.before
    hold, area = content.rules.longest_hold, content.of(Area)
    total, seconds = ExactSum(), ExactSum()
    total.add(*area.total.ratio())
    gaps, bits = area.gaps.ratio()
    seconds.add(-gaps, bits)
    end = min(max(content.at, last.time), last.time + hold)
    add_product(total, last.value, last.time, end)
    add_time(seconds, first.time, end)
    if before is not None and (end := min(first.time, before.time + hold)) > content.begin:
        add_product(total, before.value, content.begin, end)
        add_time(seconds, content.begin, end)
    return quotient(total, seconds) if seconds.ratio()[0] else last.value


def circular_average(content: Content) -> float | None:
    """Return the direction, in degrees from 0 to below 360, of the sum of the values' unit vectors."""
    directions = content.of(Directions)
    sine, cosine = directions.sines.rounded(), directions.cosines.rounded()
    if math.hypot(sine, cosine) < _CANCELLED * content.count:
        return None
    return direction(math.degrees(math.atan2(sine, cosine)))


def direction(degrees: float) -> float:
    """Return the same direction, from 0 to below 360 degrees."""
    turned = degrees % 360.0
    return turned if turned < 360.0 else 0.0  # what is just below 0 is rounded up to 360
