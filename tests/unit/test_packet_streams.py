"""Random packets, right and wrong, cut anywhere: our reader, paho alone, and the specification agree.

They may differ only where paho is known to, and there the specification is with us.
"""

import array
import fcntl
import random
import socket
import ssl
import termios
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from config.settings import Settings, load_settings
from scheduler_app.mqtt import buffered_socket, paho_client
from scheduler_app.mqtt.ingest_session import IngestSession
from tests.support.certificates import Certificates
from tests.support.mqtt_oracle import Oracle, Said, Verdict
from tests.unit.transports import connected_pair

CONNACK = {False: b"\x20\2\1\0", True: b"\x20\3\1\0\0"}
# In place of the real limits, so that they are often met. Topic, properties and what is kept of a payload
# fit into the beginning.
READ_SIZE, LARGEST, BEGINNING, KEPT = 256, 3000, 2500, 200
# Why the specification ends a connection that paho goes on with.
PAHO_GOES_ON = {
    *("packet id 0", "flags", "topic alias", "a second CONNACK", "what only a client sends", "reserved"),
    *("property name too long", "no property of PUBLISH", "too large"),
    "integer of a property cut off",
}
# Our own client's first packets: CONNECT and SUBSCRIBE.
_OURS = (0x10, 0x82)


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffered_socket, "READ_SIZE", READ_SIZE)
    monkeypatch.setattr(paho_client, "LARGEST_PACKET", LARGEST)
    monkeypatch.setattr(paho_client, "LARGEST_BEGINNING", BEGINNING)
    monkeypatch.setattr(paho_client, "KEPT_PAYLOAD", KEPT)


def test_streams(monkeypatch: pytest.MonkeyPatch, log_lines: list[str]) -> None:
    compare(monkeypatch, range(600))


def test_streams_over_tls(
    monkeypatch: pytest.MonkeyPatch, log_lines: list[str], certificates: Certificates
) -> None:
    """Paho is still given them over TCP: they say the same."""
    compare(monkeypatch, range(300), certificates)


@pytest.mark.slow
def test_many_streams(monkeypatch: pytest.MonkeyPatch, log_lines: list[str]) -> None:
    compare(monkeypatch, range(600, 6_600))


def compare(monkeypatch: pytest.MonkeyPatch, seeds: range, certificates: Certificates | None = None) -> None:
    settings = {
        version_5: load_settings({"mqtt_version": "5" if version_5 else "3.1.1"})
        for version_5 in (False, True)
    }
    oracles = {version_5: Oracle(version_5, LARGEST, KEPT) for version_5 in (False, True)}
    ended = messages = sure = 0
    for seed in seeds:
        dice = random.Random(seed)
        version_5 = dice.random() < 0.6
        stream = random_stream(dice, version_5)
        chunks = list(cut(dice, stream))
        verdict = oracles[version_5].judge(stream)
        ours = run_ours(monkeypatch, settings[version_5], chunks, version_5, certificates)
        theirs = run_paho(chunks, version_5)
        told = f"seed {seed}, version_5={version_5}, {stream.hex()}, {verdict}"
        check(verdict, ours, told)
        if not (verdict.apart or verdict.ends in PAHO_GOES_ON):
            assert ours[:2] == theirs[:2], told
        ended += verdict.ends is not None
        sure += verdict.sure is None
        messages += len(verdict.messages)
    # or nothing has been tried
    assert ended > len(seeds) / 5
    assert sure > len(seeds) / 2
    assert messages > len(seeds)


def check(verdict: Verdict, ours: tuple[list[Said], bool, list[int]], told: str) -> None:
    """Hold what we made of a stream against the specification."""
    messages, ended, acknowledged = ours
    if verdict.sure is not None:
        assert messages[: verdict.sure] == verdict.messages[: verdict.sure], told
    else:
        assert messages == verdict.messages, told
        assert ended == (verdict.ends is not None), told
    wanted = [message.packet_id for message in messages if message.qos == 1]
    assert acknowledged == wanted[: len(acknowledged)], told
    assert ended or acknowledged == wanted, told


