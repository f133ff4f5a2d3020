"""Rolling statistics over a database file, in a few words."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from models.catalog import Catalog, SeriesRow
from models.statistics.all_series import Layout
from models.statistics.grid import Grid
from models.statistics.hand_over import HandOver
from models.statistics.plan import Plan
from models.statistics.rolling import RollingStatistics
from models.storage.sqlite.reader import ReadingSource


def fail(name: str) -> None:
    pytest.fail(f"the statistics of {name} have failed")


def rolling_statistics(
    path: Path,
    catalog: Catalog,
    hand_over: HandOver,
    plan_of: Callable[[SeriesRow], Plan],
    *,
    overall: Sequence[tuple[str, int]],
    grid: Grid,
    ahead: int = 30_000,
    when_loaded: Callable[[Mapping[int, float]], object] = lambda newest: None,
    when_failed: Callable[[str], object] = fail,
) -> RollingStatistics:
    """Return statistics of the series in a catalog."""

    def look_up(series: int) -> tuple[SeriesRow, Plan] | None:
        row = catalog.row(series)
        return None if row is None else (row, plan_of(row))

    return RollingStatistics(
        ReadingSource(path),
        hand_over,
        Layout(grid, tuple(overall), ahead, look_up),
        when_loaded=when_loaded,
        when_failed=when_failed,
    )
