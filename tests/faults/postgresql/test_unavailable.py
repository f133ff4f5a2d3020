"""The database cannot be written for a while: what has come is held, not acknowledged, and stored later."""

import time
from collections.abc import Callable

import pytest

from tests.conftest import MakeRole
from tests.faults.faults import full, small_disk
from tests.faults.load import ENDLESS, Kind, Load
from tests.faults.postgresql.conftest import MakeServer
from tests.faults.postgresql.harm import locked, no_file_grows_beyond
from tests.faults.postgresql.oracle import Oracle, judge, settle, storing
from tests.faults.proxy import Proxy
from tests.faults.sizes import sizes
from tests.faults.verdict import Report
from tests.support.brokers import Mosquitto
from tests.support.postgresql import USER, Database, PostgreSQL, hand_over
from tests.support.processes import Role
from tests.support.waiting import stays, wait_for

pytestmark = pytest.mark.postgresql

RATE = 500.0
SENT = "Sending PUBLISH to averages-subscriber"
ACKNOWLEDGED = "Received PUBACK from averages-subscriber"
CONNECTED = "as averages-subscriber"
# Seconds in which nothing may be acknowledged, once that has stopped.
PAUSE = 1.5
# Bytes. A file of a server's log is as large, where that is chosen; and a part of a page of a table.
SMALL_FILES, PART_OF_A_PAGE = 1 << 20, 100
# Rows that make the table of ids larger than that.
FILLING = 20_000


class Held:
    """A subscriber on the database under test, and what its broker saw of it."""

    def __init__(self, broker: Mosquitto, role: Role) -> None:
        self._broker = broker
        self.role = role

    @property
    def acknowledged(self) -> int:
        return len(self._broker.packets(ACKNOWLEDGED))

    def assert_nothing_acknowledged(self, oracle: Oracle | None = None) -> None:
        """Wait for a complaint in the log; then nothing more may be acknowledged, though more has come."""
        self.role.wait_for_complaint()
        before = -1

        def pauses() -> bool:
            nonlocal before
            former, before = before, self.acknowledged
            time.sleep(PAUSE / 5)
            return former == before

        wait_for(pauses, "acknowledgements stop")
        stays(lambda: self.acknowledged == before, "nothing is acknowledged", PAUSE)
        if oracle is not None:
            assert oracle.count() >= before
        assert len(self._broker.packets(SENT)) > before


def go_through(
    *,
    mosquitto: Mosquitto,
    make_role: MakeRole,
    oracle: Oracle,
    report: Report,
    fault: str,
    url: str,
    harm: Callable[[Held], object],
    kind: Kind = Kind.NUMBERS,
) -> Role:
    """Do `harm` to a subscriber that stores a load; each reading must be there once when it is over."""
    role = make_role("subscriber", broker=mosquitto, DB_URL=url, STATS_INTERVAL="1s").start_and_wait()
    with Load(mosquitto.access, ENDLESS, RATE, kind) as load:
        storing(oracle)
        harm(Held(mosquitto, role))
        load.finish()
        settle(mosquitto.access, oracle, load)
        verdict = judge(oracle, load)
    connections = len(mosquitto.packets(CONNECTED))
    report.add(f"PostgreSQL: {fault}; {connections} connection", kind, verdict)
    verdict.assert_exactly_once()
    assert connections == 1
    assert role.running
    return role


@sizes("times", quick=2, full=15)
def test_restarted(
    *,
    mosquitto: Mosquitto,
    make_role: MakeRole,
    report: Report,
    make_server: MakeServer,
    times: int,
) -> None:
    """The server is restarted again and again, and ends all connections each time."""
    server = make_server()
    database = server.new_database()
    oracle = Oracle(database.url)

    def restart(held: Held) -> None:
        for _ in range(times):
            storing(oracle)
            server.restart()

    go_through(
        mosquitto=mosquitto,
        make_role=make_role,
        oracle=oracle,
        report=report,
        fault=f"restarted, {times} times",
        url=database.url,
        harm=restart,
    )
    oracle.close()


@sizes("seconds", quick=3.0, full=75.0)
def test_away(
    *,
    mosquitto: Mosquitto,
    make_role: MakeRole,
    report: Report,
    make_server: MakeServer,
    seconds: float,
) -> None:
    """The machine of the server is gone, also for longer than a broker waits for a sign of life."""
    server = make_server()
    database = server.new_database()
    oracle = Oracle(database.url)

    def kill(held: Held) -> None:
        server.kill9()
        held.assert_nothing_acknowledged()
        time.sleep(seconds)
        server.start()

    go_through(
        mosquitto=mosquitto,
        make_role=make_role,
        oracle=oracle,
        report=report,
        fault=f"kill -9, away for {seconds:g} s",
        url=database.url,
        harm=kill,
    )
    oracle.close()


