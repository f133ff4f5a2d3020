"""Brokers that break every rule: taking in readings bears them, and goes on with an honest one."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import pytest
from loguru import logger

from config.settings import load_settings
from models.storage.batch import Batch
from scheduler_app.intake import ingest
from scheduler_app.intake.ingest import Ingest
from scheduler_app.mqtt import dialer, paho_client, reconnecting, subscribing
from scheduler_app.mqtt.connection import Connection
from scheduler_app.mqtt.ingest_session import IngestSession
from scheduler_app.mqtt.message import Message
from scheduler_app.mqtt.numbering import Numbering
from scheduler_app.mqtt.packets import KEPT_PAYLOAD
from tests.support.certificates import Certificates, serve_tls
from tests.support.ports import HOST
from tests.support.waiting import TIMEOUT, wait_for

CONNACK = {"3.1.1": b"\x20\2\0\0", "5": b"\x20\3\0\0\0"}
# In seconds, in place of half a minute and more.
KEEPALIVE, PACKET_TIMEOUT, SUBACK_TIMEOUT, PAUSE = 1, 0.5, (0.2, 0.4), 0.02
LARGEST = 100_000


class HungUp(Exception):
    """The client has closed the connection, or sent nothing for too long."""


class Client:
    """Our client, as the broker sees it on one connection."""

    def __init__(self, connection: socket.socket, version: str) -> None:
        self.version = version
        self.acknowledged: list[int] = []
        self._connection = connection
        self._received = b""

    def send(self, *packets: bytes) -> None:
        try:
            self._connection.sendall(b"".join(packets))
        except OSError:
            raise HungUp from None

    def read(self) -> tuple[int, bytes]:
        """Return the first byte and the body of the client's next packet."""
        while len(self._received) < 2 or len(self._received) < 2 + self._received[1]:
            try:
                more = self._connection.recv(1 << 16)
            except OSError:
                more = b""
            if not more:
                raise HungUp
            self._received += more
        size = 2 + self._received[1]
        packet, self._received = self._received[:size], self._received[size:]
        if packet[0] == 0x40:
            self.acknowledged.append(int.from_bytes(packet[2:4], "big"))
        return packet[0], packet[2:]

    def await_packet(self, first_byte: int) -> bytes:
        """Read until a packet begins with `first_byte`; return its body."""
        while True:
            first, body = self.read()
            if first == first_byte:
                return body

    def begin(self) -> bytes:
        """Take CONNECT, and let the client in; return the packet id of its SUBSCRIBE."""
        self.await_packet(0x10)
        self.send(CONNACK[self.version])
        return self.await_packet(0x82)[:2]

    def subscribe(self) -> None:
        """Let the client in, and grant its subscription."""
        self.send(self.suback(self.begin()))

    def suback(self, packet_id: bytes, *codes: int) -> bytes:
        properties = b"\0" if self.version == "5" else b""
        body = packet_id + properties + bytes(codes or (1,))
        return bytes([0x90, len(body)]) + body

    def publish(
        self, payload: bytes, packet_id: int, *, first_byte: int = 0x32, topic: bytes = b"DATA"
    ) -> bytes:
        body = len(topic).to_bytes(2, "big") + topic
        body += packet_id.to_bytes(2, "big") if first_byte & 6 else b""
        body += (b"\0" if self.version == "5" else b"") + payload
        return bytes([first_byte]) + length(len(body)) + body

    def until_it_hangs_up(self) -> None:
        """Read whatever comes, and answer nothing."""
        while True:
            self.read()

    def until_it_hangs_up_on(self, packets: bytes, pause: float, times: int = 200) -> None:
        """Send `packets` again and again."""
        for _ in range(times):
            self.send(packets)
            time.sleep(pause)

    def be_honest(self) -> None:
        """Do what a broker does, with two messages in hand."""
        waiting = [self.publish(b"honest", 9), self.publish(b"honest too", 10)]
        while True:
            first, body = self.read()
            if first == 0x10:
                self.send(CONNACK[self.version])
            elif first == 0x82:
                self.send(self.suback(body[:2]), *waiting)
                waiting = []
            elif first == 0xA2:
                self.send(b"\xb0\4" + body[:2] + b"\0\0" if self.version == "5" else b"\xb0\2" + body[:2])
            elif first == 0xC0:
                self.send(b"\xd0\0")


