"""What is published on one connection, from when it is handed over until the broker has acknowledged it."""

import threading
from collections import deque
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from scheduler_app.mqtt.message import Puback
from scheduler_app.mqtt.packets import publish
from scheduler_app.mqtt.paho_client import PahoClient

# So many messages are on their way at once, if the broker allows as many: some allow no more than that, and
# do not say so.
MOST_IN_FLIGHT = 100
# So many go out in one write.
_TOGETHER = 100
# Bytes that may wait to be sent: the statistics of 100,000 series take about as much.
MOST_WAITING = 1 << 26
# About as many of them each message takes beside its topic and its payload.
_OVERHEAD = 300
# Bytes (MQTT 5 section 1.5.4).
_LONGEST_TOPIC = 0xFFFF

WhenAcknowledged = Callable[[Puback], object] | None


class _Waiting(NamedTuple):
    topic: bytes
    payload: bytes
    retain: bool
    when_acknowledged: WhenAcknowledged

    @property
    def size(self) -> int:
        return len(self.topic) + len(self.payload) + _OVERHEAD


class Publications:
    """Messages that wait to be sent, and those that the broker has not acknowledged yet.

    Any thread hands over, and never waits. The connection's thread sends, in that order, and takes the
    PUBACKs. A broker that takes nothing makes messages wait, up to a limit. paho would take some 40 times as
    long for each.
    """

    def __init__(
        self, client: PahoClient, *, qos: int, receive_maximum: int | None, wake: Callable[[], object]
    ) -> None:
        """`client` is connected. `qos` is 1, or 0 for a broker that allows no more.

        `receive_maximum`: how many the broker allows on their way to it, as far as it has told. `wake` ends
        the wait of the connection's thread.
        """
        self._client = client
        self._version_5 = client.protocol == MQTTProtocolVersion.MQTTv5
        self._qos = qos
        self._most_in_flight = min(MOST_IN_FLIGHT, receive_maximum or MOST_IN_FLIGHT)
        self._wake = wake
        # Whether the connection's thread has been wakened since it looked last.
        self._wakened = False
        # Whether messages were left when it looked last, since the broker took no more.
        self._left = False
        # Held while what waits is changed.
        self._lock = threading.Lock()
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        # By packet id.
        self._in_flight: dict[int, WhenAcknowledged] = {}

    @property
    def waiting(self) -> bool:
        """Whether anything waits to be sent."""
        return bool(self._waiting)

    @property
    def behind(self) -> bool:
        """Whether anything waits since the broker took no more."""
        return self._left and self.waiting

    def add(
        self, topic: str, payload: str, *, retain: bool, when_acknowledged: WhenAcknowledged = None
    ) -> bool:
        """Have a message sent; return whether there was room for it. ValueError if no broker takes it."""
        message = _Waiting(_checked(topic), payload.encode(), retain, when_acknowledged)
        with self._lock:
            if self._waiting_bytes + message.size > MOST_WAITING:
                return False
            self._waiting.append(message)
            self._waiting_bytes += message.size
        if not self._wakened:
            self._wakened = True
            self._wake()
        return True

    def send(self) -> None:
        """Send what waits, as far as the broker takes it now."""
        self._wakened = False  # before looking: what is added from here on wakes again
        while self._waiting and (sock := self._client.buffered_socket) is not None and not sock.wants_write:
            messages = self._take(min(_TOGETHER, self._most_in_flight - len(self._in_flight)))
            if not messages:
                break
            sock.send(b"".join([self._packet(message) for message in messages]))
            if not self._qos:
                for message in messages:
                    _answer(message.when_acknowledged, 0)
        # what is left goes when a PUBACK has come, or the connection takes more: none has to wake us for it
        self._wakened = self._left = self.waiting

    def acknowledged(self, packet_id: int, reason_code: int) -> None:
        """Take a PUBACK."""
        if packet_id in self._in_flight:
            _answer(self._in_flight.pop(packet_id), reason_code)

    def _take(self, count: int) -> list[_Waiting]:
        """Take up to `count` messages from those that wait."""
        with self._lock:
            taken = [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]
            self._waiting_bytes -= sum(message.size for message in taken)
        return taken

    def _packet(self, message: _Waiting) -> bytes:
        packet_id = 0
        if self._qos:
            packet_id = self._client.next_packet_id()
            while packet_id in self._in_flight:
                packet_id = self._client.next_packet_id()
            self._in_flight[packet_id] = message.when_acknowledged
        return publish(
            message.topic, message.payload, packet_id, retain=message.retain, version_5=self._version_5
        )


def _checked(topic: str) -> bytes:
    """Return a topic as it is sent. Raises ValueError if none may be like that (MQTT-3.3.2-2)."""
    if "+" in topic or "#" in topic:
        raise ValueError("a topic that is published on holds no wildcards")
    encoded = topic.encode()
    if not 0 < len(encoded) <= _LONGEST_TOPIC:
        raise ValueError(f"a topic has 1 to {_LONGEST_TOPIC} bytes, this one has {len(encoded)}")
    return encoded


def _answer(when_acknowledged: WhenAcknowledged, reason_code: int) -> None:
    if when_acknowledged is not None:
        when_acknowledged(_puback(reason_code))


@cache
def _puback(reason_code: int) -> Puback:
    reason = ReasonCode(PacketTypes.PUBACK, identifier=reason_code)
    return Puback(accepted=not reason.is_failure, reason=str(reason))
