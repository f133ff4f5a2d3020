"""A connection publishes and reads over TCP and TLS, and the way that is left to paho, as over WebSockets."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from random import Random

import pytest

from config.settings import load_settings
from scheduler_app.mqtt.buffered_socket import BufferedSocket
from scheduler_app.mqtt.connection import Connection
from scheduler_app.mqtt.message import Message, Puback
from scheduler_app.mqtt.packets import read_publishes
from scheduler_app.mqtt.publications import MOST_IN_FLIGHT
from tests.support.certificates import Certificates, serve_tls
from tests.support.waiting import TIMEOUT, wait_for
from tests.unit.messages import message
from tests.unit.test_packets import packet, puback

CONNACK = {"3.1.1": b"\x20\2\0\0", "5": b"\x20\3\0\0\0"}
# So many messages as go out in several writes.
COUNT = 250


class Broker:
    """The other end of a connection, which is `publishing`, and takes messages."""

    def __init__(
        self, end: socket.socket, publishing: Connection, taken: list[Message], version: str
    ) -> None:
        self.end, self.publishing, self.taken, self.version = end, publishing, taken, version
        self._received = b""

    def read(self, count: int) -> list[Message]:
        """Return the next messages that are published, at least so many."""
        messages: list[Message] = []
        while len(messages) < count:
            self._receive()
            found, size = read_publishes(self._received, 10_000, 0.0, version_5=self.version == "5")
            self._received = self._received[size:]
            messages += found
        return messages

    def _receive(self) -> None:
        more = self.end.recv(1 << 16)
        assert more, "the connection has ended"
        self._received += more

    def read_packet(self) -> bytes:
        """Return the next packet, which has a length of one byte."""
        while len(self._received) < 2 or len(self._received) < 2 + self._received[1]:
            self._receive()
        size = 2 + self._received[1]
        first, self._received = self._received[:size], self._received[size:]
        return first


@pytest.fixture(params=["TCP", "TLS", "left to paho"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Certificates | None:
    """Return the certificates to speak TLS by, if it is spoken."""
    if request.param == "TLS":
        certificates: Certificates = request.getfixturevalue("certificates")
        return certificates
    if request.param == "left to paho":
        begin = BufferedSocket.__init__
        monkeypatch.setattr(
            BufferedSocket, "__init__", lambda self, sock, **_: begin(self, sock, reads_ahead=False)
        )
    return None


@pytest.fixture(params=["3.1.1", "5"])
def broker(request: pytest.FixtureRequest, transport: Certificates | None) -> Iterator[Broker]:
    with connected(request.param, transport) as broker:
        yield broker


@contextmanager
def connected(version: str, certificates: Certificates | None) -> Iterator[Broker]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"{'mqtts' if certificates else 'mqtt'}://127.0.0.1:{listener.getsockname()[1]}"
        authority = {"broker_cafile": str(certificates.authority)} if certificates else {}
        settings = load_settings({"broker": address, "mqtt_version": version, **authority})
        taken: list[Message] = []
        connection = Connection(settings, "test", subscribe=["a"], on_message=taken.append)
        connection.start()
        end, _ = listener.accept()
        if certificates is not None:
            end = serve_tls(end, certificates)
        with closing(end):
            end.settimeout(TIMEOUT)
            broker = Broker(end, connection, taken, version)
            assert broker.read_packet()[:1] == b"\x10"
            end.sendall(CONNACK[version])
            assert broker.read_packet()[:1] == b"\x82"
            wait_for(lambda: connection.connected, "a connection")
            try:
                yield broker
            finally:
                end.close()
                connection.stop()


def send_cut(end: socket.socket, data: bytes, random: Random) -> None:
    cuts = sorted(random.sample(range(1, len(data)), 20))
    for start, stop in pairwise([0, *cuts, len(data)]):
        end.sendall(data[start:stop])


def test_all_that_is_published_comes_once_in_order_and_each_answer_is_told(broker: Broker) -> None:
    """The PUBACKs are cut anywhere, with other packets between them."""
    random = Random(1)
    answers: list[tuple[str, Puback]] = []

    def taker(payload: str) -> Callable[[Puback], None]:
        return lambda puback: answers.append((payload, puback))

    payloads = [f"{number}" for number in range(COUNT)]
    for payload in payloads:
        assert broker.publishing.publish("a", payload, retain=True, when_acknowledged=taker(payload))
    came: list[Message] = []
    code = 0x10 if broker.version == "5" else 0
    while len(came) < COUNT:
        messages = broker.read(1)
        came += messages
        data = b"".join(
            puback(each.packet_id, code * random.randrange(2)) + random.choice([b"", b"\xd0\0"])
            for each in messages
        )
        send_cut(broker.end, data * (len(data) > 40) or data + 20 * b"\xd0\0", random)
    assert [each.payload.decode() for each in came] == payloads
    assert {(each.topic, each.qos, each.retained) for each in came} == {("a", 1, True)}
    wait_for(lambda: len(answers) == COUNT, lambda: f"an answer to each; there are {len(answers)}")
    assert [payload for payload, _ in answers] == payloads
    assert all(puback.accepted for _, puback in answers)


def test_messages_that_come_between_pubacks_are_taken_and_acknowledged(broker: Broker) -> None:
    answers: list[Puback] = []
    for _ in range(10):
        broker.publishing.publish("a", "x", when_acknowledged=answers.append)
    data = b""
    for each in broker.read(10):
        incoming = message(
            b"in", "a", qos=each.packet_id % 2, packet_id=each.packet_id * (each.packet_id % 2)
        )
        data += puback(each.packet_id, 0) + packet(incoming, version_5=broker.version == "5")
    broker.end.sendall(data)
    wait_for(lambda: len(answers) == len(broker.taken) == 10, "all messages and all answers")
    acknowledged = [broker.read_packet() for each in broker.taken if each.qos]
    assert acknowledged == [puback(each.packet_id, 0) for each in broker.taken if each.qos]


def test_a_malformed_puback_ends_the_connection(broker: Broker, log_lines: list[str]) -> None:
    broker.publishing.publish("a", "x")
    [each] = broker.read(1)
    broker.end.sendall(b"\x40\3" + each.packet_id.to_bytes(2, "big") + b"\x01")
    wait_for(lambda: not broker.publishing.connected, "the end of the connection")
    assert any("what is no MQTT" in line and "PUBACK" in line for line in log_lines)
    assert not broker.publishing.publish("a", "x")


def test_a_goodbye_waits_until_all_has_gone_out(transport: Certificates | None) -> None:
    with connected("3.1.1", transport) as broker:
        for number in range(COUNT):
            broker.publishing.publish("a", str(number))
        broker.publishing._stopping.set()
        came: list[Message] = []
        answered = 0
        while len(came) < COUNT:
            came += broker.read(1)
            # the last ones are not waited for
            due = came[answered : COUNT - MOST_IN_FLIGHT]
            broker.end.sendall(b"".join(puback(each.packet_id, 0) for each in due))
            answered += len(due)
        assert broker.read_packet() == b"\xe0\0"
