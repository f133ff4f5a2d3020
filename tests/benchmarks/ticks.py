"""What a tick and a restart cost, with many readings kept; beside the queries one would write in SQL."""

import sqlite3
import statistics
import time
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from jobs.sum_up import INTERVAL, PATIENCE, SummingUp
from models.catalog import Catalog, SeriesRow
from models.statistics.all_series import Layout
from models.statistics.grid import Grid
from models.statistics.hand_over import HandOver
from models.statistics.plan import Plan
from models.statistics.rolling import RollingStatistics
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.reader import ReadingSource
from models.storage.sqlite.store import Store
from tests.benchmarks.kept import Kept

_WINDOWS = (("1min", 60_000), ("5min", 300_000), ("30min", 1_800_000))
_PLAN = Plan(_WINDOWS, ("avg",))
_LENGTHS = [length for _, length in _WINDOWS]
# Milliseconds, as by default.
_AHEAD = 30_000
# Seconds.
_INTERVAL = 10
# As many readings as the subscriber feeds in at once at most.
_BATCH = 1000
_SQL = "SELECT series_id, AVG(value) FROM reading WHERE time > ? GROUP BY series_id"
_SQL_ONE = "SELECT AVG(value) FROM reading WHERE time > ?"


class Ticks(NamedTuple):
    """Seconds: from a start to the first averages of all series, and for one tick."""

    first: float
    tick: float


def ours(path: Path, kept: Kept, ticks: int) -> Ticks:
    """Start on a database file, and tick every ten seconds while readings come at the rate they came."""
    hand_over = HandOver()
    rolling = _statistics(path, kept, hand_over)
    first = _tick(rolling, kept.now)
    arriving = round(kept.rows / kept.seconds * _INTERVAL)
    seconds = []
    for number in range(ticks):
        sequence = kept.rows + number * arriving
        new = kept.readings(sequence, arriving)
        while batch := list(islice(new, _BATCH)):
            sequence += len(batch)
            hand_over.feed(batch, sequence)
        seconds.append(_tick(rolling, kept.now + (number + 1) * _INTERVAL))
    return Ticks(first, statistics.median(seconds))


def sum_up(path: Path, kept: Kept) -> None:
    """Note what a subscriber would have noted that was killed just before it would have noted more."""
    begun = kept.now - INTERVAL
    rolling = _statistics(path, kept, HandOver())
    _tick(rolling, begun)
    ended = rolling.ended(begun - kept.seconds, begun - PATIENCE)
    assert ended is not None
    with closing(Store(writing_database(path), "bench")) as store:
        task = SummingUp(store, Catalog(kept.catalog(), kept.series), rolling.grid).task(ended)
        while task():
            pass


def _statistics(path: Path, kept: Kept, hand_over: HandOver) -> RollingStatistics:
    catalog = Catalog(kept.catalog(), kept.series)

    def look_up(series: int) -> tuple[SeriesRow, Plan] | None:
        row = catalog.row(series)
        return None if row is None else (row, _PLAN)

    grid = Grid([*_LENGTHS, _AHEAD, 1000 * _INTERVAL])
    return RollingStatistics(
        ReadingSource(path),
        hand_over,
        Layout(grid, _WINDOWS, _AHEAD, look_up),
        when_loaded=lambda newest: None,
        when_failed=_fail,
    )


def _tick(rolling: RollingStatistics, now: float) -> float:
    """Return how many seconds it takes to have the averages of all series in Python's hands."""
    begin = time.perf_counter()
    tick = rolling.tick(now)
    seconds = time.perf_counter() - begin
    assert tick.series, "no series"
    return seconds


def _fail(name: str) -> None:
    raise AssertionError(f"the statistics of {name} have failed")


def sql(path: Path, kept: Kept, ticks: int) -> Ticks:
    """Have SQLite compute the averages of each window anew: what a tick and a restart cost that way."""
    with closing(sqlite3.connect(path)) as connection:

        def tick() -> float:
            begin = time.perf_counter()
            for _, milliseconds in _WINDOWS:
                after = kept.now - milliseconds / 1000
                connection.execute(_SQL if kept.series > 1 else _SQL_ONE, (after,)).fetchall()
            return time.perf_counter() - begin

        return Ticks(tick(), statistics.median(tick() for _ in range(ticks)))
