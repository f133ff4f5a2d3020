"""Fixtures of what is done to PostgreSQL, its members and those who take the averages."""

from collections.abc import Iterator
from typing import Protocol

import pytest

from tests.conftest import MakeRole
from tests.faults.postgresql.oracle import Oracle
from tests.support.brokers import Access, Broker
from tests.support.postgresql import Database, PostgreSQL
from tests.support.processes import Role

# So many slots there are, if a test says nothing else.
MEMBERS = 2


class MakeServer(Protocol):
    """Makes a running server of the test's own, to which harm may be done."""

    def __call__(self, *, wal_segment_megabytes: int = 16) -> PostgreSQL: ...


@pytest.fixture
def make_server() -> Iterator[MakeServer]:
    servers: list[PostgreSQL] = []

    def make(*, wal_segment_megabytes: int = 16) -> PostgreSQL:
        servers.append(PostgreSQL(wal_segment_megabytes=wal_segment_megabytes))
        return servers[-1].start()

    yield make
    for server in servers:
        server.end()


@pytest.fixture
def oracle(postgresql: Database) -> Iterator[Oracle]:
    """Look into the database of the test."""
    with Oracle(postgresql.url) as found:
        yield found


class MakeMember:
    """Makes subscribers that share the topics by `$share`, each in a slot."""

    def __init__(self, make_role: MakeRole) -> None:
        self._make_role = make_role

    def __call__(self, broker: Broker | Access, url: str, **settings: str) -> Role:
        own = {"DB_URL": url, "MEMBERS": str(MEMBERS), "SHARE": "averages", "STATS_INTERVAL": "1s"}
        return self._make_role("subscriber", broker=broker, **(own | settings))


class MakeAverages:
    """Makes those who take the averages: one leads, the others follow."""

    def __init__(self, make_role: MakeRole) -> None:
        self._make_role = make_role

    def __call__(self, broker: Broker | Access, url: str, **settings: str) -> Role:
        own = {"DB_URL": url, "STATS_INTERVAL": "1s"}
        return self._make_role("averages", broker=broker, **(own | settings))


@pytest.fixture
def make_member(make_role: MakeRole) -> MakeMember:
    return MakeMember(make_role)


@pytest.fixture
def make_averages(make_role: MakeRole) -> MakeAverages:
    return MakeAverages(make_role)