@dataclass(frozen=True)
class Hostile:
    """What a broker does, and what is to come of it."""

    does: Callable[[Client], None]
    # What the log must say, as a regular expression.
    says: str = "lost the connection"
    # Payloads that are stored, and packet ids that are acknowledged, before it is honest.
    stores: Sequence[bytes] = ()
    acknowledges: Sequence[int] = ()
    versions: Sequence[str] = ("3.1.1", "5")


def length(value: int) -> bytes:
    data = b""
    while True:
        value, byte = divmod(value, 128)
        if not value:
            return data + bytes([byte])
        data += bytes([byte | 128])


# --- What they do ---


def says_nothing(client: Client) -> None:
    client.until_it_hangs_up()


def closes_at_once(client: Client) -> None:
    client.await_packet(0x10)


def sends(*packets: bytes) -> Callable[[Client], None]:
    """Answer CONNECT with that, whatever it is."""

    def does(client: Client) -> None:
        client.await_packet(0x10)
        client.send(*packets)
        client.until_it_hangs_up()

    return does


def publishes_before_connack(client: Client) -> None:
    client.await_packet(0x10)
    client.send(client.publish(b"1", 1), CONNACK[client.version])
    client.until_it_hangs_up()


def after_subscribing(*packets: bytes) -> Callable[[Client], None]:
    """Behave until the subscription is granted, and one message acknowledged, and then send that."""

    def does(client: Client) -> None:
        client.subscribe()
        client.send(client.publish(b"good", 1))
        client.await_packet(0x40)
        client.send(*packets)
        client.until_it_hangs_up()

    return does


def drips(client: Client) -> None:
    client.subscribe()
    large = client.publish(b"x" * 1000, 1)
    for byte in large:
        client.send(bytes([byte]))
        time.sleep(0.02)


def drips_its_connack(client: Client) -> None:
    client.await_packet(0x10)
    client.send(b"\x20")
    time.sleep(2 * PACKET_TIMEOUT)
    client.send(b"\x82")
    time.sleep(2 * PACKET_TIMEOUT)
    client.send(b"\x80")
    client.until_it_hangs_up()


def leaves_half_a_packet(client: Client) -> None:
    client.subscribe()
    client.send(client.publish(b"x" * 1000, 1)[:500])


def never_ends_a_large_message(client: Client) -> None:
    client.subscribe()
    client.send(b"\x32\xff\xff\xff\x7f\0\4DATA\0\1" + (b"\0" if client.version == "5" else b""))
    client.until_it_hangs_up()


def sends_a_large_message(client: Client) -> None:
    client.subscribe()
    client.send(client.publish(b"x" * (20 * LARGEST), 1), client.publish(b"good", 2))
    client.await_packet(0x40)
    client.await_packet(0x40)


def floods_with_retained(client: Client) -> None:
    client.subscribe()
    client.send(*(client.publish(b"r", 1 + number, first_byte=0x33) for number in range(3000)))
    for _ in range(3000):
        client.await_packet(0x40)


def sends_no_suback(client: Client) -> None:
    client.begin()
    client.await_packet(0x82)  # it asks again
    client.await_packet(0x82)


def sends_a_suback_with_a_wrong_id(client: Client) -> None:
    wrong = (int.from_bytes(client.begin(), "big") ^ 0x55).to_bytes(2, "big")
    client.send(client.suback(wrong))
    client.await_packet(0x82)


def refuses_the_subscription(client: Client) -> None:
    client.send(client.suback(client.begin(), 0x80))
    client.await_packet(0x82)


def grants_two_subscriptions(client: Client) -> None:
    client.send(client.suback(client.begin(), 1, 1))
    client.until_it_hangs_up()


def grants_none(client: Client) -> None:
    client.send(client.suback(client.begin())[:1] + b"\2\0\1")
    client.until_it_hangs_up()


