"""Which statistics are computed, over which windows."""

from collections.abc import Sequence

from models.statistics.accumulators import Accumulator
from models.statistics.registry import Statistic, find_statistic
from models.statistics.rules import DEFAULT_RULES, Rules

# Every window has these, beside the statistics that are asked for.
ALWAYS = ("count", "coverage")
# And this one if values are held.
AGE = "age"


class Plan:
    """What is computed of series: for each window (name, length in milliseconds) these statistics.

    All series of one stream share a plan; it never changes.
    """

    __slots__ = (
        *("_accumulators", "formulas", "in_order", "lengths", "looks_before", "names", "nothing"),
        *("of_held", "of_sums", "overall", "rules", "seconds", "windows"),
    )

    def __init__(
        self,
        windows: Sequence[tuple[str, int]],
        statistics: Sequence[str],
        rules: Rules = DEFAULT_RULES,
        *,
        overall: bool = True,
    ) -> None:
        """Raise ValueError if there is no statistic of one of the names.

        `overall`: whether the readings are in the averages over all readings together.
        """
        asked = [name for name in statistics if name != "count"]
        found = [_find(name) for name in asked]
        holds = rules.hold is not None
        self.windows = tuple(windows)
        self.lengths = tuple(length for _, length in windows)
        self.seconds = tuple(length / 1000 for length in self.lengths)
        self.rules = rules
        self.overall = overall
        # The names of the numbers that a window has, in order.
        self.names = (*ALWAYS, *((AGE,) if holds else ()), *asked)
        # What computes each of those that are asked for, what they are in an empty window, and what makes
        # them of a value that is held there, if anything does.
        self.formulas = tuple(each.formula for each in found)
        self.nothing = (None,) * len(found)
        self.of_held = tuple(each.of_held for each in found)
        # What computes them of many series at once; None if that cannot be done for all of them.
        of_sums = [each.of_sums for each in found if each.of_sums is not None]
        self.of_sums = None if holds or len(of_sums) < len(found) else tuple(of_sums)
        # Whether the reading before the windows is needed, and each reading in the order of time.
        self.looks_before = holds or any(each.before for each in found)
        self.in_order = self.looks_before or any(each.needs_order for each in found)
        self._accumulators = dict.fromkeys(each.accumulator for each in found if each.accumulator)

    def accumulators(self) -> list[Accumulator]:
        """Return what has to be accumulated in a window, empty."""
        return [kind(self.rules) for kind in self._accumulators]


def _find(name: str) -> Statistic:
    statistic = find_statistic(name)
    if statistic is None:
        raise ValueError(f"there is no statistic {name!r}")
    return statistic
