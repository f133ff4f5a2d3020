"""Acknowledgements follow the commit, and nothing holds them up but the database."""

import json
import signal
import time
from pathlib import Path

from tests.conftest import MakeRole
from tests.support.brokers import Broker, Mosquitto
from tests.support.database import counters, locked, rejected, values, wait_for_rows
from tests.support.mqtt_client import Peer
from tests.support.processes import end_well
from tests.support.waiting import stays, wait_for

SENT = "Sending PUBLISH to averages-subscriber"
ACKNOWLEDGED = "Received PUBACK from averages-subscriber"
NOTHING_TO_READ = [b"", b"null", b'{"number": null}', b'"unavailable"', b"[]"]
NO_READINGS = [
    b"hello",
    b"\xff\xfe\xfd",
    b"true",
    b'"warm"',
    b"NaN",
    b"1e999",
    b"[" * 60_000,
    b"9" * 70_000,
    b'{"number": true}',
    b'{"number": -Infinity}',
    b'{"number": 1, "epochtime": "soon"}',
    b'{"number": 1, "epochtime": 1e12}',
    b'{"number": "\\ud800"}',
    json.dumps({"number": 1, "epochtime": time.time() + 3600}).encode(),
]


def test_locked_database(mosquitto: Mosquitto, make_role: MakeRole, database: Path) -> None:
    """While another process holds the database nothing is acknowledged; afterwards all is, stored once."""
    subscriber = make_role("subscriber", broker=mosquitto, STATS_INTERVAL="100ms").start_and_wait()
    with Peer(mosquitto.access) as peer:
        peer.publish("DATA", "0")
        wait_for_rows(database, 1)
        wait_for(lambda: len(mosquitto.packets(ACKNOWLEDGED)) == 1, "the PUBACK")
        with locked(database):
            peer.publish("DATA", *map(str, range(1, 51)))
            wait_for(lambda: len(mosquitto.packets(SENT)) == 51, "the broker hands all over")
            stays(lambda: len(mosquitto.packets(ACKNOWLEDGED)) == 1, "no PUBACK", 1.5)
            assert len(values(database)) == 1
        wait_for_rows(database, 51)
        wait_for(lambda: len(mosquitto.packets(ACKNOWLEDGED)) == 51, "all PUBACKs")
    assert values(database) == [float(number) for number in range(51)]
    assert len(subscriber.log_lines("ERROR")) == 1
    assert "locked" in subscriber.log_lines("ERROR")[0]


def test_crash_while_the_database_is_locked(
    mosquitto: Mosquitto, make_role: MakeRole, database: Path
) -> None:
    """What was received and not committed is delivered again to the next start, and stored once."""
    subscriber = make_role("subscriber", broker=mosquitto).start_and_wait()
    with Peer(mosquitto.access) as peer, locked(database):
        peer.publish("DATA", *map(str, range(50)))
        subscriber.wait_for_log("ERROR")
        subscriber.kill()
    assert values(database) == []
    subscriber.start_and_wait()
    wait_for_rows(database, 50)
    wait_for(lambda: len(mosquitto.packets(ACKNOWLEDGED)) == 50, "all PUBACKs")
    assert values(database) == [float(number) for number in range(50)]


def test_stop_while_the_database_is_locked(mosquitto: Mosquitto, make_role: MakeRole, database: Path) -> None:
    """A subscriber that cannot store ends in time and acknowledges nothing; the next start stores all."""
    subscriber = make_role("subscriber", broker=mosquitto).start_and_wait()
    with Peer(mosquitto.access) as peer, locked(database):
        peer.publish("DATA", *map(str, range(50)))
        subscriber.wait_for_log("ERROR")
        end_well(signal.SIGTERM, subscriber)
        assert mosquitto.packets(ACKNOWLEDGED) == []
    subscriber.start_and_wait()
    wait_for_rows(database, 50)
    assert values(database) == [float(number) for number in range(50)]


def test_rejected_messages_stall_nothing(either_broker: Broker, make_role: MakeRole, database: Path) -> None:
    """Each message that is no reading is kept or ignored, and acknowledged; those around it are stored."""
    subscriber = make_role("subscriber", broker=either_broker, STATS_INTERVAL="100ms").start_and_wait()
    others = [*NOTHING_TO_READ, *NO_READINGS]
    with Peer(either_broker.access) as peer:
        for number, payload in enumerate(others):
            peer.publish("DATA", payload, str(number))
        wait_for_rows(database, len(others))
        wait_for(lambda: len(rejected(database)) == len(NO_READINGS), "all rejected messages")
    assert values(database) == [float(number) for number in range(len(others))]
    kept = rejected(database)
    assert [payload for _, payload, _ in kept] == [payload[:4096] for payload in NO_READINGS]
    assert {topic for topic, _, _ in kept} == {"DATA"}
    assert len({reason for _, _, reason in kept}) >= 8
    assert counters(database)["rejected"] == len(NO_READINGS)
    assert counters(database)["ignored"] == len(NOTHING_TO_READ)
    # a line for each reason, not for each message
    warnings = subscriber.log_lines("WARNING")
    rejections = [line for line in warnings if "rejected a message" in line]
    assert len(rejections) == len({reason for _, _, reason in kept})
    # on a slow machine ten ticks a second may be too many
    assert all("job statistics is still running" in line for line in warnings if line not in rejections)
    if isinstance(either_broker, Mosquitto):
        wait_for(lambda: len(either_broker.packets(ACKNOWLEDGED)) == 2 * len(others), "all PUBACKs")
        # once each: none was sent again on a new connection
        assert len(either_broker.packets(SENT)) == 2 * len(others)
