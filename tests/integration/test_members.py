"""Several subscribers on one PostgreSQL, behind a shared subscription: who takes in what when one dies."""

import signal
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from tests.conftest import MakeRole
from tests.support.brokers import Mosquitto
from tests.support.mqtt_client import Peer
from tests.support.postgresql import Database
from tests.support.processes import Role
from tests.support.waiting import wait_for


class Members:
    """Subscribers that share what is on `in/#`, with slots for two of them."""

    def __init__(self, make_role: MakeRole, broker: Mosquitto, database: Database) -> None:
        self._make_role = make_role
        self._broker = broker
        self._database = database
        self._roles: list[Role] = []

    def start(self, command: str = "subscriber", **settings: str) -> Role:
        usual = {"DB_URL": self._database.url, "TOPIC": "in/#", "STATS_INTERVAL": "1s", "WINDOWS": "1min"}
        if command == "subscriber":
            usual |= {"MEMBERS": "2", "SHARE": "g"}
        role = self._make_role(command, broker=self._broker, **(usual | settings))
        role.start_and_wait()
        self._roles.append(role)
        return role

    def holder(self, slot: int) -> Role | None:
        """Return who has a slot; None if it is none of those that run."""
        found = self._database.sql(f"SELECT process FROM slot WHERE number = {slot}")
        processes = {int(process) for [process] in found}
        return next((role for role in self._roles if role.running and role.pid in processes), None)

    @property
    def values(self) -> Counter[float]:
        return Counter(float(value) for [value] in self._database.sql("SELECT value FROM reading"))

    def have_stored(self, count: int) -> bool:
        return self.values.total() == count

    def counted(self, name: str) -> int:
        return int(self._database.sql(f"SELECT coalesce(sum({name}), 0) FROM member")[0][0])


@pytest.fixture
def members(make_role: MakeRole, mosquitto: Mosquitto, postgresql: Database) -> Members:
    return Members(make_role, mosquitto, postgresql)


@pytest.fixture
def peer(mosquitto: Mosquitto) -> Iterator[Peer]:
    with Peer(mosquitto.access) as peer:
        yield peer


def test_a_spare_takes_over_what_waits_for_a_member_that_was_killed(members: Members, peer: Peer) -> None:
    """Nothing is lost, nothing counts twice, and each member has its part."""
    for _ in range(3):
        members.start()
    first, second = members.holder(1), members.holder(2)
    assert first is not None
    assert second is not None
    numbers = iter(range(10_000))

    def publish(count: int) -> None:
        peer.publish("in/a", *(str(next(numbers)) for _ in range(count)))

    publish(500)
    wait_for(lambda: members.values.total() >= 400, "readings are stored")
    first.kill()
    publish(500)
    wait_for(lambda: members.holder(1) not in (None, first), "the spare takes the slot")
    publish(500)
    sent = Counter(map(float, range(1500)))
    wait_for(
        lambda: members.values == sent,
        lambda: f"{members.values - sent} double, {sent - members.values} lost",
    )
    assert members.holder(2) is second
    assert members.counted("received") == 1500 + members.counted("duplicates")


def test_a_member_that_was_stopped_for_long_stores_nothing_more_under_its_slot(
    members: Members, peer: Peer
) -> None:
    """When it wakes up it is a spare, and takes a slot again when one is free."""
    for _ in range(3):
        members.start()
    stopped, other = members.holder(1), members.holder(2)
    assert stopped is not None
    assert other is not None
    stopped.send(signal.SIGSTOP)
    peer.publish("in/a", *map(str, range(200)))
    wait_for(lambda: members.holder(1) not in (None, stopped), "the spare takes the slot")
    stopped.send(signal.SIGCONT)
    stopped.wait_for_log("waits for a slot")
    peer.publish("in/a", *map(str, range(200, 400)))
    sent = Counter(map(float, range(400)))
    wait_for(
        lambda: members.values == sent,
        lambda: f"{members.values - sent} double, {sent - members.values} lost",
    )
    other.kill()
    wait_for(lambda: members.holder(2) is stopped, "it takes the slot that is free")


