"""A COMMIT waits for a standby that is away, for longer than a broker waits; or somebody cancels it."""

import time

import pytest

from tests.conftest import MakeRole
from tests.faults.load import ENDLESS, Kind, Load
from tests.faults.postgresql.conftest import MEMBERS, MakeMember
from tests.faults.postgresql.oracle import Oracle, judge, settle, storing
from tests.faults.postgresql.pair import Pair
from tests.faults.sizes import sizes
from tests.faults.verdict import Report
from tests.support.brokers import Mosquitto
from tests.support.waiting import stays, wait_for

pytestmark = pytest.mark.postgresql

RATE = 200.0
ACKNOWLEDGED = "Received PUBACK from averages"
CONNECTED = "as averages-subscriber"
_CANCEL = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


def acknowledged(broker: Mosquitto) -> int:
    return len([line for line in broker.packets(ACKNOWLEDGED) if "subscriber" in line])


@sizes("seconds", quick=4.0, full=100.0)
def test_standby_away(
    *, mosquitto: Mosquitto, make_member: MakeMember, report: Report, seconds: float
) -> None:
    """Nothing is acknowledged meanwhile, and no connection to the broker ends for it."""
    with Pair() as pair, Oracle(pair.url) as oracle:
        members = [make_member(mosquitto, pair.url).start_and_wait() for _ in range(MEMBERS)]
        connections = len(mosquitto.packets(CONNECTED))
        with Load(mosquitto.access, ENDLESS, RATE, Kind.NUMBERS) as load:
            storing(oracle)
            pair.standby.stop()
            wait_for(lambda: pair.waiting_commits() == MEMBERS, "each member waits")
            before = acknowledged(mosquitto)
            stays(lambda: acknowledged(mosquitto) == before, "nothing is acknowledged", seconds)
            pair.standby.start()
            load.finish()
            settle(mosquitto.access, oracle, load, members=MEMBERS)
            verdict = judge(oracle, load)
        more = len(mosquitto.packets(CONNECTED)) - connections
        report.add(f"COMMIT hangs for {seconds:g} s; {more} new connections", "no ids", verdict)
        verdict.assert_exactly_once()
        assert more == 0
        assert all(member.running for member in members)


@sizes("times", quick=3, full=20)
def test_wait_for_the_standby_cancelled(
    *, mosquitto: Mosquitto, make_member: MakeMember, report: Report, times: int
) -> None:
    """A COMMIT that no longer waits says that it has worked, and is not durable: then the primary dies.

    The server has committed by itself what the standby never gets. Whoever takes that for success, or
    finds on looking it up that it has happened, has acknowledged what is then lost.
    """
    with Pair() as pair, Oracle(pair.url) as oracle:
        for _ in range(MEMBERS):
            make_member(mosquitto, pair.url).start_and_wait()
        with Load(mosquitto.access, ENDLESS, RATE, Kind.IDS) as load:
            storing(oracle)
            pair.primary.hold_back_standby()
            pair.wait_until_in_doubt()
            time.sleep(0.2)  # what was acknowledged at that moment has arrived
            before = acknowledged(mosquitto)
            for _ in range(times):
                pair.wait_until_in_doubt()
                pair.primary.sql(_CANCEL)
                stays(lambda: acknowledged(mosquitto) == before, "nothing is acknowledged", 0.5)
            pair.fail_over()
            pair.add_standby()
            load.finish()
            settle(mosquitto.access, oracle, load, members=MEMBERS)
            verdict = judge(oracle, load)
        report.add(f"waiting COMMIT cancelled, {times} times, then failover", "ids", verdict)
        verdict.assert_exactly_once()


@sizes("seconds", quick=2.0, full=30.0)
def test_killed_while_the_commit_hangs(
    *, mosquitto: Mosquitto, make_role: MakeRole, report: Report, seconds: float
) -> None:
    """A single subscriber that is started again waits until what it had begun to commit has ended.

    The server does not notice while it waits for the standby that nobody is at the other end any more: its
    connection holds the database as if there were another subscriber.
    """
    with Pair() as pair, Oracle(pair.url) as oracle:
        settings = {"DB_URL": pair.url, "STATS_INTERVAL": "1s"}
        killed = make_role("subscriber", broker=mosquitto, **settings).start_and_wait()
        with Load(mosquitto.access, ENDLESS, RATE, Kind.NUMBERS) as load:
            storing(oracle)
            pair.standby.stop()
            pair.wait_until_in_doubt()
            killed.kill()
            again = make_role("subscriber", broker=mosquitto, **settings).start()
            again.wait_for_complaint("which may have ended, waits for a standby with its COMMIT")
            stays(lambda: again.running, "it waits", seconds)
            assert pair.waiting_commits() == 1
            pair.standby.start()
            storing(oracle)
            load.finish()
            settle(mosquitto.access, oracle, load)
            verdict = judge(oracle, load)
        report.add(f"killed while a COMMIT hangs for {seconds:g} s, started again", "no ids", verdict)
        verdict.assert_exactly_once()
        assert again.running
