"""The statistics that a stream file may ask for: their names, and what each is.

`models/statistics/formulas.py` computes them and `scheduler_app/checks/recomputation.py` computes them again
in another way; docs/statistics.md has the same definitions with an example each. A test holds them together.
"""

# ruff: noqa: RUF001 - formulas are written with the minus sign
import re
from typing import NamedTuple


class Statistic(NamedTuple):
    """A statistic of the n readings (tᵢ, vᵢ) in a window, in the order of time."""

    name: str
    definition: str
    # It is right to the last bit; the others are to 1e-12 of their size.
    exact: bool = False
    # Where many are named alike: the form of all their names, and some of them.
    form: re.Pattern[str] | None = None
    examples: tuple[str, ...] = ()

    def is_called(self, name: str) -> bool:
        """Whether it is the statistic of that name, or one of them."""
        return name == self.name if self.form is None else self.form.fullmatch(name) is not None


STATISTICS = (
    Statistic("count", "n", exact=True),
    Statistic("sum", "Σ vᵢ, rounded once", exact=True),
    Statistic("avg", "Σ vᵢ / n", exact=True),
    Statistic("min", "the smallest", exact=True),
    Statistic("max", "the largest", exact=True),
    Statistic("range", "max − min", exact=True),
    Statistic("stddev", "of a sample: √(Σ (vᵢ − avg)² / (n − 1)), from 2 readings on"),
    Statistic("median", "the same as `p50`"),
    Statistic("first", "v₁", exact=True),
    Statistic("last", "vₙ", exact=True),
    Statistic(
        "rate",
        "per second: Σᵢ₌₂ (vᵢ − vᵢ₋₁) / (tₙ − t₁); where a counter has become smaller it began again at 0, "
        "and vᵢ takes the place of the difference",
    ),
    Statistic(
        "time_weighted_avg",
        "each value holds until the next, the last until `at`: Σ vᵢ · (tᵢ₊₁ − tᵢ) / (tₙ₊₁ − t₁), with "
        "tₙ₊₁ = max(at, tₙ)",
    ),
    Statistic(
        "pNN",
        "with the values ranked x₀ … xₙ₋₁ and h = (n − 1) · NN / 100, linear between those around h",
        form=re.compile(r"p\d{1,2}(\.\d{1,6})?", re.ASCII),
        examples=("p95", "p99.9"),
    ),
)


def find_statistic(name: str) -> Statistic | None:
    """Return what the statistic of that name is, None if there is none."""
    return next((statistic for statistic in STATISTICS if statistic.is_called(name)), None)


def is_statistic(name: str) -> bool:
    """Whether there is a statistic of that name."""
    return find_statistic(name) is not None


def is_exact(name: str) -> bool:
    """Whether the statistic of that name is right to the last bit."""
    found = find_statistic(name)
    return found is not None and found.exact


def _form() -> str:
    alone = ", ".join(statistic.name for statistic in STATISTICS if statistic.form is None)
    alike = ", ".join(
        f"{each.name} such as {' or '.join(each.examples)}" for each in STATISTICS if each.form is not None
    )
    return f"{alone}, or {alike}, each once"


# What a stream file may ask for, for a person.
STATISTICS_FORM = _form()
# The name of each statistic, and some names of those that are named alike.
NAMES = tuple(name for statistic in STATISTICS for name in statistic.examples or (statistic.name,))
