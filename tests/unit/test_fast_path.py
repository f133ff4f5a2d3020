"""How the fast path and paho share one socket, over TCP and over TLS."""

import random
import re
import select
import socket
import ssl
import struct
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import load_settings
from scheduler_app.mqtt import buffered_socket, dialer, packets, paho_client, subscribing
from scheduler_app.mqtt.message import Message
from scheduler_app.mqtt.packets import KEPT_PAYLOAD, LARGEST_PACKET, packet_size, pubacks
from scheduler_app.mqtt.paho_client import MAXIMUM_PACKET_SIZE
from tests.support.processes import ROOT
from tests.support.waiting import TIMEOUT
from tests.unit.messages import message
from tests.unit.scripted_broker import ScriptedBroker, scripted_broker
from tests.unit.test_packets import packet

PINGRESP = b"\xd0\0"
DISCONNECT = b"\xe0\0"
# To the topic DATA, by MQTT 3.1.1.
SUBSCRIBE_SIZE = 11
# Larger than what is looked at in one read, once a test has made that small.
SMALL_READ = 256
LARGE = b"x" * 1000

MESSAGES = st.lists(
    st.builds(message, st.sampled_from([b"", b"21.5", LARGE]), packet_id=st.integers(1, 0xFFFF)),
    min_size=1,
    max_size=8,
)


Scripted = Callable[..., AbstractContextManager[ScriptedBroker]]


@pytest.fixture(params=["TCP", "TLS"])
def scripted(request: pytest.FixtureRequest) -> Scripted:
    """Return what `scripted_broker` is, over each transport that is read ahead."""
    certificates = request.getfixturevalue("certificates") if request.param == "TLS" else None
    return partial(scripted_broker, certificates=certificates)


def contents(messages: list[Message]) -> list[Message]:
    """Return `messages` without the time of their arrival."""
    return [each._replace(arrived=0.0) for each in messages]


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_any_packets_cut_anywhere_give_the_same_messages(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(buffered_socket, "READ_SIZE", SMALL_READ)
    with scripted(version) as broker:

        @given(MESSAGES, st.data())
        def cut_anywhere(messages: list[Message], data: st.DataObject) -> None:
            stream = b""
            for each in messages:
                stream += packet(each, version_5=version == "5")
                stream += data.draw(st.sampled_from([b"", PINGRESP, 3 * PINGRESP]))
            stream += packet(message(b"end"), version_5=version == "5")
            cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=6)))
            taken: list[Message] = []
            for start, end in pairwise([0, *cuts, len(stream)]):
                broker.send(stream[start:end])
                taken += broker.session.receive(1000, 1)
            if not taken or taken[-1].payload != b"end":
                taken += broker.take_until(lambda more: bool(more) and more[-1].payload == b"end")
            assert contents(taken) == contents([*messages, message(b"end")])

        cut_anywhere()


def test_a_message_that_is_longer_than_a_read_is_received(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffered_socket, "READ_SIZE", SMALL_READ)
    with scripted() as broker:
        broker.send(packet(message(b"1")) + packet(message(LARGE)) + packet(message(b"2")))
        assert [each.payload for each in broker.take(0.1)] == [b"1", LARGE, b"2"]


@pytest.mark.parametrize("version", ["3.1.1", "5"])
@pytest.mark.parametrize("qos", [0, 1])
def test_a_message_that_is_too_large_is_skipped(scripted: Scripted, version: str, qos: int) -> None:
    """Nothing behind it is held up, and no more than its beginning is ever in memory."""
    version_5 = version == "5"
    size = 3 * LARGEST_PACKET
    large = message(b"x" * size, qos=qos, packet_id=3 * qos)
    end = message(b"end", packet_id=4)
    stream = memoryview(
        packet(message(b"1"), version_5=version_5)
        + packet(large, version_5=version_5)
        + packet(end, version_5=version_5)
    )
    with scripted(version) as broker:
        broker.connection.setblocking(False)
        taken: list[Message] = []
        tracemalloc.start()
        while not taken or taken[-1].payload != b"end":
            with suppress(BlockingIOError, ssl.SSLWantWriteError):
                stream = stream[broker.connection.send(stream) :]
            taken += broker.session.receive(1000, 0.1)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        broker.session.acknowledge(taken)
    assert [len(each.payload) for each in taken] == [1, size, 3]
    cut = taken[1]
    assert cut.payload[:size] == b"x" * KEPT_PAYLOAD
    assert contents([cut._replace(payload=b"")]) == contents([large._replace(payload=b"")])
    assert most < LARGEST_PACKET


