"""Which statistics are computed, over which windows."""

from collections.abc import Sequence

from models.statistics.accumulators import Accumulator
from models.statistics.registry import Statistic, find_statistic

# Every window has these, beside the statistics that are asked for.
ALWAYS = ("count", "coverage")


class Plan:
    """What is computed of series: for each window (name, length in milliseconds) these statistics.

    All series of one stream share a plan; it never changes.
    """

    __slots__ = ("_accumulators", "formulas", "in_order", "lengths", "names", "nothing", "seconds", "windows")

    def __init__(self, windows: Sequence[tuple[str, int]], statistics: Sequence[str]) -> None:
        """Raise ValueError if there is no statistic of one of the names."""
        asked = [name for name in statistics if name != "count"]
        found = [_find(name) for name in asked]
        self.windows = tuple(windows)
        self.lengths = tuple(length for _, length in windows)
        self.seconds = tuple(length / 1000 for length in self.lengths)
        # The names of the numbers that a window has, in order.
        self.names = (*ALWAYS, *asked)
        # What computes each of those that are asked for, and what they are in an empty window.
        self.formulas = tuple(each.formula for each in found)
        self.nothing = (None,) * len(found)
        # Whether each reading is needed in the order of time, not only sums.
        self.in_order = any(each.needs_order for each in found)
        self._accumulators = dict.fromkeys(each.accumulator for each in found if each.accumulator)

    def accumulators(self) -> list[Accumulator]:
        """Return what has to be accumulated in a window, empty."""
        return [kind() for kind in self._accumulators]


def _find(name: str) -> Statistic:
    statistic = find_statistic(name)
    if statistic is None:
        raise ValueError(f"there is no statistic {name!r}")
    return statistic
