"""A day of load, without waiting for it."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.prune import INTERVAL, ROWS_AT_ONCE, Pruner
from models.catalog import Catalog, SeriesRow
from models.reading import Reading
from models.storage.batch import Batch
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.database import SqliteDatabase
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.store import Store
from tests.faults.verdict import Report
from tests.unit.stored import new_series

RETENTION = 35 * 60.0
HOUR = 3600
RATE = 50
SERIES = 20
# Readings of so many seconds share a commit.
COMMIT = 10
BEGAN = 1_700_000_000
# Seconds. An acknowledgement may wait 0.25 s for pruning; the rest is room for a busy machine.
LONGEST_TASK = 1.0


@pytest.mark.slow
def test_a_day(tmp_path: Path, report: Report) -> None:
    """The file stops growing within the first hours, and no task of pruning takes long."""
    path = tmp_path / "test.db"
    prepare(path)
    store = Store(writing_database(path), "me")
    series = [SeriesRow(n + 1, f"sensor/{n}", f"sensor/{n}", "", BEGAN, RETENTION) for n in range(SERIES)]
    store.add(Batch(series=new_series(*series)))
    pruner = Pruner(store, Catalog(series, SERIES))
    sizes: dict[int, int] = {}
    longest = 0.0

    def run(task: Callable[[], bool]) -> None:
        nonlocal longest
        more = True
        while more:
            began = time.perf_counter()
            more = task()
            longest = max(longest, time.perf_counter() - began)

    for second in range(0, 24 * HOUR, COMMIT):
        now = BEGAN + second + COMMIT
        store.add(Batch(readings=_readings(second)))
        if now % INTERVAL < COMMIT:
            run(pruner.task(now, lambda aged: None))
        if (second + COMMIT) % HOUR == 0:
            sizes[(second + COMMIT) // HOUR] = SqliteDatabase(path).size()
    store.close()
    report.add(
        f"a day at {RATE}/s: {sizes[1] / 1e6:.1f} MB after 1 h, {sizes[24] / 1e6:.1f} MB after 24 h; "
        f"longest task of {ROWS_AT_ONCE} rows {longest * 1000:.0f} ms",
        f"{24 * HOUR * RATE} ids",
    )
    assert sizes[24] <= 1.1 * sizes[2]
    assert longest < LONGEST_TASK


def _readings(second: int) -> list[Reading]:
    """Return the readings of `COMMIT` seconds, of all series, with ids."""
    first = second * RATE
    return [
        Reading(number % SERIES + 1, BEGAN + number / RATE, number % 100 / 10, f"3f2a9c11-{number}")
        for number in range(first, first + COMMIT * RATE)
    ]