@sizes("times", quick=4, full=40)
def test_connection_cut(
    *,
    mosquitto: Mosquitto,
    make_role: MakeRole,
    postgresql: Database,
    oracle: Oracle,
    report: Report,
    times: int,
) -> None:
    """The connection is reset in the middle of a packet, now one way and now the other, or stands still."""
    with Proxy(postgresql.server.port) as proxy:

        def cut(held: Held) -> None:
            for number in range(times):
                storing(oracle)
                if number % 4 == 3:
                    proxy.hold(2.0)
                else:
                    proxy.tear("client" if number % 2 else "broker")

        role = go_through(
            mosquitto=mosquitto,
            make_role=make_role,
            oracle=oracle,
            report=report,
            fault=f"connection cut, {times} times",
            url=postgresql.url.replace(f":{postgresql.server.port}/", f":{proxy.access.port}/"),
            harm=cut,
        )
        role.end()


def test_disk_full(
    *,
    mosquitto: Mosquitto,
    make_role: MakeRole,
    postgresql_server: PostgreSQL,
    report: Report,
) -> None:
    """The disk of the tables is full for a while."""
    folder = postgresql_server.folder / "small"
    with small_disk(folder, megabytes=24) as mounted:
        if not mounted:
            pytest.skip("no file system can be mounted here; test_no_file_may_grow does the same")
        hand_over(folder)
        postgresql_server.sql(f"CREATE TABLESPACE small LOCATION '{folder}'")
        database = postgresql_server.new_database(tablespace="small")
        oracle = Oracle(database.url)

        def fill(held: Held) -> None:
            with full(folder):
                held.assert_nothing_acknowledged(oracle)

        role = go_through(
            mosquitto=mosquitto,
            make_role=make_role,
            oracle=oracle,
            report=report,
            fault="disk full, then freed",
            url=database.url,
            harm=fill,
        )
        role.end()
        oracle.close()
        database.drop()
        postgresql_server.sql("DROP TABLESPACE small")


def test_no_file_may_grow(
    *, mosquitto: Mosquitto, make_role: MakeRole, report: Report, make_server: MakeServer
) -> None:
    """The same where no file system can be mounted: a write beyond a file's end is cut short."""
    server = make_server(wal_segment_megabytes=1)
    database = server.new_database()
    oracle = Oracle(database.url)

    def cut_short(held: Held) -> None:
        database.sql(f"INSERT INTO message_id SELECT int8send(n), 0, 0 FROM generate_series(1, {FILLING}) n")
        # the rest of the last page that there is does not matter: what is stored soon needs another one
        [[size]] = database.sql("SELECT pg_relation_size('message_id')")
        with no_file_grows_beyond(server, max(SMALL_FILES, int(size)) + PART_OF_A_PAGE):
            held.assert_nothing_acknowledged(oracle)

    go_through(
        mosquitto=mosquitto,
        make_role=make_role,
        oracle=oracle,
        report=report,
        fault="no file may grow, then they may",
        url=database.url,
        harm=cut_short,
        kind=Kind.IDS,  # of which there is a table that is large already
    )
    oracle.close()


def test_statement_timeout(
    *,
    mosquitto: Mosquitto,
    make_role: MakeRole,
    postgresql: Database,
    oracle: Oracle,
    report: Report,
) -> None:
    """The server gives up each statement that waits for somebody else's lock on the table of readings."""
    postgresql.sql(f"ALTER DATABASE {postgresql.name} SET statement_timeout = '500ms'")

    def lock(held: Held) -> None:
        with locked(postgresql, "reading"):
            held.assert_nothing_acknowledged(oracle)

    role = go_through(
        mosquitto=mosquitto,
        make_role=make_role,
        oracle=oracle,
        report=report,
        fault="statement_timeout",
        url=postgresql.url,
        harm=lock,
    )
    assert "statement timeout" in role.stderr


def test_out_of_connections(
    *,
    mosquitto: Mosquitto,
    make_role: MakeRole,
    postgresql: Database,
    oracle: Oracle,
    report: Report,
) -> None:
    """Others have taken all the connections that there may be."""
    name = postgresql.name

    def take_all(held: Held) -> None:
        oracle.close()
        postgresql.sql(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
        others = f"datname = '{name}' AND usename = '{USER}'"
        postgresql.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        held.assert_nothing_acknowledged()
        postgresql.sql(f"ALTER DATABASE {name} CONNECTION LIMIT -1")

    go_through(
        mosquitto=mosquitto,
        make_role=make_role,
        oracle=oracle,
        report=report,
        fault="out of connections",
        url=postgresql.url,
        harm=take_all,
    )
    assert f'too many connections for database "{name}"' in postgresql.server.log
