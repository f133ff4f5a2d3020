"""The machine of the primary is gone, and its standby is promoted."""

import time
from enum import StrEnum
from random import Random

import pytest

from tests.conftest import MakeRole
from tests.faults.faults import SEED
from tests.faults.load import ENDLESS, Kind, Load
from tests.faults.postgresql.conftest import MEMBERS, MakeAverages, MakeMember
from tests.faults.postgresql.oracle import Oracle, judge, settle, storing, wait_for_average
from tests.faults.postgresql.pair import Pair
from tests.faults.sizes import sizes
from tests.faults.verdict import Report
from tests.support.brokers import Mosquitto
from tests.support.mqtt_client import Peer
from tests.support.waiting import wait_for

pytestmark = pytest.mark.postgresql

RATE = 500.0


class Moment(StrEnum):
    """At which moment of a COMMIT the primary dies."""

    ANY = "at any moment"
    # Others cannot see yet what is committed, and the standby has not got it.
    BEFORE = "before the standby has it"
    # The same, but the standby has it: when it is promoted, the COMMIT has happened.
    AFTER = "when the standby has it"


@sizes("kind, rounds", quick=(Kind.NUMBERS, 1), full=[(Kind.NUMBERS, 5), (Kind.IDS, 5)])
def test_primary_killed(
    *,
    mosquitto: Mosquitto,
    make_member: MakeMember,
    make_averages: MakeAverages,
    report: Report,
    kind: Kind,
    rounds: int,
) -> None:
    """Nothing is lost, nothing counts twice: whether a COMMIT without an answer has happened is looked up."""
    random = Random(SEED)
    happened = in_doubt = 0
    with Pair() as pair, Oracle(pair.url) as oracle, Peer(mosquitto.access) as peer:
        url = pair.url
        for _ in range(MEMBERS):
            make_member(mosquitto, url).start_and_wait()
        make_averages(mosquitto, url).start_and_wait()
        peer.subscribe("STATS")
        with Load(mosquitto.access, ENDLESS, RATE, kind) as load:
            for moment in list(Moment) * rounds:
                storing(oracle)
                time.sleep(random.uniform(0.0, 0.5))
                if moment is Moment.BEFORE:
                    pair.primary.hold_back_standby()
                elif moment is Moment.AFTER:
                    pair.swallow_answers()
                if moment is not Moment.ANY:
                    pair.wait_until_in_doubt()
                    in_doubt += 1
                if moment is Moment.AFTER:
                    wait_for(lambda: _more_on_standby(pair), "the standby has what the primary hides")
                    happened += 1
                pair.fail_over()
                pair.add_standby()
                storing(oracle)
            load.finish()
            settle(mosquitto.access, oracle, load, members=MEMBERS)
            verdict = judge(oracle, load)
        report.add(
            f"primary kill -9, {rounds * len(Moment)} times; {in_doubt} COMMITs surely in doubt, "
            f"{happened} of them had happened",
            kind,
            verdict,
        )
        verdict.assert_exactly_once()
        wait_for_average(peer, oracle, [load])


def _more_on_standby(pair: Pair) -> bool:
    return pair.numbers(pair.standby) > pair.numbers(pair.primary)


@sizes("seconds", quick=2.0, full=10.0)
def test_standby_behind(
    *,
    mosquitto: Mosquitto,
    make_member: MakeMember,
    make_averages: MakeAverages,
    report: Report,
    seconds: float,
) -> None:
    """What a standby that is not synchronous has not got is lost: that is told, and counted by nobody."""
    with Pair(synchronous=False) as pair, Oracle(pair.url) as oracle, Peer(mosquitto.access) as peer:
        url = pair.url
        for _ in range(MEMBERS):
            make_member(mosquitto, url).start_and_wait()
        averages = make_averages(mosquitto, url).start_and_wait()
        peer.subscribe("STATS")
        with Load(mosquitto.access, ENDLESS, RATE, Kind.IDS) as load:
            storing(oracle)
            pair.primary.hold_back_standby()
            time.sleep(seconds)
            before = oracle.stored()
            pair.fail_over()
            storing(oracle)
            load.finish()
            with Peer(mosquitto.access) as marking:
                marking.publish("DATA", '{"number": -1, "id": "a mark"}')
            settle(mosquitto.access, oracle, members=MEMBERS)
            verdict = judge(oracle, load)
        lost = verdict.lost.total()
        report.add(f"primary kill -9, its asynchronous standby {seconds:g} s behind", "ids", verdict)
        verdict.assert_nothing_double()
        assert lost > 0, "the standby was not behind: nothing is shown"
        # what was stored while we looked
        assert (verdict.lost - before).total() < RATE, "more is lost than was stored when the primary died"
        assert averages.complaints("has lost readings"), averages.stderr
        wait_for_average(peer, oracle)


def test_standby_behind_of_one_subscriber(
    *, mosquitto: Mosquitto, make_role: MakeRole, report: Report
) -> None:
    """The same of a single subscriber: it ends, having in memory what is lost, and is right when started."""
    with Pair(synchronous=False) as pair, Oracle(pair.url) as oracle, Peer(mosquitto.access) as peer:
        settings = {"DB_URL": pair.url, "STATS_INTERVAL": "1s"}
        subscriber = make_role("subscriber", broker=mosquitto, **settings).start_and_wait()
        peer.subscribe("STATS")
        with Load(mosquitto.access, ENDLESS, RATE, Kind.IDS) as load:
            storing(oracle)
            pair.primary.hold_back_standby()
            time.sleep(2.0)
            pair.fail_over()
            assert subscriber.wait() == 1
            assert "has lost readings" in subscriber.stderr
            subscriber.start()
            storing(oracle)
            load.finish()
            settle(mosquitto.access, oracle)
            verdict = judge(oracle, load)
        report.add("the same, of a single subscriber", "ids", verdict)
        verdict.assert_nothing_double()
        assert verdict.lost.total() > 0, "the standby was not behind: nothing is shown"
        wait_for_average(peer, oracle)
