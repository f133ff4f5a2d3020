"""Whoever leads, and publishes the averages, dies or stands still."""

import json
import time

import pytest

from tests.faults.load import ENDLESS, Kind, Load
from tests.faults.postgresql.conftest import MakeAverages, MakeMember
from tests.faults.postgresql.harm import standing_still
from tests.faults.postgresql.leading import Listener, leads
from tests.faults.postgresql.oracle import Oracle, judge, settle, wait_for_average
from tests.faults.sizes import sizes
from tests.faults.verdict import Report
from tests.support.brokers import Mosquitto
from tests.support.postgresql import Database
from tests.support.processes import Role
from tests.support.waiting import wait_for

pytestmark = pytest.mark.postgresql

RATE = 200.0
# Seconds: how often the averages are published here, and how long there may be none.
INTERVAL, LONGEST_GAP = 1.0, 3.0
# Seconds for which a leader stands still: longer than its lock lives.
STANDSTILL = 4.0


class Stage:
    """Two processes that take averages, a member that stores, and what is heard of it."""

    def __init__(self, broker: Mosquitto, roles: list[Role], listener: Listener) -> None:
        self.roles = roles
        self.listener = listener
        self._broker = broker

    def leader(self) -> Role:
        """Return the one that leads, by its own words."""
        return wait_for(lambda: next((role for role in self.roles if leads(role)), None), "one leads")

    def hear(self, more: int) -> None:
        """Wait until the averages have been published so many times more."""
        before = len(self.listener.heard)
        wait_for(lambda: len(self.listener.heard) >= before + more, "the averages are published")

    @property
    def connections(self) -> int:
        """How often somebody has connected in order to publish the averages: the leader has one client id."""
        return len(self._broker.packets(" as averages-averages ("))

    def assert_one_at_a_time(self) -> None:
        """Fail if what is published goes back in time, as it would if a second one published too."""
        ticks = [json.loads(message.payload)["tick"] for message in self.listener.on("STATS/$metrics")]
        times = [tick["at"] for tick in ticks if tick is not None]
        assert times == sorted(times)


@sizes("times", quick=1, full=10)
def test_leader_killed(
    *,
    mosquitto: Mosquitto,
    make_member: MakeMember,
    make_averages: MakeAverages,
    postgresql: Database,
    oracle: Oracle,
    report: Report,
    times: int,
) -> None:
    """The other one goes on within seconds, and is right at once."""
    member = make_member(mosquitto, postgresql.url, MEMBERS="1").start_and_wait()
    roles = [make_averages(mosquitto, postgresql.url).start_and_wait() for _ in range(2)]
    with (
        Listener(mosquitto.access) as listener,
        Load(mosquitto.access, ENDLESS, RATE, Kind.NUMBERS) as load,
    ):
        listener.subscribe("STATS/#")
        stage = Stage(mosquitto, roles, listener)
        stage.hear(3)
        for _ in range(times):
            leader = stage.leader()
            leader.kill()
            stage.hear(3)
            leader.start_and_wait()
        load.finish()
        settle(mosquitto.access, oracle, load)
        verdict = judge(oracle, load)
        gap = listener.longest_gap()
        report.add(f"leader kill -9, {times} times: {gap:.1f} s without averages at most", "no ids", verdict)
        wait_for_average(listener, oracle, [load])
        assert gap < LONGEST_GAP
        assert stage.connections == 1 + times
        stage.assert_one_at_a_time()
    assert member.running


@sizes("times", quick=1, full=5)
def test_leader_stands_still(
    *,
    mosquitto: Mosquitto,
    make_member: MakeMember,
    make_averages: MakeAverages,
    postgresql: Database,
    oracle: Oracle,
    report: Report,
    times: int,
) -> None:
    """The other one goes on. Who stood still finds that it leads no longer, and publishes nothing."""
    make_member(mosquitto, postgresql.url, MEMBERS="1").start_and_wait()
    roles = [make_averages(mosquitto, postgresql.url).start_and_wait() for _ in range(2)]
    with (
        Listener(mosquitto.access) as listener,
        Load(mosquitto.access, ENDLESS, RATE, Kind.NUMBERS) as load,
    ):
        listener.subscribe("STATS/#")
        stage = Stage(mosquitto, roles, listener)
        stage.hear(3)
        for _ in range(times):
            leader = stage.leader()
            with standing_still(leader.pid):
                time.sleep(STANDSTILL)
            stage.hear(3)
            assert stage.leader() is not leader
            assert not leads(leader)
        load.finish()
        settle(mosquitto.access, oracle, load)
        verdict = judge(oracle, load)
        gap = listener.longest_gap()
        report.add(
            f"leader stands still for {STANDSTILL:g} s, {times} times: {gap:.1f} s without averages at most",
            "no ids",
            verdict,
        )
        wait_for_average(listener, oracle, [load])
        assert gap < LONGEST_GAP
        assert stage.connections == 1 + times
        stage.assert_one_at_a_time()