def run_ours(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    chunks: list[bytes],
    version_5: bool,
    certificates: Certificates | None,
) -> tuple[list[Said], bool, list[int]]:
    with connected_pair(certificates) as (ours, theirs), monkeypatch.context() as patch:
        theirs.setblocking(False)
        patch.setattr(Client, "_create_socket", lambda self: ours)
        session = IngestSession(settings, ["DATA"], quiet=True)
        assert session.connect()
        session.maintain()
        taken = []

        def work() -> bool:
            batch = session.receive(1000, 0)
            session.acknowledge(batch)
            taken.extend(batch)
            return session.connected

        def waiting() -> int:
            assert session._client is not None
            assert session._client.buffered_socket is not None
            return unread(ours) + session._client.buffered_socket.pending()

        feed(theirs, [CONNACK[version_5], *chunks], work, waiting)
        connected = session.connected
        sent = everything(theirs)
        session.disconnect()
    messages = [Said(each.topic, each.payload[:KEPT], len(each.payload), *each[2:6]) for each in taken]
    return messages, not connected, acknowledged(sent)


def run_paho(chunks: list[bytes], version_5: bool) -> tuple[list[Said], bool]:
    version = MQTTProtocolVersion.MQTTv5 if version_5 else MQTTProtocolVersion.MQTTv311
    client = Client(CallbackAPIVersion.VERSION2, "test", protocol=version, manual_ack=True)
    client.on_socket_register_write = lambda *_: None
    taken: list[Said] = []
    client.on_message = lambda client, userdata, message: taken.append(said(message))
    with connected_pair() as (ours, theirs):
        theirs.setblocking(False)
        client._create_socket = lambda: ours  # type: ignore[method-assign]
        client.connect("127.0.0.1")

        def work() -> bool:
            try:
                return client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS and client.socket() is not None
            except Exception:  # noqa: BLE001 - that is how it ends a connection, sometimes
                client._sock = None
                return False

        feed(theirs, [CONNACK[version_5], *chunks], work, lambda: unread(ours))
        ended = client.socket() is None
        client._sock = None
    return taken, ended


def said(message: MQTTMessage) -> Said:
    try:
        topic = message.topic
    except UnicodeDecodeError:
        topic = "\ufffd"
    payload = bytes(message.payload)
    return Said(topic, payload[:KEPT], len(payload), message.qos, message.retain, message.dup, message.mid)


def feed(
    theirs: socket.socket, chunks: list[bytes], work: Callable[[], bool], waiting: Callable[[], int]
) -> None:
    """Send each chunk, and have `work` called until it has read all of it, or says that it is over."""
    for chunk in chunks:
        theirs.send(chunk)
        for _ in range(1000):
            if not work():
                return
            if not waiting():
                break
        else:
            raise AssertionError("it reads no further")
    work()


def unread(sock: socket.socket) -> int:
    """Return how many bytes there are to read."""
    count = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, count)
    return count[0]


def everything(sock: socket.socket) -> bytes:
    data = b""
    with suppress(BlockingIOError, ssl.SSLWantReadError):
        while True:
            with suppress(ConnectionResetError):  # told once, if the other end left something unread
                more = sock.recv(1 << 20)
                if not more:
                    break
                data += more
    return data


def acknowledged(sent: bytes) -> list[int]:
    """Return the packet ids of the PUBACKs in what we sent."""
    found = []
    while sent:
        size = 2 + sent[1]
        assert sent[1] < 128
        if sent[0] == 0x40:
            found.append(int.from_bytes(sent[2:4], "big"))
        else:
            # PUBREC is paho's own
            assert sent[0] in (*_OURS, 0x50), sent.hex()
        sent = sent[size:]
    return found


# --- Streams ---


def random_stream(dice: random.Random, version_5: bool) -> bytes:
    packets = [random_packet(dice, version_5) for _ in range(dice.randint(1, 8))]
    stream = bytearray(b"".join(packets))
    if dice.random() < 0.5:
        for _ in range(dice.choice([1, 1, 1, 2, 5])):
            mutate(dice, stream)
    return bytes(stream)


