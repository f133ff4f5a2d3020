"""Figures of how soon another goes on where one has died: a member, and who takes the averages."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.benchmarks import postgresql
from tests.benchmarks.arena import Arena
from tests.benchmarks.figure import Figure
from tests.benchmarks.ingest import FILTER, Load
from tests.faults.postgresql.harm import connect
from tests.faults.postgresql.leading import Listener, leads
from tests.support.brokers import Broker
from tests.support.postgresql import Database
from tests.support.processes import Role
from tests.support.waiting import wait_for

# Readings a second, and for how many seconds of a round at most.
_RATE = 500.0
_ROUND = 15.0


def slot(arena: Arena) -> list[Figure]:
    """Kill a member; measure until a spare has its slot, and has stored what comes."""
    seconds = []
    rounds = arena.size.takeovers
    with _stage(arena) as stage:
        connection = stage.stack.enter_context(connect(stage.database))

        def has_slot(role: Role) -> bool:
            query = "SELECT 1 FROM slot WHERE process = %s"
            return connection.execute(query, [role.pid]).fetchone() is not None

        holder = stage.member
        for number in range(rounds):
            spare = stage.start(stage.new_member(f"spare-{number}"))
            _one_more(stage.stored)
            began = time.monotonic()
            holder.kill()
            wait_for(partial(has_slot, spare), "the spare has the slot")
            _one_more(stage.stored)
            seconds.append(time.monotonic() - began)
            holder = spare
    return [Figure(f"takeover of a slot, the longest of {rounds}", "s", max(seconds))]


def lead(arena: Arena) -> list[Figure]:
    """Kill who leads; measure until the averages are published again, at an interval of a second."""
    seconds = []
    rounds = arena.size.takeovers
    with _stage(arena) as stage:
        settings = {"DB_URL": stage.database.url, "TOPIC": FILTER, "SHARE": "bench", "STATS_INTERVAL": "1s"}
        roles = [
            stage.start(
                Role(stage.folder, "averages", name=name, environment=stage.broker.environment | settings)
            )
            for name in ("averages-1", "averages-2")
        ]
        listener = stage.stack.enter_context(Listener(stage.broker.access))
        listener.subscribe("STATS")
        for _ in range(rounds):
            _one_more(lambda: len(listener.heard))
            leader = wait_for(lambda: next((role for role in roles if leads(role)), None), "one leads")
            leader.kill()
            began = time.monotonic()
            _one_more(lambda: len(listener.heard))
            seconds.append(time.monotonic() - began)
            leader.start_and_wait()
    return [Figure(f"takeover of the lead, the longest of {rounds}", "s", max(seconds))]


@dataclass(frozen=True)
class _Stage:
    """A member that stores what comes all the time."""

    broker: Broker
    folder: Path
    database: Database
    stack: ExitStack
    stored: Callable[[], int]
    member: Role

    def new_member(self, name: str) -> Role:
        return postgresql.member(self.broker, self.folder, self.database, name, MEMBERS="1")

    def start(self, role: Role) -> Role:
        """Start a role, and end it with all that is here."""
        self.stack.callback(role.end)
        return role.start_and_wait()


@contextmanager
def _stage(arena: Arena) -> Iterator[_Stage]:
    load = Load(round(_RATE * _ROUND * arena.size.takeovers), rate=_RATE)
    with arena.broker() as (broker, folder), postgresql.server() as running, ExitStack() as stack:
        database = running.new_database()
        member = postgresql.member(broker, folder, database, "member", MEMBERS="1")
        stack.callback(member.end)
        member.start_and_wait()
        stored = stack.enter_context(postgresql.Watch(database)).stored
        publisher = stack.enter_context(load.child(broker.port))
        publisher.expect("ready")
        publisher.go()
        yield _Stage(broker, folder, database, stack, stored, member)


def _one_more(count: Callable[[], int]) -> None:
    """Wait until `count()` has grown."""
    before = count()
    wait_for(lambda: count() > before, "there is more")
