"""Figures of PostgreSQL beside SQLite: how fast one subscriber takes in, and how two share it."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

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


@dataclass(frozen=True)
class ServerRun:
    """What a run took of a subscriber, or of several, and of the server."""

    run: Run
    # Processor time of the server, in seconds.
    server: float

    @property
    def each(self) -> float:
        """Microseconds of processor time a reading, of subscribers and server."""
        return (self.run.cpu + self.server) / self.run.count * 1e6


@contextmanager
def server() -> Iterator[PostgreSQL]:
    running = PostgreSQL(settings=_SETTINGS)
    try:
        yield running.start()
    finally:
        running.end()


@contextmanager
def stored_in(database: Database) -> Iterator[Callable[[], int]]:
    """Yield what tells how many readings were stored in a database so far."""
    with connect(database) as connection:

        def stored() -> int:
            row = connection.execute("SELECT COALESCE(sum(stored), 0) FROM member").fetchone()
            return int(row[0])

        yield stored


def server_cpu(running: PostgreSQL) -> float:
    """Return the processor time that a server has taken so far, with its processes that have ended."""
    first = running.process.pid
    fields = Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()
    ended = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    return ended + cpu_seconds(first) + sum(_cpu_if_running(pid) for pid in descendants(first))


def member(broker: Broker, folder: Path, database: Database, name: str, **settings: str) -> Role:
    """Return a subscriber that takes a slot on all topics of the load, which the others share."""
    own = {"DB_URL": database.url, "TOPIC": FILTER, "SHARE": "bench"}
    return Role(folder, "subscriber", name=name, environment=broker.environment | own | settings)


def one_member(arena: Arena) -> list[Figure]:
    load = Load(arena.size.messages)
    of_server: list[ServerRun] = []
    with server() as running:

        def ours(broker: Broker, folder: Path) -> Run:
            database = running.new_database()
            with ingest.subscriber(broker, folder, DB_URL=database.url) as role:
                before = server_cpu(running)
                run = ingest.ours(broker, folder, load, role, stored_in(database))
                of_server.append(ServerRun(run, server_cpu(running) - before))
            return run

        def sqlite(broker: Broker, folder: Path) -> Run:
            with ingest.subscriber(broker, folder) as role:
                return ingest.ours(broker, folder, load, role)

        ours_taken, theirs = arena.in_turn(ours, sqlite)
    rate, other_rate = (median(run.rate for run in runs) for runs in (ours_taken, theirs))
    cpu, other_cpu = (median(run.cpu_per_million for run in runs) for runs in (ours_taken, theirs))
    each = median(taken.server / taken.run.count * 1e6 for taken in of_server)
    return [
        Figure("ingest, 1 topic, PostgreSQL", "per s", rate, "SQLite", other_rate, more_is_better=True),
        Figure("subscriber's processor time of 1,000,000 readings", "s", cpu, "SQLite", other_cpu),
        Figure("server's processor time of a reading with an id", "µs", each),
    ]


def two_members(arena: Arena) -> list[Figure]:
    """Have one member, then two, work off what waits in the broker, whose time does not count.

    Nothing waits for the broker: all is there before they begin. What they and the server take of the
    processors for a reading says what more members bring: two that get in each other's way take more.
    """
    load = Load(arena.size.messages)
    with server() as running:
        one, two = arena.in_turn(
            *(
                lambda broker, folder, count=count: _drain(broker, folder, running, load, count)
                for count in (1, 2)
            )
        )
    alone, together = (median(taken.each for taken in runs) for runs in (one, two))
    what = "processor time of a reading, members and server"
    return [
        Figure(f"{what}, 2 members", "µs", together, "1 member", alone),
        Figure("what 2 members can take, by that, of what 1 can", "times", 2 * alone / together),
    ]


def _drain(broker: Broker, folder: Path, running: PostgreSQL, load: Load, count: int) -> ServerRun:
    database = running.new_database()
    with ExitStack() as stack:
        roles = [
            member(broker, folder, database, f"member-{number}", MEMBERS=str(count))
            for number in range(count)
        ]
        for role in roles:
            stack.callback(role.end)
            role.start_and_wait()
        stored = stack.enter_context(stored_in(database))
        with locked(database, "reading"), load.child(broker.port) as publisher:
            publisher.expect("ready")
            publisher.go()
            publisher.expect("done", load.timeout)
            before = sum(role.cpu_seconds for role in roles), server_cpu(running)
        wait_for(lambda: stored() >= load.readings, "all is stored", load.timeout)
        cpu, of_server = sum(role.cpu_seconds for role in roles) - before[0], server_cpu(running) - before[1]
        return ServerRun(Run(load.count, 1.0, cpu, 0.0), of_server)


def _cpu_if_running(pid: int) -> float:
    try:
        return cpu_seconds(pid)
    except OSError:  # it has just ended, and the server counts it
        return 0.0