@pytest.mark.parametrize("more", [0, 1])
def test_a_message_as_large_as_may_be_is_whole(scripted: Scripted, more: int) -> None:
    """A packet's size is counted without the one to five bytes that say it."""
    payload = bytes(LARGEST_PACKET - len(b"\0\4DATA\0\1") + more)
    with scripted() as broker:
        sender = threading.Thread(target=broker.send, args=[packet(message(payload))])
        sender.start()
        [taken] = broker.take_until(bool)
        sender.join()
    assert (taken.payload == payload) == (more == 0)
    assert len(taken.payload) == len(payload)


def test_a_longest_topic_and_a_payload_too_large(scripted: Scripted) -> None:
    topic = "t" * 65535
    with scripted() as broker:
        sender = threading.Thread(target=broker.send, args=[packet(message(bytes(LARGEST_PACKET), topic))])
        sender.start()
        [taken] = broker.take_until(bool)
        sender.join()
    assert (taken.topic, len(taken.payload), len(taken.payload[:])) == (topic, LARGEST_PACKET, KEPT_PAYLOAD)


def test_a_large_message_that_comes_byte_by_byte_is_not_kept(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paho_client, "LARGEST_PACKET", 300)
    monkeypatch.setattr(paho_client, "LARGEST_BEGINNING", 100)
    whole = packet(message(bytes(400)))
    with scripted() as broker:
        client = broker.session._client
        assert client is not None
        most = 0
        taken: list[Message] = []
        for byte in whole:
            broker.send(bytes([byte]))
            taken += broker.session.receive(1000, 1)
            most = max(most, len(client._in_packet["packet"]))
    assert [len(each.payload) for each in taken] == [400]
    assert most == 101


def test_mqtt_5_brokers_are_told_how_large_a_packet_may_be(scripted: Scripted) -> None:
    """And that all may be larger than what is read whole: what is too large is told, not lost."""
    assert MAXIMUM_PACKET_SIZE > LARGEST_PACKET
    shipped = (ROOT / "config" / "mosquitto" / "mosquitto.conf").read_text()
    [size] = re.findall(r"^max_packet_size (\d+)$", shipped, re.MULTILINE)
    # the longest topic and the longest payload fit; and a topic may take the place of an alias on the way
    assert 2 * 65_536 < int(size) < MAXIMUM_PACKET_SIZE - 65_536
    for keep_session in (True, False):
        made = dialer.Dialer(load_settings(), "id", keep_session=keep_session)
        assert made._properties().MaximumPacketSize == MAXIMUM_PACKET_SIZE  # type: ignore[attr-defined]
    with scripted("5") as broker:
        assert b"\x27" + MAXIMUM_PACKET_SIZE.to_bytes(4, "big") in broker.connect


@pytest.mark.parametrize(
    ("passed", "connected"), [(paho_client.PACKET_TIMEOUT - 1, True), (paho_client.PACKET_TIMEOUT + 1, False)]
)
def test_a_packet_that_does_not_end(
    scripted: Scripted, log_lines: list[str], passed: float, connected: bool
) -> None:
    with scripted() as broker:
        whole = packet(message(LARGE))
        broker.send(whole[:500])
        assert broker.take(0.1) == []
        client = broker.session._client
        assert client is not None
        client._packet_began -= passed
        broker.send(whole[500:501])
        assert broker.take(0.1) == []
        assert broker.session.connected == connected
    assert ("a packet that has not ended after 60 s" in "".join(log_lines)) != connected


