"""A broker with the configuration we ship, and far more waiting in it than a client could publish in time."""

import getpass
import socket
import struct
from collections.abc import Sequence
from pathlib import Path

from tests.faults.load import TOPIC
from tests.support.brokers import Mosquitto
from tests.support.ports import HOST
from tests.support.processes import ROOT
from tests.support.waiting import TIMEOUT

SHIPPED = ROOT / "config" / "mosquitto" / "mosquitto.conf"
_CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04fill"
_CONNACK = b"\x20\x02\x00\x00"
_DISCONNECT = b"\xe0\x00"
_PUBACK_SIZE = 4
_WINDOW = 2000


class ShippedMosquitto(Mosquitto):
    """Mosquitto with `config/mosquitto/mosquitto.conf`, at a port and in a folder of ours."""

    def __init__(self, folder: Path, *, port: int | None = None, saves: str | None = None) -> None:
        """Build it; `saves` takes the place of `false` in `autosave_on_changes false`, which the file has.

        With `true`, all that waits is written for each change. So hundreds of thousands of messages would
        take hours to get in, and to be acknowledged.
        """
        super().__init__(folder, port=port)
        self._saves = saves

    def _configuration(self) -> list[str]:
        shipped = SHIPPED.read_text()
        changed = [
            ("listener 1883", f"listener {self.port} {HOST}"),
            ("persistence_location /mosquitto/data/", f"persistence_location {self._folder}/"),
        ]
        if self._saves is not None:
            changed.append(("\nautosave_on_changes false", f"\nautosave_on_changes {self._saves}"))
        for ours, here in changed:
            assert shipped.count(ours) == 1, f"{SHIPPED} has another {ours!r} than the tests know"
            shipped = shipped.replace(ours, here)
        # started by root it would become another user, who may not read our files
        return [shipped, f"user {getpass.getuser()}"]


def fill(port: int, payloads: Sequence[str]) -> None:
    """Publish all at QoS 1 to TOPIC, and return when each is acknowledged. Ten times as fast as paho."""
    with socket.create_connection((HOST, port), timeout=TIMEOUT) as connection:
        connection.sendall(_CONNECT)
        assert connection.recv(len(_CONNACK), socket.MSG_WAITALL) == _CONNACK
        sent = received = 0
        while received < len(payloads) * _PUBACK_SIZE:
            acknowledged = received // _PUBACK_SIZE
            if sent < len(payloads) and sent - acknowledged <= _WINDOW // 2:
                numbers = range(sent, min(len(payloads), acknowledged + _WINDOW))
                connection.sendall(b"".join(_publish(number, payloads[number]) for number in numbers))
                sent = numbers.stop
            data = connection.recv(1 << 16)
            assert data, "the broker has ended the connection"
            received += len(data)
        connection.sendall(_DISCONNECT)


def _publish(number: int, payload: str) -> bytes:
    body = struct.pack(">H", len(TOPIC)) + TOPIC.encode() + struct.pack(">H", number % 0xFFFF + 1)
    body += payload.encode()
    assert len(body) < 128, "its length takes one byte"
    return bytes([0x32, len(body)]) + body
