"""How those statistics of the readings in a window are computed that take more than a line."""

from models.statistics.accumulators import Area, Increase, Ranks, Squares, add_product, percentile
from models.statistics.content import Content, Formula
from models.statistics.exact import ExactSum, square_root


def percentile_of(share: float) -> Formula:
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
    """Return the increase per second from the first reading to the last."""
    seconds = content.last.time - content.first.time
    return content.of(Increase).total.rounded() / seconds if seconds else None


def time_weighted_average(content: Content) -> float:
    """Return the average over time: each value holds until the next reading, the last until `at`."""
    first, last = content.first, content.last
    end = max(content.at, last.time)
    if end == first.time:
        return last.value
    area = ExactSum()
    area.add(*content.of(Area).total.ratio())
    add_product(area, last.value, last.time, end)
    return area.rounded() / (end - first.time)
