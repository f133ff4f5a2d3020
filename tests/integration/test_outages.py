"""The broker or the subscriber goes away and comes back."""

import json
import signal
from pathlib import Path

from tests.conftest import MakeRole
from tests.support.brokers import Broker, Mosquitto
from tests.support.database import expected_average, values, wait_for_rows
from tests.support.mqtt_client import Peer
from tests.support.processes import end_well
from tests.support.waiting import stays, wait_for

FAST = {"STATS_INTERVAL": "100ms"}


def numbers(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]


def test_what_was_sent_meanwhile_is_stored(mosquitto: Mosquitto, make_role: MakeRole, database: Path) -> None:
    """The session keeps what is published while the subscriber is stopped, or has crashed; once, in order."""
    subscriber = make_role("subscriber", broker=mosquitto, **FAST)
    with Peer(mosquitto.access) as peer:
        subscriber.start_and_wait()
        peer.publish("DATA", *numbers(1, 100))
        end_well(signal.SIGTERM, subscriber)
        peer.publish("DATA", *numbers(101, 1300))
        assert len(values(database)) <= 100
        subscriber.start_and_wait()
        wait_for_rows(database, 1300)
        subscriber.kill()
        peer.publish("DATA", *numbers(1301, 1400))
        subscriber.start_and_wait()
        wait_for_rows(database, 1400)
    assert values(database) == [float(number) for number in range(1, 1401)]


def test_first_averages_after_a_restart(mosquitto: Mosquitto, make_role: MakeRole, database: Path) -> None:
    """The first averages that a new start publishes are right: those of all that is stored."""
    subscriber = make_role("subscriber", broker=mosquitto, **FAST)
    with Peer(mosquitto.access) as peer:
        subscriber.start_and_wait()
        peer.publish("DATA", "0.1", "0.2", "0.3", "1e17")
        wait_for_rows(database, 4)
        subscriber.kill()
        peer.subscribe("STATS").wait_for_message("STATS")  # the retained one
        before = len(peer.on("STATS"))
        subscriber.start_and_wait()
        first = peer.wait_for_message("STATS", after=before)
    assert not first.retained
    assert json.loads(first.payload) == dict.fromkeys(
        ("avg_1min", "avg_5min", "avg_30min"), expected_average(database, 1800)
    )


def test_broker_comes_later(absent_mosquitto: Mosquitto, make_role: MakeRole, database: Path) -> None:
    """Without a broker a role says so once, wastes no time, and works as soon as there is one."""
    subscriber = make_role("subscriber", broker=absent_mosquitto, **FAST).start()
    stats = make_role("stats", "--format", "json", broker=absent_mosquitto).start()
    for role in (subscriber, stats):
        role.wait_for_complaint(absent_mosquitto.address)
    busy = subscriber.cpu_seconds + stats.cpu_seconds
    stays(
        lambda: [len(role.complaints(absent_mosquitto.address)) for role in (subscriber, stats)] == [1, 1],
        "one line each",
        2.5,
    )
    assert subscriber.cpu_seconds + stats.cpu_seconds - busy < 0.5
    assert subscriber.running
    assert stats.running
    absent_mosquitto.start()
    for role in (subscriber, stats):
        role.wait_healthy()
        assert len(role.complaints(absent_mosquitto.address)) == 1
    with Peer(absent_mosquitto.access) as peer:
        peer.publish("DATA", "21.5")
    wait_for_rows(database, 1)
    wait_for(lambda: '"avg_30min": 21.5' in stats.stdout, lambda: f"the average on {stats.stdout}")


def test_publisher_waits_for_the_broker(absent_mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """What the publisher had to say without a broker is sent when there is one."""
    publisher = make_role("publisher", "--count", "2", "--max-interval", "1s", broker=absent_mosquitto)
    publisher.start().wait_for_complaint(absent_mosquitto.address)
    absent_mosquitto.start()
    assert publisher.wait() == 0
    assert len(absent_mosquitto.packets("Received PUBLISH from averages-publisher")) == 2
    assert len(publisher.complaints(absent_mosquitto.address)) == 1


def test_broker_restarts(either_broker: Broker, make_role: MakeRole, database: Path) -> None:
    """After the broker was gone all roles go on by themselves; each told the outage once."""
    subscriber = make_role("subscriber", broker=either_broker, **FAST).start_and_wait()
    stats = make_role("stats", "--format", "json", broker=either_broker).start_and_wait()
    publisher = make_role(
        "publisher", "--min-interval", "100ms", "--max-interval", "100ms", broker=either_broker
    ).start_and_wait()
    wait_for_rows(database, 3)
    either_broker.stop()
    for role in (subscriber, stats, publisher):
        role.wait_for_complaint(either_broker.address)
    stored, printed = len(values(database)), len(stats.stdout.splitlines())
    either_broker.start()
    wait_for_rows(database, stored + 5)
    wait_for(lambda: len(stats.stdout.splitlines()) > printed + 2, "new averages on the console")
    for role in (subscriber, stats, publisher):
        assert len(role.complaints(either_broker.address)) == 1


def test_nothing_is_lost_when_mosquitto_restarts(
    mosquitto: Mosquitto, make_role: MakeRole, database: Path
) -> None:
    """What was acknowledged to a publisher is stored once, in order, though the broker was restarted."""
    make_role("subscriber", broker=mosquitto, **FAST).start_and_wait()
    with Peer(mosquitto.access) as peer:
        peer.publish("DATA", *numbers(1, 200))
    mosquitto.restart()
    with Peer(mosquitto.access) as peer:
        peer.publish("DATA", *numbers(201, 400))
        wait_for_rows(database, 400)
    assert values(database) == [float(number) for number in range(1, 401)]


def test_state(either_broker: Broker, make_role: MakeRole) -> None:
    """`$state` is online while the subscriber is there, and offline after its end or its crash; retained."""
    subscriber = make_role("subscriber", broker=either_broker, **FAST)

    def retained_state() -> bytes:
        with Peer(either_broker.access) as late:
            message = late.subscribe("STATS/$state").wait_for_message("STATS/$state")
        assert message.retained
        return message.payload

    with Peer(either_broker.access) as peer:
        peer.subscribe("STATS/$state")
        for end in (subscriber.stop, subscriber.kill):
            before = len(peer.messages)
            subscriber.start_and_wait()
            peer.wait_for_message("STATS/$state", b"online", after=before)
            assert retained_state() == b"online"
            end()
            peer.wait_for_message("STATS/$state", b"offline", after=before)
            assert retained_state() == b"offline"


def test_state_after_the_broker_restarts(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """The subscriber says online again on a new connection, after the will of the old one."""
    make_role("subscriber", broker=mosquitto, **FAST).start_and_wait()
    mosquitto.kill()
    mosquitto.start()
    with Peer(mosquitto.access) as peer:
        peer.subscribe("STATS/$state")
        wait_for(lambda: peer.messages and not peer.messages[-1].retained, "a new word on $state")
        assert peer.messages[-1].payload == b"online"
