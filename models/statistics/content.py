"""What formulas take: the readings in one window, as far as they are carried from tick to tick."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from models.statistics.accumulators import Accumulator, At
from models.statistics.exact import ExactSum

Kind = TypeVar("Kind", bound=Accumulator)
# A statistic; None where it is not defined.
Number = float | int | None


@dataclass(slots=True)
class Content:
    """What is known of the readings in one window; there is at least one. Times are UTC epoch seconds."""

    at: float
    count: int
    total: ExactSum
    # The rest is there if a statistic of the plan needs the order of time: the first and the last reading,
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


# How a statistic is computed.
Formula = Callable[[Content], Number]


def compute(formula: Formula, content: Content) -> Number:
    """Return a statistic of a window; None where it is not defined, or is no finite float."""
    try:
        value = formula(content)
    except OverflowError:
        return None
    return value if value is not None and math.isfinite(value) else None
