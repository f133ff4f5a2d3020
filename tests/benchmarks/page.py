"""Figures of the page's role, `manage.py web`: at rest, and how soon it answers."""

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeVar

from tests.benchmarks import ingest, ticks
from tests.benchmarks.arena import Arena
from tests.benchmarks.figure import Figure
from tests.benchmarks.ingest import Load
from tests.benchmarks.kept import RETENTION, Kept
from tests.support.brokers import Broker
from tests.support.ports import free_port
from tests.support.processes import Role, cpu_seconds
from tests.support.waiting import wait_for
from tests.support.web import ask

T = TypeVar("T")

# Readings a second while it is at rest.
_RATE = 100.0
# Nobody has asked for the rows in these orders before: each is sorted for the first time.
_ORDERS = ("last", "age", "count")
# Seconds until all series are shown: a tick, and what it takes on a slow machine.
_SHOWN_WITHIN = 60.0
_SELECT = "SELECT time, value FROM reading WHERE series_id = ? ORDER BY time"
_REPEATED = 3


def at_rest(arena: Arena) -> list[Figure]:
    """Look at its memory and processor time while nobody looks at it, beside the subscriber's."""
    series = arena.size.topics
    load = Load(round(arena.size.rest_seconds * _RATE), series, _RATE)
    interval = arena.size.stats_interval
    with (
        arena.broker() as (broker, folder),
        _shown(broker, folder, series, interval) as (subscriber, web, _),
    ):
        roles = (web, subscriber)
        before, begin = [cpu_seconds(role.pid) for role in roles], time.monotonic()
        ingest.ours(broker, folder, load, subscriber)
        seconds = time.monotonic() - begin
        cores = [
            100 * (cpu_seconds(role.pid) - was) / seconds for role, was in zip(roles, before, strict=True)
        ]
        memory = [_resident_memory(role.pid) for role in roles]
    what = f"of the page, {series:,} series at {_RATE:.0f} a second"
    return [
        Figure(f"memory {what}", "MB", memory[0], "subscriber", memory[1]),
        Figure(f"core {what}", "%", cores[0], "subscriber", cores[1]),
    ]


def listing(arena: Arena) -> list[Figure]:
    """Ask for all of many series; beside it, Python writes the same rows as JSON."""
    series = arena.size.many_series
    with arena.broker() as (broker, folder), _shown(broker, folder, series, "1s") as (_, _, port):
        ours, plain = [], []
        for order in _ORDERS:
            address = f"/api/v1/series?sort={order}&limit={series}"
            answer, seconds = _timed(partial(ask, port, address))
            rows = answer.content
            assert len(rows["series"]) == series, answer.text[:200]
            ours.append(seconds)
            plain.append(_timed(partial(json.dumps, rows))[1])
    return [Figure(f"list of {series:,} series", "s", median(ours), "json.dumps", median(plain))]


def history(arena: Arena) -> list[Figure]:
    """Ask for all that is kept of one series of many; beside it, the query one would write in SQL."""
    size = arena.size
    kept = Kept(size.history_rows, size.many_series, RETENTION, time.time())
    each = kept.rows // kept.series
    with arena.broker() as (broker, folder):
        path = folder / "tmp" / "test.db"
        kept.write(path)
        ticks.sum_up(path, kept)
        with _web(broker, folder) as (_, port), closing(sqlite3.connect(path)) as connection:
            ours, sql = [], []
            for number in range(_REPEATED):
                series = kept.catalog()[number]
                address = f"/api/v1/history?series={series.name}&span=2h&patience=10s"
                answer, seconds = _timed(partial(ask, port, address))
                assert answer.content["readings"]["total"] == each, answer.text[:200]
                ours.append(seconds)
                rows, seconds = _timed(partial(_selected, connection, series.id))
                assert len(rows) == each
                sql.append(seconds)
    name = f"history of 1 of {kept.series:,} series, {kept.rows:,} kept"
    return [Figure(name, "s", median(ours), "SELECT", median(sql))]


@contextmanager
def _shown(broker: Broker, folder: Path, series: int, interval: str) -> Iterator[tuple[Role, Role, int]]:
    """Run the subscriber and the page, with so many series shown; yield both and the page's port."""
    with (
        ingest.subscriber(broker, folder, STATS_INTERVAL=interval) as subscriber,
        _web(broker, folder, STATS_INTERVAL=interval) as (web, port),
    ):
        ingest.ours(broker, folder, Load(series, series), subscriber)
        wait_for(
            lambda: ask(port, "/api/v1/series?limit=1").content["total"] >= series,
            lambda: f"{series} series on the page:\n{web.stderr}",
            _SHOWN_WITHIN,
        )
        yield subscriber, web, port


@contextmanager
def _web(broker: Broker, folder: Path, **settings: str) -> Iterator[tuple[Role, int]]:
    port = free_port()
    environment = {**broker.environment, "TOPIC": "bench/#", "WEB_PORT": str(port), **settings}
    role = Role(folder, "web", environment=environment)
    try:
        yield role.start_and_wait(), port
    finally:
        role.end()


def _selected(connection: sqlite3.Connection, series: int) -> list[tuple[float, float]]:
    return connection.execute(_SELECT, (series,)).fetchall()


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """Return what it gives, and how many seconds it takes."""
    begin = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begin


def _resident_memory(pid: int) -> float:
    """Return the memory that a process holds now, in MB. Linux only."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
