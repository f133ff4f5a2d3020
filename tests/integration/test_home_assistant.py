"""What Home Assistant is told goes over real brokers, and is taken back."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeRole
from tests.support.brokers import Broker, Mosquitto
from tests.support.mqtt_client import Peer
from tests.support.waiting import wait_for

CONFIG = "homeassistant/device/averages_75e5b928_ca978112ca1bbdca/config"
SETTINGS = {"TOPIC": "a", "HA_DISCOVERY": "#", "STATS_INTERVAL": "1s"}


def output(make_role: MakeRole, broker: Broker, *arguments: str) -> str:
    """Return what a command prints."""
    role = make_role(*arguments, broker=broker, **SETTINGS).start()
    assert role.wait() == 0, role.stderr
    return role.stdout


def entities(peer: Peer) -> int:
    """Return how many entities the latest discovery message has."""
    payload = peer.on(CONFIG)[-1].payload
    return len(json.loads(payload)["components"]) if payload else 0


def test_averages_are_announced_and_taken_back(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    with Peer(mosquitto.access) as peer:
        peer.subscribe("homeassistant/device/#")
        assert "told of 0 devices with 0 entities" in output(make_role, mosquitto, "home-assistant")
        make_role("subscriber", broker=mosquitto, **SETTINGS).start_and_wait()
        peer.publish("a", "21.5")
        peer.wait_for_message(CONFIG)
        assert entities(peer) == 3
        told = output(make_role, mosquitto, "home-assistant", "--remove").splitlines()
        assert told[:2] == [
            "Home Assistant is told of 1 devices with 3 entities below homeassistant",
            "removed 1 devices",
        ]
        assert told[2].startswith("the subscriber is running")
        assert [len(each.payload) > 0 for each in peer.on(CONFIG)] == [True, False]
        assert "told of 0 devices" in output(make_role, mosquitto, "home-assistant")


def test_a_window_that_is_gone_is_taken_back(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    with Peer(mosquitto.access) as peer:
        peer.subscribe("homeassistant/device/#")
        subscriber = make_role("subscriber", broker=mosquitto, **SETTINGS).start_and_wait()
        peer.publish("a", "21.5")
        peer.wait_for_message(CONFIG)
        subscriber.stop()
        make_role("subscriber", broker=mosquitto, **SETTINGS, WINDOWS="1min").start_and_wait()
        wait_for(lambda: entities(peer) == 1, "the windows that are gone are taken back")
        assert [len(json.loads(each.payload)["components"]) for each in peer.on(CONFIG)] == [3, 3, 1]


def test_a_broker_that_keeps_nothing_is_told_when_home_assistant_comes(
    tmp_path: Path, make_role: MakeRole, started: Callable[..., Mosquitto]
) -> None:
    broker = started(settings=["retain_available false"])
    with Peer(broker.access) as peer:
        peer.subscribe(CONFIG)
        make_role("subscriber", broker=broker, **SETTINGS).start_and_wait()
        peer.publish("a", "21.5")
        peer.wait_for_message(CONFIG)
        peer.publish("homeassistant/status", "online")
        peer.wait_for_message(CONFIG, after=1)


def test_check_tells_whether_anybody_listens(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    assert "discovery nobody listens below homeassistant" in output(make_role, mosquitto, "check")
    with Peer(mosquitto.access) as peer:
        peer.subscribe("homeassistant/+/+/config")
        assert "discovery somebody listens" in output(make_role, mosquitto, "check")
    with Peer(mosquitto.access) as peer:
        peer.publish("homeassistant/status", "offline", retain=True)
    assert "discovery homeassistant/status says that Home Assistant is offline" in output(
        make_role, mosquitto, "check"
    )


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Start brokers with settings of their own."""
    brokers: list[Mosquitto] = []

    def start(settings: list[str]) -> Mosquitto:
        folder = tmp_path / "other-broker"
        folder.mkdir()
        brokers.append(Mosquitto(folder, settings=settings))
        brokers[-1].start()
        return brokers[-1]

    yield start
    for broker in brokers:
        broker.end()
