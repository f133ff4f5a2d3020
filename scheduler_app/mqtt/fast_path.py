"""Takes the packets that come in masses past the MQTT library, on the library's own socket."""

import socket
import time
from collections.abc import Iterable
from contextlib import suppress

from scheduler_app.mqtt.message import Message
from scheduler_app.mqtt.packets import (
    PUBACK_SIZE,
    Incomplete,
    Unusual,
    is_publish,
    packet_size,
    pubacks,
    read_publishes,
)

# Bytes looked at in one read. A packet that is longer is left to the library.
READ_SIZE = 1 << 17


class FastPath:
    """Reads PUBLISH and writes PUBACK packets, where the library would take 20 times as long.

    All other packets stay the library's. Each must read and write only where the other has ended a
    packet, so nothing is read that is not a whole packet, and whoever drives both lets the library
    write only when `between_packets`, and `write` only when the library has nothing left to write.
    """

    def __init__(self, sock: socket.socket, *, version_5: bool) -> None:
        """`sock` is a TCP socket that does not block, as it was connected: nothing read or written."""
        self._socket = sock
        self._version_5 = version_5
        # The library is in the middle of a packet, until it hands out a message; the first is its CONNACK.
        self._paused = True
        # The broker sends what it should not, and the library may read two packets at a time.
        self._off = False
        self._unsent = bytearray()

    def read(self, limit: int) -> list[Message] | None:
        """Return up to `limit` messages that are there, without waiting; None: the library must read."""
        if self._paused or self._off:
            return None
        try:
            data = self._socket.recv(READ_SIZE, socket.MSG_PEEK)
            messages, size = read_publishes(data, limit, time.time(), version_5=self._version_5)
            self._skip(size)
        except BlockingIOError:
            return []
        except OSError:
            return None  # the library finds it too, and knows what to do
        if not messages:
            self._hand_over(data)
            return None
        return messages

    def resume(self) -> None:
        """Go on: the library has just read the last byte of a packet."""
        self._paused = False

    def acknowledge(self, packet_ids: Iterable[int]) -> None:
        """Have `write` send a PUBACK for each, in this order."""
        self._unsent += pubacks(packet_ids)

    @property
    def wants_write(self) -> bool:
        return bool(self._unsent)

    @property
    def between_packets(self) -> bool:
        """Whether no packet of ours is half sent."""
        return len(self._unsent) % PUBACK_SIZE == 0

    def write(self) -> None:
        """Send what the socket takes without waiting."""
        if self._unsent:
            with suppress(OSError):  # it takes nothing now, or is broken: then reading from it tells
                del self._unsent[: self._socket.send(self._unsent)]

    def _skip(self, size: int) -> None:
        while size:
            skipped = len(self._socket.recv(size))
            if not skipped:
                raise ConnectionError
            size -= skipped

    def _hand_over(self, data: bytes) -> None:
        """Let the library read the packet that `data` begins with."""
        try:
            packet_size(data)
        except Incomplete:
            self._paused = True
        except Unusual:
            self._off = True
        else:
            self._off = is_publish(data)