def test_a_member_that_has_lost_its_connection_for_a_moment_goes_on(
    members: Members, peer: Peer, postgresql: Database
) -> None:
    """It has its slot again before anybody else asks for it; nothing is started anew."""
    member = members.start(MEMBERS="1")
    ended = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1"
    for count in (100, 200):
        peer.publish("in/a", *map(str, range(count - 100, count)))
        wait_for(partial(members.have_stored, count), f"{count} readings are stored")
        postgresql.sql(
            f"{ended} AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    peer.publish("in/a", "200")
    wait_for(lambda: members.values == Counter(map(float, range(201))), "all are stored, each once")
    assert members.holder(1) is member
    assert "waits for a slot" not in member.stderr


def test_one_leads_and_another_takes_over_when_it_is_killed(members: Members, peer: Peer) -> None:
    """The averages go on, and are those of what is stored."""
    members.start()
    members.start()
    processes = [members.start("averages"), members.start("averages")]
    peer.subscribe("STATS/#")
    peer.publish("in/a", "1", "2", "3")
    peer.wait_for_message("STATS", b'{"avg_1min": 2}')
    leader = next(role for role in processes if "this process leads" in role.stderr)
    [follower] = (role for role in processes if role is not leader)
    assert "another process leads" in follower.stderr
    leader.kill()
    follower.wait_for_log("this process leads")
    peer.publish("in/b", "10")
    peer.wait_for_message("STATS", b'{"avg_1min": 4}')


def test_a_leader_that_was_stopped_publishes_nothing_when_it_wakes_up(members: Members, peer: Peer) -> None:
    """Another leads by then. What is published afterwards is all of one process, in the order of time."""
    members.start()
    processes = [members.start("averages"), members.start("averages")]
    peer.subscribe("STATS/#")
    peer.publish("in/a", "1")
    peer.wait_for_message("STATS", b'{"avg_1min": 1}')
    leader = next(role for role in processes if "this process leads" in role.stderr)
    [follower] = (role for role in processes if role is not leader)
    leader.send(signal.SIGSTOP)
    follower.wait_for_log("this process leads")
    peer.publish("in/a", "3")
    peer.wait_for_message("STATS", b'{"avg_1min": 2}')
    before = len(peer.on("STATS"))
    leader.send(signal.SIGCONT)
    leader.wait_for_log("the lead is lost")
    leader.wait_for_log("another process leads")
    wait_for(lambda: len(peer.on("STATS")) >= before + 3, "the other one goes on")
    assert {message.payload for message in peer.on("STATS")[before:]} == {b'{"avg_1min": 2}'}
    assert follower.stderr.count("this process leads") == 1


def test_it_is_told_that_a_slot_is_empty(members: Members, make_role: MakeRole, mosquitto: Mosquitto) -> None:
    """Its part of what is shared waits in its queue."""
    members.start()
    averages = members.start("averages")
    first = members.holder(1)
    assert first is not None
    assert first.stop() == 0
    averages.wait_for_log("slot 1 is empty: its part of the shared messages waits at the broker")
    status = make_role("status", broker=mosquitto)
    assert status.start().wait() == 0
    assert "1: nobody" in status.stdout
    assert "trouble: slot 1 is empty" in status.stdout


def test_members_and_a_subscriber_that_does_everything_keep_each_other_out(
    members: Members, make_role: MakeRole, mosquitto: Mosquitto, postgresql: Database
) -> None:
    """In one line, whoever comes second; and so do those that take averages."""
    alone = make_role("subscriber", broker=mosquitto, DB_URL=postgresql.url)
    alone.start_and_wait()
    for command, settings in (("subscriber", {"MEMBERS": "2"}), ("averages", {})):
        role = make_role(command, broker=mosquitto, DB_URL=postgresql.url, **settings)
        assert role.start().wait() == 1
        assert "is in use by a subscriber without MEMBERS" in role.stderr
    assert alone.stop() == 0
    members.start()
    second = make_role("subscriber", broker=mosquitto, DB_URL=postgresql.url)
    assert second.start().wait() == 1
    assert "is in use by another subscriber" in second.stderr
