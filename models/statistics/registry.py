"""The statistics there are, one entry each: the name, the definition, and how it is computed.

All else goes by these entries: what a stream file may ask for, what is carried along, what is computed.
`scheduler_app/checks/recomputation.py` computes each again in another way; docs/statistics.md has the same
definitions with an example each. Tests hold them together.
"""

# ruff: noqa: RUF001 - formulas are written with the minus sign
import re
from dataclasses import dataclass

from models.statistics.accumulators import Accumulator, Area, Increase, Ranks, Squares
from models.statistics.content import Formula
from models.statistics.formulas import percentile_of, rate, spread, standard_deviation, time_weighted_average


@dataclass(frozen=True, slots=True)
class Statistic:
    """A statistic of the n readings (tᵢ, vᵢ) in a window, in the order of time. There is at least one."""

    name: str
    definition: str
    formula: Formula
    # What is carried along for it beside counts and sums.
    accumulator: type[Accumulator] | None = None
    # Whether it takes the first or the last reading.
    ends: bool = False
    # It is right to the last bit; the others are to 1e-12 of their size.
    exact: bool = False

    @property
    def needs_order(self) -> bool:
        """Whether the readings are kept in memory in the order of time for it: sums do not tell it."""
        return self.ends or self.accumulator is not None

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
        return Statistic(name, self.definition, percentile_of(float(percentage[1]) / 100), Ranks)


STATISTICS = (
    Statistic("count", "n", lambda content: content.count, exact=True),
    Statistic("sum", "Σ vᵢ, rounded once", lambda content: content.total.rounded(), exact=True),
    Statistic("avg", "Σ vᵢ / n", lambda content: content.total.mean(content.count), exact=True),
    Statistic("min", "the smallest", lambda content: content.of(Ranks).values[0], Ranks, exact=True),
    Statistic("max", "the largest", lambda content: content.of(Ranks).values[-1], Ranks, exact=True),
    Statistic("range", "max − min", spread, Ranks, exact=True),
    Statistic(
        "stddev",
        "of a sample: √(Σ (vᵢ − avg)² / (n − 1)), from 2 readings on",
        standard_deviation,
        Squares,
    ),
    Statistic("median", "the same as `p50`", percentile_of(0.5), Ranks),
    Statistic("first", "v₁", lambda content: content.first.value, ends=True, exact=True),
    Statistic("last", "vₙ", lambda content: content.last.value, ends=True, exact=True),
    Statistic(
        "rate",
        "per second: Σᵢ₌₂ (vᵢ − vᵢ₋₁) / (tₙ − t₁); where a counter has become smaller it began again at 0, "
        "and vᵢ takes the place of the difference",
        rate,
        Increase,
        ends=True,
    ),
    Statistic(
        "time_weighted_avg",
        "each value holds until the next, the last until `at`: Σ vᵢ · (tᵢ₊₁ − tᵢ) / (tₙ₊₁ − t₁), with "
        "tₙ₊₁ = max(at, tₙ)",
        time_weighted_average,
        Area,
        ends=True,
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
