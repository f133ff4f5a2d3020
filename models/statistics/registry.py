"""The statistics there are, one entry each: the name, the definition, and how it is computed.

All else goes by these entries: what a stream file may ask for, what is carried along, what is computed.
`scheduler_app/checks/recomputation.py` computes each again in another way; docs/statistics.md has the same
definitions with an example each. Tests hold them together.
"""

# ruff: noqa: RUF001 - formulas are written with the minus sign
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from models.statistics.accumulators import Accumulator, Area, Directions, Ranks, Resets, Squares
from models.statistics.content import Content, Formula
from models.statistics.formulas import (
    circular_average,
    direction,
    percentile_of,
    rate,
    spread,
    standard_deviation,
    time_weighted_average,
)
from models.statistics.sums import Sums

# Given sums, a window, the ids of series and their counts there, returns the statistic of each of them; None
# with count 0.
OfSums = Callable[[Sums, int, Sequence[int], Sequence[int]], Sequence[float | None]]


def _itself(value: float) -> float:
    return value


@dataclass(frozen=True, slots=True)
class Statistic:
    """A statistic of the n readings (tᵢ, vᵢ) in a window, in the order of time. There is at least one."""

    name: str
    definition: str
    formula: Formula
    # What is carried along for it beside counts and sums.
    accumulator: type[Accumulator] | None = None
    # Whether it takes the first or the last reading, and the one before the window.
    ends: bool = False
    before: bool = False
    # It is right to the last bit; the others are to 1e-12 of their size.
    exact: bool = False
    # How it is computed of many series at once, where sums tell it; None: of each by itself.
    of_sums: OfSums | None = None
    # What it is in an empty window of a value that is held there; None: it is not defined.
    of_held: Callable[[float], float] | None = None

    @property
    def needs_order(self) -> bool:
        """Whether the readings are kept in memory in the order of time for it: sums do not tell it."""
        return self.ends or self.before or self.accumulator is not None

    @property
    def examples(self) -> tuple[str, ...]:
        return (self.name,)

    def called(self, name: str) -> "Statistic | None":
        """Return the statistic of that name, if it is this one."""
        return self if name == self.name else None


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Statistics that are named alike: `p`, and below how many percent of the values each lies."""

    name: str
    definition: str
    examples: tuple[str, ...]
    exact: bool = False

    def called(self, name: str) -> Statistic | None:
        """Return the statistic of that name, if it is one of these."""
        percentage = re.fullmatch(r"p(\d{1,2}(?:\.\d{1,6})?)", name, re.ASCII)
        if percentage is None:
            return None
        formula = percentile_of(Fraction(percentage[1]) / 100)
        return Statistic(name, self.definition, formula, Ranks, of_held=_itself)


STATISTICS = (
    Statistic("count", "n", lambda content: content.count, exact=True),
    Statistic("sum", "Σ vᵢ, rounded once", lambda content: content.total.rounded(), exact=True),
    Statistic("avg", "Σ vᵢ / n", Content.mean, exact=True, of_sums=Sums.means_in, of_held=_itself),
    Statistic(
        *("min", "the smallest", lambda content: content.of(Ranks).values[0], Ranks),
        exact=True,
        of_held=_itself,
    ),
    Statistic(
        *("max", "the largest", lambda content: content.of(Ranks).values[-1], Ranks),
        exact=True,
        of_held=_itself,
    ),
    Statistic("range", "max − min", spread, Ranks, exact=True),
    Statistic(
        *("stddev", "of a sample: √(Σ (vᵢ − avg)² / (n − 1)), from 2 readings on"),
        *(standard_deviation, Squares),
    ),
    Statistic("median", "the same as `p50`", percentile_of(Fraction(1, 2)), Ranks, of_held=_itself),
    Statistic("first", "v₁", lambda content: content.first.value, ends=True, exact=True, of_held=_itself),
    Statistic("last", "vₙ", lambda content: content.last.value, ends=True, exact=True, of_held=_itself),
    Statistic(
        "rate",
        "by how much a counter grows a second, or in the time that `per` names: "
        "(vₙ − v₁ + Σ vᵢ₋₁ over all resets vᵢ) / (tₙ − t₁); see [Counters](#counters)",
        rate,
        Resets,
        ends=True,
        before=True,
    ),
    Statistic(
        "time_weighted_avg",
        "the average over the time in which the value is known: each holds until the next, the last until "
        "max(at, tₙ), and that of the reading before the window from at − W; see [Values that hold]"
        "(#values-that-hold)",
        time_weighted_average,
        Area,
        ends=True,
        before=True,
        of_held=_itself,
    ),
    Statistic(
        "circular_avg",
        "of directions in degrees: the direction of Σ (cos vᵢ, sin vᵢ), from 0 to below 360; `null` where "
        "they cancel out, that is, where the sum is shorter than 1e-9 · n",
        circular_average,
        Directions,
        of_held=direction,
    ),
    Percentiles(
        "pNN",
        "with the values ranked x₀ … xₙ₋₁ and h = (n − 1) · NN / 100, linear between those around h",
        examples=("p95", "p99.9"),
    ),
)


def find_statistic(name: str) -> Statistic | None:
    """Return the statistic of that name, None if there is none."""
    return next((found for entry in STATISTICS if (found := entry.called(name)) is not None), None)


def is_statistic(name: str) -> bool:
    """Whether there is a statistic of that name."""
    return find_statistic(name) is not None


def looks_before(names: Iterable[str]) -> bool:
    """Whether one of the statistics of these names takes the reading before the window."""
    return any((found := find_statistic(name)) is not None and found.before for name in names)


def _form() -> str:
    alone = ", ".join(entry.name for entry in STATISTICS if isinstance(entry, Statistic))
    alike = ", ".join(
        f"{entry.name} such as {' or '.join(entry.examples)}"
        for entry in STATISTICS
        if isinstance(entry, Percentiles)
    )
    return f"{alone}, or {alike}, each once"


# What a stream file may ask for, for a person.
STATISTICS_FORM = _form()
# The name of each statistic, and some names of those that are named alike.
NAMES = tuple(name for entry in STATISTICS for name in entry.examples)
