"""The statistics of the readings in a window: what each is, and what it needs to be told at any tick."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from models.statistics.exact import ExactSum, square_root
from models.statistics.ordered import Accumulator, Area, At, Increase, Ranks, Squares, add_product, percentile

Kind = TypeVar("Kind", bound=Accumulator)
# Told from counts and sums alone; for all others the readings are kept in memory in their order.
_FROM_SUMS = {"count", "sum", "avg"}
_FROM_RANKS = {"min", "max", "range", "median"}


@dataclass(slots=True)
class Content:
    """What is known of the readings in one window; there is at least one. Times are UTC epoch seconds."""

    at: float
    count: int
    total: ExactSum
    # The rest is there where `needs_order`, each accumulator where `accumulators` names it.
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
        return next(each for each in self.accumulated if isinstance(each, kind))


def needs_order(statistics: Iterable[str]) -> bool:
    """Whether one of the statistics takes more than counts and sums."""
    return not _FROM_SUMS.issuperset(statistics)


def accumulators(statistics: Iterable[str]) -> list[Accumulator]:
    """Return what has to be accumulated for the statistics, empty."""
    kinds: dict[type[Accumulator], None] = {}
    for name in statistics:
        if name in _FROM_RANKS or _is_percentile(name):
            kinds[Ranks] = None
        elif name in _ACCUMULATED:
            kinds[_ACCUMULATED[name]] = None
    return [kind() for kind in kinds]


def compute(name: str, content: Content) -> float | int | None:
    """Return a statistic by its name; None where it is not defined, or is no finite float."""
    try:
        value = _percentile(name, content) if _is_percentile(name) else _FORMULAS[name](content)
    except OverflowError:
        return None
    return value if value is not None and math.isfinite(value) else None


def _is_percentile(name: str) -> bool:
    return name[0] == "p"


def _percentile(name: str, content: Content) -> float:
    return percentile(content.of(Ranks).values, float(name[1:]) / 100)


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


_ACCUMULATED: dict[str, type[Accumulator]] = {
    "stddev": Squares,
    "rate": Increase,
    "time_weighted_avg": Area,
}
_FORMULAS: dict[str, Callable[[Content], float | int | None]] = {
    "count": lambda content: content.count,
    "sum": lambda content: content.total.rounded(),
    "avg": lambda content: content.total.mean(content.count),
    "min": lambda content: content.of(Ranks).values[0],
    "max": lambda content: content.of(Ranks).values[-1],
    "range": _range,
    "stddev": _stddev,
    "median": lambda content: percentile(content.of(Ranks).values, 0.5),
    "first": lambda content: content.first.value,
    "last": lambda content: content.last.value,
    "rate": _rate,
    "time_weighted_avg": _time_weighted_avg,
}
