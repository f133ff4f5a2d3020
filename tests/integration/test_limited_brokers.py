"""Brokers that do not grant all we need: that is one line with its cure, and never silence."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeRole
from tests.support.brokers import Mosquitto
from tests.support.database import wait_for_rows
from tests.support.mqtt_client import Peer
from tests.support.processes import Role, manage
from tests.support.waiting import stays, wait_for

# How each is configured: lines before its listener, lines after it.
NO_RETAIN = (("retain_available false",), ())
SMALL_PACKETS = (("max_packet_size 300",), ())
NO_QOS_1 = ((), ("max_qos 0",))
READ_ONLY = (("acl_file acl",), ())

Configuration = tuple[tuple[str, ...], tuple[str, ...]]
MakeBroker = Callable[[Configuration], Mosquitto]


@pytest.fixture
def make_broker(tmp_path: Path) -> Iterator[MakeBroker]:
    """Make a Mosquitto by its configuration; `acl` lets everybody read everything and publish nothing."""
    made: list[Mosquitto] = []

    def make(configuration: Configuration) -> Mosquitto:
        folder = tmp_path / "broker"
        folder.mkdir()
        acl = folder / "acl"
        acl.write_text("topic read #\n")
        before, after = configuration
        settings = [line.replace("acl_file acl", f"acl_file {acl}") for line in before]
        broker = Mosquitto(folder, settings=settings, listener=after)
        made.append(broker)
        return broker.start()

    yield make
    for broker in made:
        broker.end()


def complaint(role: Role, about: str) -> str:
    """Return the one line that complains about it, once it is there."""
    role.wait_for_complaint(about)
    [line] = role.complaints(about)
    return line


def failures(output: str) -> list[str]:
    """Return what `check` says has failed, but for its last line."""
    return [line for line in output.splitlines() if line.startswith("FAIL") and "  result" not in line]


def test_without_retained_messages_all_is_published_all_the_same(
    make_broker: MakeBroker, make_role: MakeRole, tmp_path: Path
) -> None:
    """Whoever subscribes later sees the next statistics, and the state within seconds."""
    broker = make_broker(NO_RETAIN)
    subscriber = make_role("subscriber", broker=broker, STATS_INTERVAL="1s").start_and_wait()
    line = complaint(subscriber, "retained")
    assert "WARNING" in line
    assert "(Mosquitto: retain_available true)" in line
    with Peer(broker.access) as peer:
        peer.subscribe("STATS/#").publish("DATA", "5")
        peer.wait_for_message("STATS", b'{"avg_1min": 5, "avg_5min": 5, "avg_30min": 5}')
        peer.wait_for_message("STATS/$state", b"online")
    status = manage("status", folder=tmp_path, environment=broker.environment)
    assert status.returncode == 0, status.stderr
    assert re.search(r"^state +online$", status.stdout, re.MULTILINE)
    assert re.search(r"^trouble: the broker keeps no retained messages", status.stdout, re.MULTILINE)
    check = manage("check", folder=tmp_path, environment=broker.environment)
    assert check.returncode == 1
    assert "(Mosquitto: retain_available true)" in failures(check.stdout)[0]


@pytest.mark.parametrize(
    ("configuration", "cure"),
    [(SMALL_PACKETS, "(Mosquitto: max_packet_size)"), (NO_QOS_1, "(Mosquitto: max_qos 1)")],
)
def test_what_a_broker_tells_that_it_does_not_grant_is_one_line(
    make_broker: MakeBroker, make_role: MakeRole, tmp_path: Path, configuration: Configuration, cure: str
) -> None:
    broker = make_broker(configuration)
    subscriber = make_role("subscriber", broker=broker, STATS_INTERVAL="1s").start()
    subscriber.wait_for_complaint(cure)
    assert "ERROR" in subscriber.complaints(cure)[0]
    stays(lambda: not subscriber.healthy, "a subscriber that says by its health that all is not well", 3)
    with Peer(broker.access) as peer:
        peer.subscribe("STATS/#", qos=0)
        peer.wait_for_message("STATS")  # what can be published, is
    check = manage("check", folder=tmp_path, environment=broker.environment)
    assert check.returncode == 1
    assert cure in failures(check.stdout)[0]
    assert "Traceback" not in check.stderr


def test_a_message_that_is_too_large_leaves_out_no_other(
    make_broker: MakeBroker, make_role: MakeRole
) -> None:
    """The broker would end the connection at it, again and again."""
    broker = make_broker(SMALL_PACKETS)
    make_role("subscriber", broker=broker, STATS_INTERVAL="100ms").start()
    with Peer(broker.access) as peer:
        peer.subscribe("STATS")
        for _ in range(3):
            peer.wait_for_message("STATS", after=len(peer.on("STATS")))
    assert broker.packets("oversize") == []


@pytest.mark.parametrize(
    ("configuration", "cure", "told"),
    [
        (NO_RETAIN, "(Mosquitto: retain_available true, max_qos 1)", "retain_available true"),
        (NO_QOS_1, "(Mosquitto: max_qos 1)", "max_qos 1"),
        (SMALL_PACKETS, "max_packet_size", "max_packet_size"),
        (READ_ONLY, "rules (ACL)", "rules (ACL)"),
    ],
)
def test_what_a_broker_of_mqtt_3_1_1_does_not_grant_is_found_out(
    make_broker: MakeBroker, make_role: MakeRole, configuration: Configuration, cure: str, told: str
) -> None:
    """It tells nothing: it hangs up, or acknowledges and throws away. `told` is what `check` tells."""
    broker = make_broker(configuration)
    subscriber = make_role("subscriber", broker=broker, STATS_INTERVAL="1s", MQTT_VERSION="3.1.1").start()
    subscriber.wait_for_complaint(cure)
    assert not subscriber.healthy or configuration == SMALL_PACKETS  # some of it goes out
    check = make_role("check", broker=broker, MQTT_VERSION="3.1.1")
    assert check.start().wait() == 1
    assert told in failures(check.stdout)[0]


def test_rules_that_let_us_publish_nothing_are_one_line(
    make_broker: MakeBroker, make_role: MakeRole, tmp_path: Path, database: Path
) -> None:
    """And are followed as soon as they change."""
    broker = make_broker(READ_ONLY)
    subscriber = make_role("subscriber", broker=broker, STATS_INTERVAL="1s").start()
    line = complaint(subscriber, "refuses what we publish")
    assert "ERROR" in line
    assert (
        "Not authorized; have the broker's rules (ACL) allow us to publish on STATS/$state, STATS and" in line
    )
    assert not subscriber.healthy
    check = manage("check", folder=tmp_path, environment=broker.environment)
    assert check.returncode == 1
    assert "rules (ACL) allow us to publish on STATS and STATS/#" in failures(check.stdout)[0]
    (tmp_path / "broker" / "acl").write_text("topic readwrite #\n")
    broker.reload()
    subscriber.wait_healthy()
    with Peer(broker.access) as peer:
        peer.publish("DATA", "5")
    wait_for_rows(database, 1)


def test_the_first_of_two_subscribers_with_one_client_id_goes_on_when_the_second_ends(
    mosquitto: Mosquitto, make_role: MakeRole, database: Path
) -> None:
    """It is connected and online, and says so."""
    broker = mosquitto
    first = make_role("subscriber", broker=broker).start_and_wait()
    second = make_role("subscriber", broker=broker, DB_FILE="other.db").start()
    first.wait_for_complaint("connections in a row were lost")
    second.stop()
    before = first.stderr.count("connected to the broker")
    wait_for(
        lambda: first.stderr.count("connected to the broker") > before,
        lambda: f"the first says that it is connected:\n{first.stderr}",
    )
    with Peer(broker.access) as peer:
        assert peer.subscribe("STATS/$state").wait_for_message("STATS/$state").payload == b"online"
        peer.publish("DATA", "5")
    wait_for_rows(database, 1)
