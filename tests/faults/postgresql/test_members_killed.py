"""Members that share the topics die by SIGKILL, again and again, at every point of their work."""

import time
from random import Random

import pytest

from tests.faults.faults import SEED
from tests.faults.load import ENDLESS, Kind, Load
from tests.faults.postgresql.conftest import MEMBERS, MakeAverages, MakeMember
from tests.faults.postgresql.oracle import Oracle, judge, settle, storing, wait_for_average
from tests.faults.sizes import sizes
from tests.faults.verdict import Report
from tests.support.brokers import Mosquitto
from tests.support.mqtt_client import Peer
from tests.support.postgresql import Database
from tests.support.processes import Role
from tests.support.waiting import wait_for

pytestmark = pytest.mark.postgresql

RATE = 500.0
# Seconds in which a spare must have the slot of a member that is dead.
TAKEOVER = 5.0


@sizes("kills", quick=3, full=30)
@pytest.mark.parametrize("kind", Kind)
def test_killed(
    *,
    mosquitto: Mosquitto,
    make_member: MakeMember,
    make_averages: MakeAverages,
    postgresql: Database,
    oracle: Oracle,
    report: Report,
    kind: Kind,
    kills: int,
) -> None:
    """Every reading is stored once, with an id or without, and is in the averages once."""
    members = [make_member(mosquitto, postgresql.url).start_and_wait() for _ in range(MEMBERS)]
    make_averages(mosquitto, postgresql.url).start_and_wait()
    with Peer(mosquitto.access) as peer, Load(mosquitto.access, ENDLESS, RATE, kind) as load:
        peer.subscribe("STATS")
        _kill_in_turn(members, oracle, kills)
        load.finish()
        settle(mosquitto.access, oracle, load, members=MEMBERS)
        verdict = judge(oracle, load)
        report.add(f"members kill -9, {kills} times, $share", kind, verdict)
        verdict.assert_exactly_once()
        wait_for_average(peer, oracle, [load])


def _kill_in_turn(members: list[Role], oracle: Oracle, times: int) -> None:
    """Kill one of the members and start it again, so many times.

    One life in four ends while it starts; the others end when something is being stored.
    """
    random = Random(SEED)
    for _ in range(times):
        victim = random.choice(members)
        if random.random() < 0.25:
            time.sleep(random.uniform(0.15, 0.5))
        else:
            victim.wait_healthy()
            storing(oracle)
            time.sleep(random.choice([0.0, random.uniform(0.0, 0.5)]))
        victim.kill()
        time.sleep(random.choice([0.0, random.uniform(0.0, 1.0)]))
        victim.start()


@sizes("deaths", quick=1, full=6)
@pytest.mark.parametrize("kind", [Kind.NUMBERS])
def test_gone_for_good(
    *,
    mosquitto: Mosquitto,
    make_member: MakeMember,
    postgresql: Database,
    oracle: Oracle,
    report: Report,
    kind: Kind,
    deaths: int,
) -> None:
    """A spare takes the slot of a member that does not come back, its queue, and what it had stored."""
    running = [make_member(mosquitto, postgresql.url).start_and_wait() for _ in range(MEMBERS)]
    took = []
    with Load(mosquitto.access, ENDLESS, RATE, kind) as load:
        for _ in range(deaths):
            spare = make_member(mosquitto, postgresql.url).start_and_wait()
            assert spare.pid not in holders(oracle)
            storing(oracle)
            victim = running.pop(0)
            began = time.monotonic()
            victim.kill()
            wait_for(lambda spare=spare: spare.pid in holders(oracle), "the spare has a slot")  # type: ignore[misc]
            took.append(time.monotonic() - began)
            running.append(spare)
        load.finish()
        settle(mosquitto.access, oracle, load, members=MEMBERS)
        verdict = judge(oracle, load)
    longest = max(took)
    report.add(
        f"members gone for good: {deaths}; a spare has the slot after {longest:.1f} s at most",
        kind,
        verdict,
    )
    verdict.assert_exactly_once()
    assert longest < TAKEOVER


def holders(oracle: Oracle) -> set[int]:
    """Return the process ids of those who have a slot."""
    return {process for (process,) in oracle.rows("SELECT process FROM slot")}
