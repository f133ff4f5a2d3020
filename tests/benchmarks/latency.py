"""How long it takes from publishing a reading to its PUBACK by the subscriber."""

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self

from scheduler_app.mqtt.packets import Incomplete, is_publish, packet_size, read_publishes
from tests.support.ports import HOST

_CONNECT, _PUBACK = 0x10, 0x40
# Name and version of the protocol in a CONNECT packet (MQTT 5 section 3.1.2).
_VERSION_5 = b"\0\x04MQTT\x05"
_CHUNK = 65536
# What the subscriber publishes, and hears again.
_OURSELVES = "STATS/"


class Latency(NamedTuple):
    """Milliseconds: of every second reading, and of all but one in a hundred."""

    p50: float
    p99: float


class Relay:
    """Passes on what a subscriber and its broker say, while entered, and notes when it passes.

    What it takes itself is in the latencies too.
    """

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self._seconds: list[float] = []
        self._listener = socket.create_server((HOST, 0))
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []

    @property
    def port(self) -> int:
        """Where the subscriber is to connect."""
        return int(self._listener.getsockname()[1])

    @property
    def count(self) -> int:
        """How many readings are acknowledged."""
        return len(self._seconds)

    def latency(self) -> Latency:
        ranked = sorted(self._seconds)
        return Latency(*(1000 * ranked[int(len(ranked) * share)] for share in (0.5, 0.99)))

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join()

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name="relay")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):  # the end
            while True:
                subscriber, _ = self._listener.accept()
                broker = socket.create_connection((HOST, self._broker_port))
                for one in (subscriber, broker):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._sockets.append(one)
                listener = _Listener(self._seconds)
                self._start(partial(self._pass_on, broker, subscriber, listener.to_subscriber))
                self._start(partial(self._pass_on, subscriber, broker, listener.to_broker))

    def _pass_on(self, one: socket.socket, other: socket.socket, note: Callable[[bytes], None]) -> None:
        rest = b""
        with suppress(OSError):
            while chunk := one.recv(_CHUNK):
                rest += chunk
                with suppress(Incomplete):
                    while rest:
                        size = packet_size(rest)
                        note(rest[:size])  # before the other side can answer
                        rest = rest[size:]
                other.sendall(chunk)
            other.shutdown(socket.SHUT_WR)


class _Listener:
    """Listens in on one connection. Our subscriber has a second one, by which it hears of itself."""

    def __init__(self, seconds: list[float]) -> None:
        """`seconds` gets how long it took, for each reading that is acknowledged."""
        self._seconds = seconds
        self._version_5 = False
        # by packet id, when the reading was published (UTC epoch seconds)
        self._published: dict[int, float] = {}

    def to_subscriber(self, packet: bytes) -> None:
        if is_publish(packet):
            [message], _ = read_publishes(packet, 1, 0.0, version_5=self._version_5)
            if not message.topic.startswith(_OURSELVES):
                self._published[message.packet_id] = json.loads(message.payload)["epochtime"]

    def to_broker(self, packet: bytes) -> None:
        if packet[0] == _CONNECT:
            self._version_5 = _VERSION_5 in packet
        elif packet[0] == _PUBACK:
            published = self._published.pop(int.from_bytes(packet[2:4], "big"), None)
            if published is not None:
                self._seconds.append(time.time() - published)
