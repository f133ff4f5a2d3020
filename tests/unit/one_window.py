"""The statistics of one window of one series, in a few words."""

from collections.abc import Sequence
from typing import NamedTuple

from models.statistics.all_series import AllSeries, Layout
from models.statistics.grid import Grid
from models.statistics.plan import Plan
from models.statistics.registry import NAMES
from models.statistics.results import results
from models.statistics.rules import Rules
from tests.unit.rolling import fail

NOW = 1_700_000_000.0
ALL = tuple(name for name in NAMES if name != "count")
REACH = 1800.0
Numbers = dict[str, float | int | None]


class Known(NamedTuple):
    name: str = "a"
    since: float = NOW - 4000
    retention: float = 5000.0


def taken(
    readings: Sequence[tuple[float, float]], seconds: float, *, at: float = 0.0, rules: Rules | None = None
) -> Numbers:
    """Return all statistics of a window of so many seconds, of readings in the order of their arrival.

    Times are seconds after NOW. Each comes in a tick of its own, before the one at `at`.
    """
    length = round(seconds * 1000)
    plan = Plan([("w", length)], ALL, rules or Rules(reach=REACH))
    grid = Grid([length, 1000])
    everything = AllSeries(Layout(grid, (("w", length),), 0, lambda _: (Known(), plan)), 0)
    everything.move(grid.last_slot(NOW - 4000))
    for time, value in readings:
        series = everything.find(1)
        assert series is not None
        everything.add(series, [NOW + time], [value])
        everything.enter()
        everything.move(max(everything.slot, grid.slot(min(NOW + time, NOW + at))))
    everything.move(grid.last_slot(NOW + at))
    [result] = results(everything.by_id.values(), NOW + at, fail)
    return result.windows()["w"]
