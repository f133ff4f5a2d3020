import socket
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from scheduler_app.packets import (
    Incomplete,
    Message,
    Unusual,
    is_publish,
    packet_size,
    pubacks,
    read_publishes,
)
from tests.unit.messages import NOW, message

VERSIONS = pytest.mark.parametrize("version_5", [False, True], ids=["3.1.1", "5"])
# (payload, topic, QoS, retained, duplicate, packet id)
MESSAGES = st.builds(
    lambda payload, topic, qos, retained, duplicate, packet_id: message(
        payload,
        topic,
        qos=qos,
        retained=retained,
        duplicate=duplicate and qos > 0,
        packet_id=packet_id if qos else 0,
    ),
    # lengths of one, two and three bytes
    st.one_of(st.binary(max_size=300), st.integers(1, 20_000).map(bytes)),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0+#"), min_size=1, max_size=200),
    st.integers(0, 1),
    st.booleans(),
    st.booleans(),
    st.integers(1, 0xFFFF),
)


def packet(message: Message, *, version_5: bool = False, properties: bool = False) -> bytes:
    """Return the PUBLISH packet that paho makes of a message."""
    version = MQTTProtocolVersion.MQTTv5 if version_5 else MQTTProtocolVersion.MQTTv311
    client = Client(CallbackAPIVersion.VERSION2, protocol=version)
    client.on_socket_register_write = lambda *_: None  # or it would send it
    some = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if properties:
        some.ContentType = "x" * 200  # so long that its length takes two bytes
        some.UserProperty = ("unit", "°C")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client._sock = ours
        client._send_publish(
            message.packet_id,
            message.topic.encode(),
            message.payload,
            message.qos,
            message.retained,
            message.duplicate,
            properties=some if version_5 else None,
        )
        client._sock = None
    return bytes(client._out_packet.pop()["packet"])


def read(data: bytes, *, version_5: bool = False, limit: int = 1000) -> tuple[list[Message], int]:
    return read_publishes(data, limit, NOW, version_5=version_5)


@given(st.lists(MESSAGES, max_size=5), st.booleans(), st.booleans())
def test_reads_what_paho_writes(messages: Sequence[Message], version_5: bool, properties: bool) -> None:
    data = b"".join(packet(each, version_5=version_5, properties=properties) for each in messages)
    assert read(data, version_5=version_5) == (messages, len(data))


@given(st.lists(MESSAGES, min_size=1, max_size=4), st.booleans(), st.data())
def test_reads_the_packets_that_are_complete(
    messages: Sequence[Message], version_5: bool, data: st.DataObject
) -> None:
    """Wherever the stream is cut, what is before the cut and what is after it give all messages."""
    stream = b"".join(packet(each, version_5=version_5) for each in messages)
    cut = data.draw(st.integers(0, len(stream)))
    first, size = read(stream[:cut], version_5=version_5)
    rest, rest_size = read(stream[size:], version_5=version_5)
    assert size <= cut
    assert first + rest == messages
    assert size + rest_size == len(stream)


@VERSIONS
@given(data=st.binary(max_size=40))
@example(data=b"\x30")
@example(data=b"\x32\0")
@example(data=b"\x30\xff\xff\xff\xff\x7f")
def test_anything_can_be_read(version_5: bool, data: bytes) -> None:
    """Whatever a broker sends, the worst that comes of it is nothing."""
    messages, size = read(data, version_5=version_5)
    assert size <= len(data)
    assert bool(messages) == bool(size)


@VERSIONS
def test_reads_no_more_than_asked_for(version_5: bool) -> None:
    one = packet(message(b"1"), version_5=version_5)
    assert read(3 * one, limit=2, version_5=version_5) == (2 * [message(b"1")], 2 * len(one))
    assert read(3 * one, limit=0, version_5=version_5) == ([], 0)


@VERSIONS
@pytest.mark.parametrize(
    "other",
    [
        pytest.param(b"\xd0\0", id="PINGRESP"),
        pytest.param(b"\x34\x08\0\1a\0\1\0x", id="QoS 2"),
        pytest.param(b"\x36\x08\0\1a\0\1\0x", id="QoS 3"),
        pytest.param(b"\x32\x06\0\1a\0\0\0", id="packet id 0"),
        pytest.param(b"\x32\0", id="nothing in it"),
        pytest.param(b"\x32\x03\0\1a", id="no packet id"),
        pytest.param(b"\x32\x04\0\1a\0", id="half a packet id"),
        pytest.param(b"\x32\x04\0\xffaa", id="topic longer than the packet"),
        pytest.param(b"\x30\x80\x80\x80\x80\0", id="length of five bytes"),
    ],
)
def test_stops_before_anything_else(other: bytes, version_5: bool) -> None:
    one = packet(message(b"1"), version_5=version_5)
    assert read(one + other + one, version_5=version_5) == ([message(b"1")], len(one))


@pytest.mark.parametrize(
    "malformed",
    [
        pytest.param(b"\x32\x05\0\1a\0\1", id="no properties"),
        pytest.param(b"\x32\x06\0\1a\0\1\x01", id="properties longer than the packet"),
        pytest.param(b"\x32\x06\0\1a\0\1\x80", id="length of the properties cut off"),
        pytest.param(b"\x32\x09\0\1a\0\1\xff\xff\xff\xff", id="length of the properties of five bytes"),
    ],
)
def test_stops_before_malformed_properties(malformed: bytes) -> None:
    assert read(malformed + b"\xff", version_5=True) == ([], 0)


def test_a_payload_may_be_empty() -> None:
    assert read(packet(message(b"")))[0] == [message(b"")]
    assert read(packet(message(b""), version_5=True), version_5=True)[0] == [message(b"")]


def test_a_topic_that_is_not_utf_8_is_replaced() -> None:
    assert read(b"\x30\x05\0\2\xff\xfe1")[0] == [message(b"1", "\ufffd", qos=0, packet_id=0)]


@given(st.integers(0, 3_000_000).filter(lambda size: size < 300 or size % 7 == 0))
@example(127)
@example(128)
@example(16_383)
@example(16_384)
@example(2_097_151)
@example(2_097_152)
def test_the_size_of_a_packet(payload: int) -> None:
    data = packet(message(bytes(payload), qos=0, packet_id=0))
    assert packet_size(data) == packet_size(data + b"more") == len(data)
    with pytest.raises(Incomplete):
        packet_size(data[:-1])


@pytest.mark.parametrize("data", [b"", b"\xd0", b"\xd0\x80", b"\xd0\xff\xff\xff", b"\xd0\x01"])
def test_the_size_of_a_packet_that_is_not_all_there(data: bytes) -> None:
    with pytest.raises(Incomplete):
        packet_size(data)


def test_the_size_of_a_packet_takes_four_bytes_at_most() -> None:
    with pytest.raises(Unusual):
        packet_size(b"\xd0\xff\xff\xff\xff")


def test_tells_a_publish_from_others() -> None:
    assert is_publish(packet(message(b"1", retained=True)))
    assert not is_publish(b"\xd0\0")


@given(st.lists(st.integers(1, 0xFFFF), max_size=5))
def test_writes_the_pubacks_that_paho_writes(packet_ids: list[int]) -> None:
    client = Client(CallbackAPIVersion.VERSION2, manual_ack=True)
    client.on_socket_register_write = lambda *_: None
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client._sock = ours
        for packet_id in packet_ids:
            client.ack(packet_id, qos=1)
        client._sock = None
    assert pubacks(packet_ids) == b"".join(each["packet"] for each in client._out_packet)