def answers_no_ping_but_sends(client: Client) -> None:
    """For longer than a silent broker is borne."""
    client.subscribe()
    for number in range(1, 31):
        client.send(client.publish(b"on", number))
        time.sleep(KEEPALIVE / 10)
    for _ in range(30):
        client.await_packet(0x40)


def publishes_to_forbidden_topics(client: Client) -> None:
    client.subscribe()
    topics = [b"", b"\0", b"+/#", b"\xff", b"DATA"]
    client.send(
        *(client.publish(b"good", number, topic=topic) for number, topic in enumerate(topics, start=1))
    )
    for _ in topics:
        client.await_packet(0x40)


def resends_what_was_acknowledged(client: Client) -> None:
    client.subscribe()
    client.send(client.publish(b"good", 1), client.publish(b"good", 1, first_byte=0x3A))
    client.await_packet(0x40)
    client.await_packet(0x40)


def sends_qos_2(client: Client) -> None:
    client.subscribe()
    client.send(client.publish(b"two", 5, first_byte=0x34))
    client.await_packet(0x50)
    client.send(b"\x62\2\0\5")
    client.send(client.publish(b"good", 1))
    client.await_packet(0x40)


def spoils(
    *packets: bytes, says: str = "lost the connection", versions: Sequence[str] = ("3.1.1", "5")
) -> Hostile:
    """Return one that sends that after a good message."""
    return Hostile(after_subscribing(*packets), says, [b"good"], [1], versions)