def cut(dice: random.Random, stream: bytes) -> Iterator[bytes]:
    while stream:
        size = dice.choice([1, 2, 3, dice.randint(1, 50), dice.randint(1, 5000), len(stream)])
        yield stream[:size]
        stream = stream[size:]


def mutate(dice: random.Random, stream: bytearray) -> None:
    place = dice.randrange(len(stream))
    what = dice.randrange(5)
    if what == 0:
        stream[place] ^= 1 << dice.randrange(8)
    elif what == 1:
        stream[place] = dice.choice([0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)])
    elif what == 2 and len(stream) > 1:
        del stream[place : place + dice.randint(1, 3)]
    elif what == 3:
        stream[place:place] = dice.randbytes(dice.randint(1, 3))
    elif place:
        del stream[place:]
    if not stream:
        stream += b"\xd0\0"


def random_packet(dice: random.Random, version_5: bool) -> bytes:
    roll = dice.random()
    number: int = dice.choice([*range(1, 20), 0xFFFF, dice.randint(0, 0xFFFF), 0])
    packet_id = number.to_bytes(2, "big")
    if roll < 0.75:
        return random_publish(dice, version_5, packet_id)
    if roll < 0.87:
        return b"\xd0\0"
    if roll < 0.92:
        two = random_publish(dice, version_5, packet_id, qos=2)
        return two + b"\x62\2" + packet_id
    others: list[bytes] = [
        packet(0x40, packet_id),
        packet(0x90, packet_id + (b"\0\1" if version_5 else b"\1")),
        packet(0xB0, packet_id + (b"\0\0" if version_5 else b"")),
        packet(0xE0, b""),
        packet(0xE0, b"\x8e"),
        packet(0xD0, dice.randbytes(LARGEST + 1)),
        packet(dice.choice([0x00, 0x10, 0x20, 0x80, 0xA0, 0xC0, 0xF0, 0x61, 0xD1]), b"\0\0"),
    ]
    return dice.choice(others)


def random_publish(dice: random.Random, version_5: bool, packet_id: bytes, qos: int | None = None) -> bytes:
    qos = dice.choice([0, 1, 1, 1]) if qos is None else qos
    topic = dice.choice(
        [b"DATA", b"DATA", "sensors/küche/🌡".encode(), b"a" * 300, b"", b"+/#", b"a\0b", b"\xff\xfe", b"$x"]
    )
    body = len(topic).to_bytes(2, "big") + topic + (packet_id if qos else b"")
    if version_5:
        properties = random_properties(dice)
        body += length(len(properties)) + properties
    body += dice.randbytes(dice.choice([0, 1, 4, 100, 127, 300, LARGEST, dice.randint(1, 3 * LARGEST)]))
    return packet(0x30 | qos << 1 | dice.choice([0, 0, 1, 8, 9]), body)


def random_properties(dice: random.Random) -> bytes:
    if dice.random() < 0.5:
        return b""
    text = dice.choice([b"", b"text", "é".encode(), b"x" * 200, b"\xff", b"\0", "\ufeff".encode()])
    string = len(text).to_bytes(2, "big") + text
    some = [
        b"\x01" + dice.choice([b"\0", b"\1"]),
        b"\x02" + dice.randbytes(4),
        b"\x03" + string,
        b"\x08" + string,
        b"\x09" + string,
        b"\x26" + string + string,
        b"\x26" + string + string,
        b"\x0b" + dice.choice([b"\1", b"\xff\xff\x7f"]),
        b"\x0b\2",
    ]
    dice.shuffle(some)
    some = some[: dice.randint(1, len(some))]
    if dice.random() < 0.2:
        some.insert(
            dice.randrange(len(some) + 1),
            dice.choice(
                [
                    b"\x23\0\1",
                    b"\x01\2",
                    b"\x0b\0",
                    b"\x11\0\0\0\0",
                    b"\x02\0",
                    b"\x03\0\xff",
                    some[0],
                    b"\x81\0\1",
                ]
            ),
        )
    return b"".join(some)


def packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + length(len(body)) + body


def length(value: int) -> bytes:
    """Section 2.2.3."""
    data = b""
    while True:
        value, byte = divmod(value, 128)
        if not value:
            return data + bytes([byte])
        data += bytes([byte | 128])
