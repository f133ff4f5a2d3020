"""paho's client, with limits on what a broker may send."""

import time
from collections.abc import Callable
from typing import Any, Literal

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion

from scheduler_app.mqtt.buffered_socket import BufferedSocket
from scheduler_app.mqtt.message import INVALID_TOPIC, CutPayload, Message
from scheduler_app.mqtt.packets import (
    KEPT_PAYLOAD,
    LARGEST_BEGINNING,
    LARGEST_PACKET,
    Unusual,
    check_first_byte,
    is_publish,
    read_puback,
    read_publish,
)

# Bytes. An MQTT 5 broker sends us nothing larger. Mosquitto drops such a message, and for each that it
# drops it sends one less at a time until we connect anew. So it is far more than a reading takes: what
# is smaller, and still too long, is rejected and told.
MAXIMUM_PACKET_SIZE = 16 << 20
# Seconds. Within each, a packet that has begun must end, or bring another LARGEST_PACKET bytes.
PACKET_TIMEOUT = 60.0


class PahoClient(Client):
    """paho's client, which trusts a broker in everything, with limits and with our reader of PUBLISH.

    It looks at each packet while paho reads it, on whatever kind of socket. What it raises, and it
    raises Unusual, ends the connection in `survives`.
    """

    def __init__(
        self,
        *arguments: Any,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        **options: Any,
    ) -> None:
        """As paho's. `now` returns UTC epoch seconds, `monotonic` seconds of a clock that nobody sets."""
        super().__init__(*arguments, **options)
        # UTC epoch seconds.
        self.now = now
        self._monotonic = monotonic
        # Called with each message.
        self.when_received: Callable[[Message], object] = lambda message: None
        # Called with packet id and reason code of each PUBACK. None: what is published is left to paho.
        self.when_acknowledged: Callable[[int, int], object] | None = None
        self.on_message = _hand_on  # those of QoS 2, which nobody asks for: they are left to paho
        self._greeted = False
        # Of what came where a CONNACK should: its first byte, and the error that ended it.
        self.first_byte: int | None = None
        self.read_error: OSError | None = None
        # When the packet that is being read began, or the last LARGEST_PACKET bytes of it.
        self._packet_began = 0.0
        # Bytes of it that were read and not kept, and about how many since then.
        self._skipped = self._skipped_since = 0

    @property
    def buffered_socket(self) -> BufferedSocket | None:
        """The socket while there is a connection."""
        sock = self._sock
        return sock if isinstance(sock, BufferedSocket) else None

    @property
    def between_packets(self) -> bool:
        """Whether the CONNACK has come, and paho has not begun to read another packet since."""
        return self._greeted and self._in_packet["command"] == 0

    def heard(self) -> None:
        """Note that packets have come past paho: a broker that sends is alive, whatever it answers."""
        with self._msgtime_mutex:
            self._last_bytes_received = time.monotonic()  # paho's own clock

    @property
    def silent_for(self) -> float:
        """How many seconds ago the broker sent something, as far as we have read."""
        return time.monotonic() - self._last_bytes_received  # paho's own clock

    def next_packet_id(self) -> int:
        """Return a packet id for what paho does not send; what it does has its ids from here too."""
        return self._mid_generate()

    def limit_in_flight(self, number: int) -> None:
        """Have no more than `number` messages on their way to the broker. Before the first is published."""
        self._max_inflight_messages = min(self._max_inflight_messages, number)

    def want_write(self) -> bool:
        sock = self.buffered_socket
        return (sock is not None and sock.wants_write) or super().want_write()

    def loop_write(self) -> MQTTErrorCode:
        if (sock := self.buffered_socket) is not None:
            sock.flush()
        return super().loop_write()

    def _create_socket(self) -> BufferedSocket:
        return BufferedSocket(super()._create_socket(), reads_ahead=self.transport != "websockets")

    def _sock_recv(self, bufsize: int) -> bytes:
        packet = self._in_packet
        if packet["command"] == 0:
            try:
                first_byte = super()._sock_recv(bufsize)
            except OSError as error:
                if not self._greeted and not isinstance(error, BlockingIOError):
                    self.read_error = error
                raise
            return self._begin_packet(first_byte)
        try:
            if packet["have_remaining"] and packet["remaining_length"] > LARGEST_PACKET:
                return self._read_large(bufsize)
            return super()._sock_recv(bufsize)
        except BlockingIOError:  # all that has come is read
            if self._monotonic() - self._packet_began > PACKET_TIMEOUT:
                raise Unusual(f"a packet that has not ended after {PACKET_TIMEOUT:.0f} s") from None
            raise

    def _begin_packet(self, first_byte: bytes) -> bytes:
        if first_byte:
            if not self._greeted:
                self.first_byte = first_byte[0]
            version_5 = self._protocol == MQTTProtocolVersion.MQTTv5
            check_first_byte(first_byte[0], version_5=version_5, connected=self._greeted)
            self._greeted = True
            self._packet_began = self._monotonic()
            self._skipped = self._skipped_since = 0
        return first_byte

    def _read_large(self, bufsize: int) -> bytes:
        """Read from a packet that is larger than is good for us; keep no more than its beginning.

        To refuse a message would not help: it would come again on the next connection.
        """
        packet = self._in_packet
        size = packet["remaining_length"]
        if not is_publish(bytes([packet["command"]])) or _has_qos_2(packet["command"]):
            raise Unusual(f"a packet of {size} bytes that is no PUBLISH of QoS 0 or 1")
        if self.transport == "websockets" and size > MAXIMUM_PACKET_SIZE:
            # paho holds all that is in one frame
            raise Unusual(f"a message of {size} bytes over WebSockets, {MAXIMUM_PACKET_SIZE} are allowed")
        missing = LARGEST_BEGINNING - len(packet["packet"])
        if missing > 0:
            return super()._sock_recv(min(bufsize, missing))
        data = super()._sock_recv(min(bufsize, LARGEST_BEGINNING))
        if data:
            # paho takes the first byte, in place of the one before; of the rest it is told that it has come
            self._skipped += len(data) - 1 - missing
            self._skipped_since += len(data)
            del packet["packet"][LARGEST_BEGINNING:]
            packet["to_process"] -= len(data) - 1
            if self._skipped_since > LARGEST_PACKET:
                self._packet_began, self._skipped_since = self._monotonic(), 0
        return data[:1]

    def _handle_publish(self) -> MQTTErrorCode:
        packet = self._in_packet
        command, body = packet["command"], bytes(packet["packet"])
        version_5 = self._protocol == MQTTProtocolVersion.MQTTv5
        if _has_qos_2(command):
            # its packet is built like that of QoS 1, which has the bit before it set
            read_publish(command ^ 0x06, body, self.now(), version_5=version_5)
            return super()._handle_publish()
        message = read_publish(command, body, self.now(), version_5=version_5)
        if packet["remaining_length"] > LARGEST_PACKET:
            cut = CutPayload(message.payload[:KEPT_PAYLOAD], len(message.payload) + self._skipped)
            message = message._replace(payload=cut)
        self.when_received(message)
        if message.qos == 0 or self._manual_ack:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        return self._send_puback(message.packet_id)

    def _handle_pubackcomp(self, cmd: Literal["PUBACK", "PUBCOMP"]) -> MQTTErrorCode:
        if cmd != "PUBACK" or self.when_acknowledged is None:
            return super()._handle_pubackcomp(cmd)
        version_5 = self._protocol == MQTTProtocolVersion.MQTTv5
        self.when_acknowledged(*read_puback(bytes(self._in_packet["packet"]), version_5=version_5))
        return MQTTErrorCode.MQTT_ERR_SUCCESS


def _convert(message: MQTTMessage, arrived: float) -> Message:
    try:
        topic = message.topic
    except UnicodeDecodeError:  # forbidden (MQTT-1.5.3-1), but it must not end the connection
        topic = INVALID_TOPIC
    return Message(
        topic, bytes(message.payload), message.qos, message.retain, message.dup, message.mid, arrived
    )


def _has_qos_2(first_byte: int) -> bool:
    """Whether a PUBLISH that begins like that has QoS 2 (section 3.3.1.2)."""
    return first_byte & 0x06 == 0x04


def _hand_on(client: Any, userdata: object, message: MQTTMessage) -> None:
    client.when_received(_convert(message, client.now()))
