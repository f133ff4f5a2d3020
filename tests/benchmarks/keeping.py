"""Figures of what is kept: what a tick and a restart cost with so many readings in the database."""

import time
from pathlib import Path

from tests.benchmarks import ticks
from tests.benchmarks.arena import Arena
from tests.benchmarks.figure import Figure
from tests.benchmarks.kept import RETENTION, Kept, bytes_each

_STEP = 10


def one_series(arena: Arena) -> list[Figure]:
    kept = Kept(arena.size.rows, 1, RETENTION, _now())
    with arena.folder() as folder:
        figures = _beside_sql(arena, folder / "kept.db", kept)
        size = bytes_each(folder / "kept.db", kept.rows)
    return [*figures, Figure("disk, a reading without an id", "bytes", size)]


def many_series(arena: Arena) -> list[Figure]:
    kept = Kept(arena.size.many_rows, arena.size.many_series, RETENTION, _now())
    with arena.folder() as folder:
        return _beside_sql(arena, folder / "kept.db", kept)


def growth(arena: Arena) -> list[Figure]:
    """Tick with a tenth of the readings kept, then with all: as many a second, for ten times as long."""
    whole = Kept(arena.size.rows, 1, 10 * RETENTION, _now())
    tenth = whole._replace(rows=whole.rows // 10, seconds=RETENTION)
    ours, sql = [], []
    with arena.folder() as folder:
        for number, kept in enumerate((tenth, whole)):
            path = folder / f"{number}.db"
            kept.write(path)
            ours.append(ticks.ours(path, kept, arena.size.ticks).tick)
            sql.append(ticks.sql(path, kept, arena.size.ticks).tick)
    return [Figure("tick, 10 times as many kept", "times", ours[1] / ours[0], "SQL AVG", sql[1] / sql[0])]


def _beside_sql(arena: Arena, path: Path, kept: Kept) -> list[Figure]:
    kept.write(path)
    ticks.sum_up(path, kept)
    ours, sql = (measure(path, kept, arena.size.ticks) for measure in (ticks.ours, ticks.sql))
    what = f"{kept.series:,} series, {kept.rows:,} kept"
    return [
        Figure(f"tick, {what}", "ms", 1000 * ours.tick, "SQL AVG", 1000 * sql.tick),
        Figure(f"first averages after a restart, {what}", "s", ours.first, "SQL AVG", sql.first),
    ]


def _now() -> float:
    """Return the latest whole ten seconds, when ticks are."""
    return time.time() // _STEP * _STEP