NO_MQTT = "sent what is no MQTT"
NO_ANSWER = "hangs up before it answers"
BEHAVIOURS = {
    "no CONNACK": Hostile(says_nothing, NO_ANSWER),
    "closes at once": Hostile(closes_at_once, NO_ANSWER),
    "HTTP": Hostile(sends(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "a web server answers"),
    "zeros": Hostile(sends(bytes(1000)), NO_MQTT),
    "ones": Hostile(sends(b"\xff" * 1000), NO_MQTT),
    "CONNACK that is too short": Hostile(sends(b"\x20\1\0"), NO_MQTT),
    "CONNACK that is too long": Hostile(sends(b"\x20\4\0\0\0\0"), NO_MQTT, versions=["3.1.1"]),
    "CONNACK with wrong properties": Hostile(sends(b"\x20\6\0\0\3\xff\1\1"), NO_MQTT, versions=["5"]),
    "CONNACK that refuses": Hostile(sends(b"\x20\2\0\5"), "refuses us", versions=["3.1.1"]),
    "CONNACK with an unknown reason": Hostile(
        sends(b"\x20\2\0\x66"), "refuses us|Protocol", versions=["3.1.1"]
    ),
    "CONNACK drips": Hostile(drips_its_connack, "has not ended"),
    "CONNACK twice": spoils(CONNACK["5"], says="a second CONNACK", versions=["5"]),
    "PUBLISH before CONNACK": Hostile(publishes_before_connack, "before its CONNACK"),
    "SUBACK before CONNACK": Hostile(sends(b"\x90\3\0\1\1"), "before its CONNACK"),
    "PINGRESP before CONNACK": Hostile(sends(b"\xd0\0"), "before its CONNACK"),
    "no SUBACK": Hostile(sends_no_suback, "does not answer our SUBSCRIBE"),
    "SUBACK with a wrong id": Hostile(sends_a_suback_with_a_wrong_id, "does not answer our SUBSCRIBE"),
    "SUBACK that refuses": Hostile(refuses_the_subscription, "refuses the subscription to DATA"),
    "SUBACK that grants too much": Hostile(grants_two_subscriptions, "a SUBACK for 2 of 1"),
    "SUBACK without a code": Hostile(grants_none, "a SUBACK for 0 of 1", versions=["3.1.1"]),
    "SUBACK unasked": spoils(b"\x90\3\0\x77\1", b"\xe0", versions=["3.1.1"]),
    "PINGRESP unasked": spoils(100 * b"\xd0\0", b"\xd0\1x"),
    "PUBACK and UNSUBACK unasked": spoils(
        b"\x40\2\0\7\xb0\2\0\7\x50\2\0\7\x70\2\0\7", b"\xff", versions=["3.1.1"]
    ),
    "reserved type": spoils(b"\xf0\0", says="begins with 0xf0"),
    "type 0": spoils(b"\0", b"\x32", says="begins with 0x00"),
    "what only clients send": spoils(b"\xc0\0", says="begins with 0xc0"),
    "reserved flags": spoils(b"\xd1\0", says="begins with 0xd1"),
    "DISCONNECT with a reason": spoils(b"\xe0\2\x8e\0", says="Session taken over", versions=["5"]),
    "DISCONNECT of MQTT 5": spoils(b"\xe0\0", says="begins with 0xe0", versions=["3.1.1"]),
    "length of five bytes": spoils(b"\x32\xff\xff\xff\xff\x01"),
    "giant SUBACK": spoils(b"\x90\xff\xff\xff\x7f", says="268435455 bytes that is no PUBLISH"),
    "giant QoS 2": spoils(b"\x34\xff\xff\xff\x7f", says="no PUBLISH of QoS 0 or 1"),
    "giant that never ends": Hostile(never_ends_a_large_message, "has not ended"),
    "giant": Hostile(sends_a_large_message, stores=[b"x" * KEPT_PAYLOAD, b"good"], acknowledges=[1, 2]),
    "drips": Hostile(drips, "has not ended"),
    "half a packet": Hostile(leaves_half_a_packet),
    "PUBLISH without a packet id": spoils(b"\x32\x08\0\4DATA\0\0", says="without a packet id"),
    "PUBLISH with QoS 3": spoils(b"\x36\x09\0\4DATA\0\3\0", says="of QoS 3"),
    "PUBLISH that is too short": spoils(b"\x32\1\0", says=NO_MQTT),
    "PUBLISH with a topic beyond its end": spoils(b"\x32\4\0\xffaa", says=NO_MQTT),
    "topic alias": spoils(b"\x32\x0c\0\4DATA\0\3\3\x23\0\1", says="topic alias", versions=["5"]),
    "properties beyond the packet": spoils(b"\x32\x09\0\4DATA\0\3\x7f", says=NO_MQTT, versions=["5"]),
    "property that none has": spoils(
        b"\x32\x0b\0\4DATA\0\3\2\x7f\0", says="0x7f, which none has", versions=["5"]
    ),
    "property twice": spoils(b"\x32\x0d\0\4DATA\0\3\4\1\0\1\0", says="twice", versions=["5"]),
    "topics that no one may publish to": Hostile(
        publishes_to_forbidden_topics, stores=5 * [b"good"], acknowledges=[1, 2, 3, 4, 5]
    ),
    "no PINGRESP, but messages": Hostile(
        answers_no_ping_but_sends, stores=30 * [b"on"], acknowledges=range(1, 31)
    ),
    "sent again at once": Hostile(resends_what_was_acknowledged, stores=2 * [b"good"], acknowledges=[1, 1]),
    "QoS 2": Hostile(sends_qos_2, stores=[b"two", b"good"], acknowledges=[1]),
    "retained flood": Hostile(floods_with_retained, stores=3000 * [b"r"], acknowledges=range(1, 3001)),
}
# Each is tried with one version, in turn, and with the other one where there is time.
CASES = [
    pytest.param(
        hostile,
        version,
        id=f"{name}, {version}",
        marks=[pytest.mark.slow] if turn % len(hostile.versions) else [],
    )
    for number, (name, hostile) in enumerate(BEHAVIOURS.items())
    for turn, version in enumerate(hostile.versions, start=number)
]


class Broker:
    """Is hostile on the first connection, and honest on all others, while entered."""

    def __init__(self, hostile: Hostile, version: str, certificates: Certificates | None = None) -> None:
        """With `certificates` it speaks TLS."""
        self.clients: list[Client] = []
        self._certificates = certificates
        self._hostile = hostile
        self._version = version
        self._errors: list[BaseException] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server((HOST, 0))
        address = f"{HOST}:{self._listener.getsockname()[1]}"
        self.settings = {"broker": address, "mqtt_version": self._version}
        if self._certificates is not None:
            authority = str(self._certificates.authority)
            self.settings |= {"broker": f"mqtts://{address}", "broker_cafile": authority}
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(TIMEOUT)
        self._listener.close()
        assert not self._thread.is_alive()
        assert self._errors == []

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(TIMEOUT)
            if self._certificates is not None:
                connection = serve_tls(connection, self._certificates)
            client = Client(connection, self._version)
            self.clients.append(client)
            with connection, suppress(HungUp):
                try:
                    (Client.be_honest if len(self.clients) > 1 else self._hostile.does)(client)
                except AssertionError as error:
                    self._errors.append(error)


@dataclass
class Memory:
    """In place of the writer: keeps what is committed."""

    stored: list[bytes] = field(default_factory=list)
    new_messages: int = 0
    unproven: int = 0

    def sort(self, messages: Sequence[Message], *, unstorable: bool = False) -> Batch:
        self._messages = list(messages)
        return Batch()

    def commit(self, batch: Batch) -> None:
        self.stored += [bytes(message.payload[:KEPT_PAYLOAD]) for message in self._messages]

    def set_numbering(self, numbering: Numbering) -> None: ...
    def begin_connection(self) -> None: ...

    def await_proof(self) -> None: ...

    def take_proof(self) -> None: ...

    def forget_deliveries(self) -> None: ...

    def forget_all_deliveries(self) -> None: ...


@pytest.fixture(autouse=True)
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialer, "KEEPALIVE", KEEPALIVE)
    monkeypatch.setattr(paho_client, "PACKET_TIMEOUT", PACKET_TIMEOUT)
    monkeypatch.setattr(subscribing, "SUBACK_TIMEOUT", SUBACK_TIMEOUT)
    monkeypatch.setattr(paho_client, "LARGEST_PACKET", LARGEST)
    monkeypatch.setattr(ingest, "_IDLE_WAIT", PAUSE)
    monkeypatch.setattr(reconnecting, "_LEAST_PAUSE", PAUSE)
    monkeypatch.setattr(reconnecting, "_MOST_PAUSE", PAUSE)


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    lines: list[str] = []
    handler = logger.add(lines.append, format="{level}: {message}", level="INFO")
    yield lines
    logger.remove(handler)


