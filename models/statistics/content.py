"""What formulas take: the readings in one window, as far as they are carried from tick to tick."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from models.statistics.accumulators import Accumulator
from models.statistics.exact import ExactSum
from models.statistics.rules import DEFAULT_RULES, Rules
from models.statistics.span import EMPTY, At, Span
from models.statistics.sums import Sums

Kind = TypeVar("Kind", bound=Accumulator)
# A statistic; None where it is not defined.
Number = float | int | None


@dataclass(slots=True)
class Content:
    """What is known of the readings in one window. Times are UTC epoch seconds."""

    at: float
    count: int
    # What has the sum of the values, by the id of the series and the number of the window.
    sums: Sums
    series: int
    window: int
    # The rest is there if a statistic of the plan needs the order of time: the time after which the window
    # begins, its readings, and each accumulator that a statistic names.
    begin: float = 0.0
    span: Span = EMPTY
    accumulated: Sequence[Accumulator] = ()
    rules: Rules = DEFAULT_RULES

    @property
    def total(self) -> ExactSum:
        """The sum of the values."""
        return self.sums.total(self.series, self.window)

    def mean(self) -> float:
        """Return the sum of the values, rounded once, divided by how many they are. Raises OverflowError."""
        return self.sums.mean(self.series, self.window, self.count)

    @property
    def before(self) -> At | None:
        """The reading before the window, None if there is none that can still be known."""
        place = self.span.start - 1
        if place < 0 or self.span.times[place] <= self.at - self.rules.reach:
            return None
        return self.span.at(place)

    @property
    def first(self) -> At:
        return self.span.at(self.span.start)

    @property
    def last(self) -> At:
        return self.span.at(self.span.end - 1)

    @property
    def held(self) -> At | None:
        """The reading before the window whose value still holds now, None if there is none."""
        before, hold = self.before, self.rules.hold
        if before is None or hold is None or self.at > before.time + hold:
            return None
        return before

    def of(self, kind: type[Kind]) -> Kind:
        """Return what has been accumulated of a kind."""
        return next(each for each in self.accumulated if isinstance(each, kind))


# How a statistic is computed of a window that holds at least one reading.
Formula = Callable[[Content], Number]


def compute(formula: Formula, content: Content) -> Number:
    """Return a statistic of a window; None where it is not defined, or is no finite float."""
    try:
        value = formula(content)
    except OverflowError:
        return None
    return value if value is not None and math.isfinite(value) else None
