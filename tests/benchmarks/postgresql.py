"""Figures of PostgreSQL beside SQLite: how fast one subscriber takes in, and how two share it."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import NamedTuple, Self

from tests.benchmarks import ingest
from tests.benchmarks.arena import Arena
from tests.benchmarks.figure import Figure
from tests.benchmarks.ingest import FILTER, Load, Run
from tests.faults.postgresql.harm import connect, locked
from tests.support.brokers import Broker
from tests.support.postgresql import Database, PostgreSQL
from tests.support.processes import Role, cpu_seconds, descendants
from tests.support.waiting import wait_for

# What anybody would set who has the memory; `fsync` and `synchronous_commit` are on.
_SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "2GB"}


@contextmanager
def server() -> Iterator[PostgreSQL]:
    running = PostgreSQL(settings=_SETTINGS)
    try:
        yield running.start()
    finally:
        running.end()


class Watch:
    """Tells while entered how many readings are stored in a database, and what they take of the server."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Self:
        self._connection = connect(self._database)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    def stored(self) -> int:
        return int(self._connection.execute("SELECT COALESCE(sum(stored), 0) FROM member").fetchone()[0])

    def server_cpu(self) -> float:
        """Return the processor time that the server has taken so far, with its processes that have ended.

        Without what our own questions take.
        """
        first = self._database.server.process.pid
        fields = Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()
        ended = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
        others = descendants(first) - {self._connection.info.backend_pid}
        return ended + cpu_seconds(first) + sum(_cpu_if_running(pid) for pid in others)


def member(broker: Broker, folder: Path, database: Database, name: str, **settings: str) -> Role:
    """Return a subscriber that takes a slot on all topics of the load, which the others share."""
    own = {"DB_URL": database.url, "TOPIC": FILTER, "SHARE": "bench"}
    return Role(folder, "subscriber", name=name, environment=broker.environment | own | settings)


def one_member(arena: Arena) -> list[Figure]:
    load = Load(arena.size.messages)
    with server() as running:

        def ours(broker: Broker, folder: Path) -> Run:
            database = running.new_database()
            with ingest.subscriber(broker, folder, DB_URL=database.url) as role, Watch(database) as watch:
                return ingest.ours(broker, folder, load, role, nullcontext(watch.stored))

        def sqlite(broker: Broker, folder: Path) -> Run:
            with ingest.subscriber(broker, folder) as role:
                return ingest.ours(broker, folder, load, role)

        taken, theirs = arena.in_turn(ours, sqlite)
    rate, other_rate = (median(run.rate for run in runs) for runs in (taken, theirs))
    cpu, other_cpu = (median(run.cpu_per_million for run in runs) for runs in (taken, theirs))
    return [
        Figure("ingest, 1 topic, PostgreSQL", "per s", rate, "SQLite", other_rate, more_is_better=True),
        Figure("subscriber's processor time of 1,000,000 readings", "s", cpu, "SQLite", other_cpu),
    ]


def two_members(arena: Arena) -> list[Figure]:
    """Have one member, then two, work off what waits in the broker, whose time does not count.

    Nothing waits for the broker: all is there before they begin. What they and the server take of the
    processors for a reading says what more members bring: two that get in each other's way take more.
    """
    load = Load(arena.size.messages)
    with server() as running:
        one, two = arena.in_turn(partial(_drain, running, load, 1), partial(_drain, running, load, 2))
    alone, together = (median(taken.both for taken in runs) for runs in (one, two))
    of_server = median(taken.server for taken in one)
    what = "processor time of a reading, members and server"
    return [
        Figure("server's processor time of a reading with an id", "µs", of_server),
        Figure(f"{what}, 2 members", "µs", together, "1 member", alone),
        Figure("what 2 members can take, by that, of what 1 can", "times", 2 * alone / together),
    ]


class _Drained(NamedTuple):
    """Microseconds of processor time that a reading has taken."""

    members: float
    server: float

    @property
    def both(self) -> float:
        return self.members + self.server


def _drain(running: PostgreSQL, load: Load, count: int, broker: Broker, folder: Path) -> _Drained:
    database = running.new_database()
    with ExitStack() as stack:
        roles = [
            member(broker, folder, database, f"member-{number}", MEMBERS=str(count))
            for number in range(count)
        ]
        for role in roles:
            stack.callback(role.end)
            role.start_and_wait()
        watch = stack.enter_context(Watch(database))

        def cpu() -> tuple[float, float]:
            return sum(role.cpu_seconds for role in roles), watch.server_cpu()

        with locked(database, "reading"), load.child(broker.port) as publisher:
            publisher.expect("ready")
            publisher.go()
            publisher.expect("done", load.timeout)
            before = cpu()
        wait_for(lambda: watch.stored() >= load.readings, "all is stored", load.timeout)
        after = cpu()
    each = [1e6 * (late - early) / load.readings for early, late in zip(before, after, strict=True)]
    return _Drained(*each)


def _cpu_if_running(pid: int) -> float:
    try:
        return cpu_seconds(pid)
    except OSError:  # it has just ended, and the server counts it
        return 0.0