@pytest.mark.parametrize("large", [False, True])
def test_a_large_message_may_take_long_as_long_as_it_comes(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    monkeypatch.setattr(paho_client, "LARGEST_PACKET", 10_000)
    monkeypatch.setattr(paho_client, "LARGEST_BEGINNING", 1_000)
    whole = packet(message(bytes(100_000)))
    with scripted() as broker:
        broker.send(whole[:2000])
        assert broker.take(0.1) == []
        client = broker.session._client
        assert client is not None
        client._packet_began -= paho_client.PACKET_TIMEOUT + 1
        broker.send(whole[2000 : 20_000 if large else 3000])
        assert broker.take(0.1) == []
        assert broker.session.connected == large


@pytest.mark.parametrize(("passed", "asked_again"), [(-1, False), (1, True)])
def test_a_subscription_that_is_not_answered(
    scripted: Scripted, log_lines: list[str], passed: float, asked_again: bool
) -> None:
    first, longest = subscribing.SUBACK_TIMEOUT
    with scripted() as broker:
        watch = broker.session._subscribing
        assert watch._next is not None
        watch._next -= first + passed
        broker.take(0.1)
        broker.session.maintain()
        assert bool(select.select([broker.connection], [], [], 0.2)[0]) == asked_again
        for _ in range(5):
            watch.tend(broker.session._client)  # type: ignore[arg-type]
            watch._next -= longest + 1
        assert watch._pause == longest
        complaints = [line for line in log_lines if "does not answer our SUBSCRIBE" in line]
        assert len(complaints) == 1
        broker.send(b"\x90\3\0\1\1")  # the answer to the first will do
        assert broker.take(0.1) == []
        assert broker.session.subscribed
        assert watch._next is None


def test_what_comes_in_masses_does_not_pass_through_paho(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or all this would be for nothing."""
    read: list[object] = []
    monkeypatch.setattr(paho_client, "read_publish", read.append)
    with scripted("5") as broker:
        broker.send(500 * packet(message(b"1"), version_5=True))
        assert len(broker.take(0.1)) == 500
        broker.session.acknowledge([message(b"1", packet_id=number) for number in (3, 1, 2)])
        assert broker.read(12) == pubacks([3, 1, 2])
    assert read == []


def test_what_was_read_ahead_is_received_without_waiting(scripted: Scripted) -> None:
    """Nothing more may come, so nobody would tell that it is there."""
    with scripted() as broker:
        broker.send(20 * packet(message(b"1")))
        taken = broker.session.receive(10, TIMEOUT)
        assert len(taken) == 10
        waits = threading.Thread(
            target=lambda: taken.extend(broker.session.receive(10, 86_400.0)), daemon=True
        )
        waits.start()
        waits.join(TIMEOUT)
        assert len(taken) == 20


def test_what_comes_past_paho_counts_as_heard(scripted: Scripted) -> None:
    """Or a broker that sends would be given up as silent."""
    with scripted() as broker:
        client = broker.session._client
        assert client is not None
        client._last_bytes_received -= 1000
        broker.send(packet(message(b"1")))
        broker.take_until(bool)
        assert client.silent_for < 1000


def test_a_qos_2_message_leaves_everything_to_paho(scripted: Scripted) -> None:
    """Nobody asks for one; but paho may read several packets at a time while one is on its way."""
    with scripted() as broker:
        qos_2 = bytearray(packet(message(b"2", packet_id=7)))
        qos_2[0] = 0x34
        broker.send(packet(message(b"1")) + qos_2 + b"\x62\2\0\7" + packet(message(b"3")) + PINGRESP)
        assert [each.payload for each in broker.take(0.1)] == [b"1", b"2", b"3"]
        broker.session.acknowledge([message(b"3", packet_id=9)])
        assert broker.read(8) == b"\x50\2\0\7" + pubacks([9])  # the first is the PUBREC


@pytest.mark.parametrize(
    "rubbish", [b"\x32\0", b"\x32\3\0\1a", b"\xd0\xff\xff\xff\xff\xff", b"\x32\xff\xff\xff\xff\xff"]
)
def test_a_broker_that_speaks_no_mqtt_is_left(
    scripted: Scripted, rubbish: bytes, log_lines: list[str]
) -> None:
    with scripted() as broker:
        broker.send(packet(message(b"1")) + rubbish)
        assert [each.payload for each in broker.take(0.1)] == [b"1"]
        assert not broker.session.connected
    assert "lost the connection" in "".join(log_lines)


def test_a_broker_that_goes_is_noticed(scripted: Scripted) -> None:
    with scripted() as broker:
        broker.send(packet(message(b"1")) + b"\x32")
        broker.connection.close()
        assert [each.payload for each in broker.take(0.1)] == [b"1"]
        assert not broker.session.connected


def test_a_connection_that_is_reset_is_noticed(scripted: Scripted, log_lines: list[str]) -> None:
    """Then reading fails, where after a goodbye it only brings nothing."""
    with scripted() as broker:
        broker.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        broker.connection.close()
        assert broker.take(0.1) == []
        assert not broker.session.connected
    assert "lost the connection" in "".join(log_lines)


def test_acknowledgements_and_other_packets_come_whole_and_in_order(scripted: Scripted) -> None:
    """Also if the broker takes only a few bytes at a time."""
    dice = random.Random(1)
    packet_ids = [dice.randrange(1, 0xFFFF) for _ in range(20_000)]
    stream, subscriptions = b"", 0
    with scripted(narrow=True) as broker:
        for start in range(0, len(packet_ids), 100):
            broker.session.acknowledge(
                [message(b"", packet_id=each) for each in packet_ids[start : start + 100]]
            )
            if dice.random() < 0.5:
                broker.session.subscribe()
                subscriptions += 1
            stream += broker.received(dice.randrange(1, 500))
        stream += broker.read(4 * len(packet_ids) + subscriptions * SUBSCRIBE_SIZE - len(stream))
    packets = list(split(stream))
    assert b"".join(each for each in packets if each[0] == 0x40) == pubacks(packet_ids)
    assert [each[0] for each in packets if each[0] != 0x40] == [0x82] * subscriptions


def split(stream: bytes) -> Iterator[bytes]:
    """Yield the packets of a stream."""
    while stream:
        size = packet_size(stream)
        yield stream[:size]
        stream = stream[size:]


def test_a_proof_is_not_asked_for_before_the_acknowledgements_are_sent(scripted: Scripted) -> None:
    """The request would overtake them, and its answer prove nothing."""
    with scripted(narrow=True) as broker:
        session = broker.session
        broker.send(b"\x90\3\0\1\1")  # the SUBACK
        assert session.receive(1, 10) == []
        assert session.subscribed
        many = [message(b"", packet_id=1)] * 100_000
        session.acknowledge(many)
        assert not session.request_proof()
        broker.read(4 * len(many))
        assert session.request_proof()
        assert broker.read(1)[:1] == b"\xa2"


def test_leaving_acknowledges_first(scripted: Scripted) -> None:
    with scripted() as broker:
        assert broker.session._fast_path is not None
        broker.session._fast_path.acknowledge([1, 2])
        broker.session.disconnect()
        sent = b""
        while more := broker.connection.recv(100):
            sent += more
        assert sent == pubacks([1, 2]) + DISCONNECT


def test_a_broker_that_takes_nothing_does_not_hold_us_up(scripted: Scripted) -> None:
    with scripted(narrow=True) as broker:
        broker.session.acknowledge([message(b"", packet_id=1)] * 100_000)
        assert broker.session.receive(1000, 0) == []
        broker.session.disconnect()  # in about a second


# The payload of one message, and the bytes of others: whoever reads from the middle of it is deceived.
DECEPTIVE = 4 * packet(message(b"no message", packet_id=3))


def test_the_rest_of_a_packet_that_paho_has_begun_is_left_to_it(scripted: Scripted) -> None:
    """Wherever the packet was cut, and even if its rest looks like packets."""
    stream = packet(message(DECEPTIVE, packet_id=4))
    with scripted() as broker:
        for cut in range(1, len(stream)):
            broker.send(stream[:cut])
            assert broker.session.receive(1000, TIMEOUT) == []
            broker.send(stream[cut:])
            taken = broker.take_until(bool)
            assert [each.payload for each in taken] == [DECEPTIVE], f"cut after {cut} bytes"


def test_after_a_qos_2_message_paho_may_stop_in_the_middle_of_any_packet(scripted: Scripted) -> None:
    """With two of them on their way it reads two packets at a time, also half of the second."""
    stream = packet(message(DECEPTIVE, packet_id=4))
    for cut in (1, 2, len(stream) - len(DECEPTIVE), len(stream) - len(DECEPTIVE) // 2):
        with scripted() as broker:
            for packet_id in (7, 8):
                qos_2 = bytearray(packet(message(b"2", packet_id=packet_id)))
                qos_2[0] = 0x34
                broker.send(bytes(qos_2))
                assert broker.session.receive(1000, TIMEOUT) == []
            assert broker.read(8) == b"\x50\2\0\7\x50\2\0\x08"  # a PUBREC for each
            broker.send(b"\x62\2\0\7" + stream[:cut])  # the first PUBREL, and a part
            taken = broker.take_until(bool)
            broker.send(stream[cut:])
            taken += broker.take_until(bool)
            assert [each.payload for each in taken] == [b"2", DECEPTIVE], f"cut after {cut} bytes"


def test_after_a_packet_that_paho_has_read_the_masses_do_not_pass_through_it(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads what comes in parts, and no more than that."""
    by_paho: list[bytes] = []
    read = packets.read_publish

    def note(first_byte: int, body: bytes, arrived: float, *, version_5: bool) -> Message:
        sent = read(first_byte, body, arrived, version_5=version_5)
        by_paho.append(sent.payload)
        return sent

    monkeypatch.setattr("scheduler_app.mqtt.paho_client.read_publish", note)
    with scripted() as broker:
        in_parts = packet(message(b"in parts"))
        broker.send(in_parts[:5])
        assert broker.session.receive(1000, TIMEOUT) == []
        broker.send(in_parts[5:])
        assert len(broker.take_until(bool)) == 1
        broker.send(500 * packet(message(b"at once")))
        broker.take_until(lambda taken: len(taken) == 500)
    assert by_paho == [b"in parts"]
