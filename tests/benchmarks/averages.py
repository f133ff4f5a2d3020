"""Figures of a tick with all that it publishes, of SQLite's subscriber and of who leads on PostgreSQL."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from statistics import median
from typing import NamedTuple

from paho.mqtt.client import Client, MQTTMessage

from tests.benchmarks import ingest, postgresql
from tests.benchmarks.arena import Arena
from tests.benchmarks.figure import Figure
from tests.benchmarks.ingest import FILTER, Load
from tests.support.brokers import Access, Broker
from tests.support.mqtt_client import Peer
from tests.support.processes import Role
from tests.support.waiting import wait_for

_METRICS = "STATS/$metrics"
# Seconds. Longer than a tick takes, and than it takes to store a reading of each series.
_INTERVAL = 20


class Ticks(NamedTuple):
    """Medians: seconds from when a tick is due until all of it is published, and processor seconds of it."""

    seconds: float
    cpu: float


class _Listener(Peer):
    """Hears when all of a tick is published: what the subscriber tells of itself comes last."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        # How many seconds after it was due each tick was there, by when it was due.
        self.lags: dict[float, float] = {}

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        tick = json.loads(message.payload)["tick"]
        if tick is not None and not message.retain:
            self.lags.setdefault(tick["at"], time.time() - tick["at"])


def ticks(arena: Arena) -> list[Figure]:
    figures = []
    for series in arena.size.tick_series:
        settings = {
            "TOPIC": FILTER,
            "MAX_SERIES": str(2 * series),
            "STATS_INTERVAL": f"{_INTERVAL}s",
        }
        with arena.broker() as (broker, folder), postgresql.server() as running:
            database = running.new_database()
            own = {"DB_URL": database.url, "SHARE": "bench", **settings}
            roles = [
                _role(folder, broker, "subscriber", MEMBERS="1", **own),
                _role(folder, broker, "averages", **own),
            ]
            with postgresql.Watch(database) as watch:
                ours = _measure(arena, broker, series, roles, lambda: nullcontext(watch.stored))
        with arena.broker() as (broker, folder):
            path = folder / "tmp" / "test.db"
            roles = [_role(folder, broker, "subscriber", **settings)]
            theirs = _measure(arena, broker, series, roles, lambda: ingest.stored_in(path))  # noqa: B023
        what = f"tick of {series:,} series, all published"
        figures += [
            Figure(f"{what}, PostgreSQL", "s", ours.seconds, "SQLite", theirs.seconds),
            Figure(f"{what}: processor time, with taking in what is new", "s", ours.cpu),
        ]
    return figures


def _role(folder: Path, broker: Broker, command: str, **settings: str) -> Role:
    return Role(folder, command, environment=broker.environment | settings)


def _measure(
    arena: Arena,
    broker: Broker,
    series: int,
    roles: Sequence[Role],
    stored_in: Callable[[], AbstractContextManager[Callable[[], int]]],
) -> Ticks:
    """Let each series get a reading between two ticks; the last of `roles` takes the averages."""
    load = Load(series, series)
    lags, times = [], []
    with ExitStack() as stack:
        for role in roles:
            stack.callback(role.end)
            role.start_and_wait()
        stored = stack.enter_context(stored_in())
        listener = stack.enter_context(_Listener(broker.access))
        listener.subscribe(_METRICS)
        for number in range(1, arena.size.ticks + 1):
            cpu = roles[-1].cpu_seconds
            with load.child(broker.port) as publisher:
                publisher.expect("ready")
                # early in an interval, so that all is there when the next tick is due
                wait_for(lambda: time.time() % _INTERVAL < 1, "a tick is due", 2.0 * _INTERVAL)
                publisher.go()
                publisher.expect("done", load.timeout)
            wait_for(lambda: stored() >= number * series, "all is stored", load.timeout)  # noqa: B023
            now = time.time()
            due = now - now % _INTERVAL + _INTERVAL
            lags.append(wait_for(lambda: listener.lags.get(due), "the tick is published", 3.0 * _INTERVAL))  # noqa: B023
            times.append(roles[-1].cpu_seconds - cpu)
    return Ticks(median(lags), median(times))
