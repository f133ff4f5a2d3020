"""A message of megabytes is rejected and told; it holds up nothing behind it, and fills no memory."""

from pathlib import Path

import pytest

from scheduler_app.mqtt.packets import KEPT_PAYLOAD, LARGEST_PACKET
from scheduler_app.mqtt.paho_client import MAXIMUM_PACKET_SIZE
from tests.conftest import MakeRole
from tests.support.brokers import Broker
from tests.support.database import rejected, values, wait_for_rows
from tests.support.mqtt_client import Peer

# Over WebSockets it is the same code, but Mosquitto sends 40 kB a second there.
BROKERS = pytest.mark.parametrize("kind", ["mosquitto", "mosquitto_tls"])


@BROKERS
@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_large_message(
    request: pytest.FixtureRequest, make_role: MakeRole, database: Path, kind: str, version: str
) -> None:
    broker: Broker = request.getfixturevalue(kind)
    large = b"x" * (3 * LARGEST_PACKET)
    role = make_role("subscriber", broker=broker, MQTT_VERSION=version).start_and_wait()
    with Peer(broker.access) as peer:
        peer.publish("DATA", "1", large, "2", large, "3")
    wait_for_rows(database, 3)
    assert values(database) == [1.0, 2.0, 3.0]
    assert rejected(database) == 2 * [("DATA", large[:KEPT_PAYLOAD], "too long")]
    [told] = role.complaints()
    assert f"{len(large)} bytes" in told


def test_what_is_larger_than_we_take_by_mqtt_5_does_not_come(
    mosquitto: Broker, make_role: MakeRole, database: Path
) -> None:
    make_role("subscriber", broker=mosquitto, MQTT_VERSION="5").start_and_wait()
    with Peer(mosquitto.access) as peer:
        peer.publish("DATA", "1", b"x" * MAXIMUM_PACKET_SIZE, "2")
    wait_for_rows(database, 2)
    assert rejected(database) == []
