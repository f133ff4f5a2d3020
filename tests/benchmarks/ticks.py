"""What a tick and a restart cost, with many readings kept; beside the queries one would write in SQL."""

import sqlite3
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from models.catalog import Catalog
from models.statistics.grid import Grid
from models.statistics.rolling import Plan, RollingStatistics
from models.storage.connection import reading_database
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
    rolling = RollingStatistics(
        reading_database(path),
        Catalog(kept.catalog(), kept.series),
        plan_of=lambda row: _PLAN,
        pooled=_LENGTHS,
        ahead=_AHEAD,
        grid=Grid([*_LENGTHS, _AHEAD, 1000 * _INTERVAL]),
    )
    first = _tick(rolling, kept.now)
    arriving = round(kept.rows / kept.seconds * _INTERVAL)
    seconds = []
    for number in range(ticks):
        sequence = kept.rows + number * arriving
        new = kept.readings(sequence, arriving)
        while batch := list(islice(new, _BATCH)):
            sequence += len(batch)
            rolling.feed(batch, sequence)
        seconds.append(_tick(rolling, kept.now + (number + 1) * _INTERVAL))
    return Ticks(first, statistics.median(seconds))


def _tick(rolling: RollingStatistics, now: float) -> float:
    """Return how many seconds it takes to have the averages of all series in Python's hands."""
    begin = time.perf_counter()
    rolling.advance(now)
    averages: Sequence[object] = [dict(series.windows(rolling.at)) for series in rolling.series()]
    rolling.pooled()
    seconds = time.perf_counter() - begin
    assert averages, "no series"
    return seconds


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
