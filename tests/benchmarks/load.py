"""Publishes readings faster than anybody takes them: raw sockets, packets that were built before.

    python -m tests.benchmarks.load PORT --count N [--topics N] [--rate R] [--devices | --ids-by-sender]

It prints `ready`, begins at a line on standard input, and prints `done` when the broker has
acknowledged all.
"""

import argparse
import json
import random
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from scheduler_app.mqtt.packets import PUBACK_SIZE
from tests.support.ports import HOST

# At the top of all topics; `bench/#` gets everything.
TOPIC = "bench"
# So many are on their way to the broker at once, and go out in one write.
_WINDOW = 2000
_TOGETHER = 100
_LAST_PACKET_ID = 65_535
# MQTT 3.1.1, a clean session, an hour's keepalive (section 3.1): the embedded broker refuses to have none.
_CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x0e\x10\x00\x04load"
_CONNACK_SIZE = 4


class Readings:
    """Builds PUBLISH packets: a random number with its time and, as our publisher gives, an id."""

    def __init__(self, topics: int) -> None:
        self._topics = [f"{TOPIC}/{number}".encode() for number in range(topics)]
        self._random = random.Random(topics)
        self._boot = secrets.token_hex(4)

    def packet(self, number: int) -> bytes:
        """Return the packet of reading `number`, whose event time is now (MQTT 3.1.1 section 3.3, QoS 1)."""
        topic = self._topics[number % len(self._topics)]
        packet_id = number % _LAST_PACKET_ID + 1
        body = len(topic).to_bytes(2, "big") + topic + packet_id.to_bytes(2, "big")
        body += json.dumps(self._message(number)).encode()
        return b"\x32" + _length(len(body)) + body

    def _message(self, number: int) -> dict[str, object]:
        return {
            "number": self._random_number(1, 100),
            "epochtime": round(time.time(), 6),
            "id": self._id(number),
        }

    def _id(self, number: int) -> str:
        """Return an id: all readings come from one sender, whatever their topics."""
        return f"{self._boot}-{number}"

    def _random_number(self, least: float, most: float) -> float:
        return round(self._random.uniform(least, most), 1)


class SensorReadings(Readings):
    """Builds readings of as many senders as there are topics: each counts its own."""

    def __init__(self, topics: int) -> None:
        super().__init__(topics)
        self._boots = [secrets.token_hex(4) for _ in range(topics)]

    def _id(self, number: int) -> str:
        count, sender = divmod(number, len(self._boots))
        return f"{self._boots[sender]}-{count}"


class Devices(Readings):
    """Builds what Zigbee2MQTT publishes of a climate sensor: twelve fields, four of which are read."""

    def _message(self, number: int) -> dict[str, object]:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        return {
            "battery": 97,
            "humidity": self._random_number(30, 70),
            "last_seen": now.replace("+00:00", "Z"),
            "linkquality": number % 255,
            "power_outage_count": 3,
            "pressure": self._random_number(990, 1030),
            "temperature": self._random_number(15, 25),
            "temperature_calibration": 0,
            "temperature_unit": "celsius",
            "trigger_count": number,
            "update": {"installed_version": 16777241, "latest_version": 16777241, "state": "idle"},
            "voltage": 3005,
        }


def _length(size: int) -> bytes:
    """Return a remaining length of up to two bytes (section 2.2.3)."""
    return bytes([size]) if size < 0x80 else bytes([size & 0x7F | 0x80, size >> 7])


class Window:
    """Sends on a socket, and waits for acknowledgements where too many are missing."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._missing = 0
        self._bytes = 0

    def send(self, packets: bytes, count: int) -> None:
        self._connection.sendall(packets)
        self._missing += count
        self.wait(_WINDOW)

    def wait(self, most: int) -> None:
        """Wait until no more than `most` acknowledgements are missing."""
        while self._missing > most:
            received = self._connection.recv(65536)
            if not received:
                raise SystemExit("the broker has closed the connection")
            self._bytes += len(received)
            count, self._bytes = divmod(self._bytes, PUBACK_SIZE)
            self._missing -= count


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--topics", type=int, default=1)
    parser.add_argument("--rate", type=float, help="a second, evenly; without it as many as can be")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--devices", action="store_true", help="messages of devices in place of readings")
    kind.add_argument("--ids-by-sender", action="store_true", help="each topic has a sender of its own")
    options = parser.parse_args()
    built_by = Devices if options.devices else SensorReadings if options.ids_by_sender else Readings
    readings = built_by(options.topics)
    built = [] if options.rate else list(_together(readings, options.count))
    with socket.create_connection((HOST, options.port)) as connection:
        connection.sendall(_CONNECT)
        connection.recv(_CONNACK_SIZE, socket.MSG_WAITALL)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print("ready", flush=True)
        sys.stdin.readline()
        window = Window(connection)
        for packets, count in built or _paced(readings, options.count, options.rate):
            window.send(packets, count)
        window.wait(0)
    print("done", flush=True)


def _together(readings: Readings, count: int) -> Iterator[tuple[bytes, int]]:
    for begin in range(0, count, _TOGETHER):
        numbers = range(begin, min(begin + _TOGETHER, count))
        yield b"".join(map(readings.packet, numbers)), len(numbers)


def _paced(readings: Readings, count: int, rate: float) -> Iterator[tuple[bytes, int]]:
    """Yield packets when they are due; what is due already when it is looked goes together."""
    began = time.monotonic()
    number = 0
    while number < count:
        due = min(count, int((time.monotonic() - began) * rate) + 1)
        if due > number:
            yield b"".join(map(readings.packet, range(number, due))), due - number
            number = due
        else:
            time.sleep(max(0.0, began + number / rate - time.monotonic()))


if __name__ == "__main__":
    main()