@pytest.mark.parametrize("transport", ["TCP", "TLS"])
@pytest.mark.parametrize(("hostile", "version"), CASES)
def test_hostile_broker(
    request: pytest.FixtureRequest, hostile: Hostile, version: str, transport: str, log_lines: list[str]
) -> None:
    """It is told, nothing is acknowledged that was not stored, and an honest broker is served after it."""
    memory = Memory()
    certificates = request.getfixturevalue("certificates") if transport == "TLS" else None
    with Broker(hostile, version, certificates) as broker:
        settings = load_settings(broker.settings)
        loop = Ingest(IngestSession(settings, ["DATA"]), memory)
        thread = threading.Thread(target=loop.run)
        thread.start()
        try:
            wait_for(
                lambda: len(broker.clients) > 1 and broker.clients[-1].acknowledged == [9, 10],
                lambda: f"it is served after that; {memory.stored[-5:]}, the log: {log_lines}",
            )
        finally:
            loop.stop()
            thread.join(TIMEOUT)
        assert not thread.is_alive()
    assert memory.stored == [*hostile.stores, b"honest", b"honest too"]
    assert broker.clients[0].acknowledged == list(hostile.acknowledges)
    assert re.search(hostile.says, "".join(log_lines)), log_lines
    assert "Traceback" not in "".join(log_lines)


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_connection_whose_subscription_is_not_answered(version: str, log_lines: list[str]) -> None:
    """What shows statistics would be as deaf as what takes in readings."""
    taken: list[bytes] = []

    def answers_late(client: Client) -> None:
        client.begin()
        packet_id = client.await_packet(0x82)[:2]
        client.send(client.suback(packet_id), client.publish(b"here", 1))
        client.await_packet(0x40)

    with Broker(Hostile(answers_late), version) as broker:
        settings = load_settings(broker.settings)
        connection = Connection(
            settings, "test", subscribe=["DATA"], on_message=lambda message: taken.append(message.payload)
        )
        connection.start()
        wait_for(lambda: taken, "a message")
        connection.stop()
    assert taken[0] == b"here"
    assert sum("does not answer our SUBSCRIBE" in line for line in log_lines) == 1
