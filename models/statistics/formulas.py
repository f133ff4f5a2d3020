"""How each statistic of the readings in a window is computed, and what has to be kept for it."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from models.statistics.accumulators import (
    Accumulator,
    Area,
    At,
    Increase,
    Ranks,
    Squares,
    add_product,
    percentile,
)
from models.statistics.exact import ExactSum, square_root

Kind = TypeVar("Kind", bound=Accumulator)
# A statistic; None where it is not defined.
Number = float | int | None


@dataclass(slots=True)
class Content:
    """What is known of the readings in one window; there is at least one. Times are UTC epoch seconds."""

    at: float
    count: int
    total: ExactSum
    # The rest is there if a formula of the plan needs the order of time: the first and the last reading,
    # and each accumulator that one names.
    ends: tuple[At, At] | None = None
    accumulated: Sequence[Accumulator] = ()

    @property
    def first(self) -> At:
        assert self.ends is not None
        return self.ends[0]

    @property
    def last(self) -> At:
        assert self.ends is not None
        return self.ends[1]

    def of(self, kind: type[Kind]) -> Kind:
        """Return what has been accumulated of a kind."""
        return next(each for each in self.accumulated if isinstance(each, kind))


class Formula(NamedTuple):
    """How a statistic is computed of a window that holds at least one reading, and what that takes."""

    compute: Callable[[Content], Number]
    # What is carried along for it beside counts and sums.
    accumulator: type[Accumulator] | None = None
    # Whether it takes the first or the last reading.
    ends: bool = False

    @property
    def needs_order(self) -> bool:
        """Whether the readings are kept in memory in the order of time for it: sums do not tell it."""
        return self.ends or self.accumulator is not None


def formula(name: str) -> Formula:
    """Return how the statistic of that name is computed. Raises ValueError if there is none."""
    if (found := FORMULAS.get(name)) is not None:
        return found
    if (percentage := _PERCENTILE.fullmatch(name)) is not None:
        return _percentile(float(percentage[1]) / 100)
    raise ValueError(f"there is no statistic {name!r}")


def compute(formula: Callable[[Content], Number], content: Content) -> Number:
    """Return a statistic of a window; None where it is not defined, or is no finite float."""
    try:
        value = formula(content)
    except OverflowError:
        return None
    return value if value is not None and math.isfinite(value) else None


def _percentile(share: float) -> Formula:
    return Formula(lambda content: percentile(content.of(Ranks).values, share), Ranks)


def _range(content: Content) -> float:
    ranked = content.of(Ranks).values
    return ranked[-1] - ranked[0]


def _stddev(content: Content) -> float | None:
    """Return the sample standard deviation: sqrt((n Σv² - (Σv)²) / (n (n - 1)))."""
    count = content.count
    if count < 2:
        return None
    squares, square_bits = content.of(Squares).total.ratio()
    total, bits = content.total.ratio()
    common = max(square_bits, 2 * bits)
    spread = (count * squares << (common - square_bits)) - (total * total << (common - 2 * bits))
    return square_root(spread, count * (count - 1) << common)


def _rate(content: Content) -> float | None:
    """Return the increase per second from the first reading to the last."""
    seconds = content.last.time - content.first.time
    return content.of(Increase).total.rounded() / seconds if seconds else None


def _time_weighted_avg(content: Content) -> float:
    """Return the average over time: each value holds until the next reading, the last until `at`."""
    first, last = content.first, content.last
    end = max(content.at, last.time)
    if end == first.time:
        return last.value
    area = ExactSum()
    area.add(*content.of(Area).total.ratio())
    add_product(area, last.value, last.time, end)
    return area.rounded() / (end - first.time)


# Every statistic that has a name of its own; config/statistics.py says what each is.
FORMULAS: dict[str, Formula] = {
    "count": Formula(lambda content: content.count),
    "sum": Formula(lambda content: content.total.rounded()),
    "avg": Formula(lambda content: content.total.mean(content.count)),
    "min": Formula(lambda content: content.of(Ranks).values[0], Ranks),
    "max": Formula(lambda content: content.of(Ranks).values[-1], Ranks),
    "range": Formula(_range, Ranks),
    "stddev": Formula(_stddev, Squares),
    "median": _percentile(0.5),
    "first": Formula(lambda content: content.first.value, ends=True),
    "last": Formula(lambda content: content.last.value, ends=True),
    "rate": Formula(_rate, Increase, ends=True),
    "time_weighted_avg": Formula(_time_weighted_avg, Area, ends=True),
}
# Those named by a share of the values in percent: p95, p99.9.
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,6})?)", re.ASCII)
