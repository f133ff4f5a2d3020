import socket
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from scheduler_app.intake.payload import MAX_PAYLOAD, Reason, Rejected, decode
from scheduler_app.mqtt.message import CutPayload, Message
from scheduler_app.mqtt.packets import (
    Incomplete,
    Unusual,
    check_first_byte,
    is_publish,
    packet_size,
    pubacks,
    publish,
    read_puback,
    read_pubacks,
    read_publish,
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


WHOLE = b"\x01\1\x02\0\0\0\x3c\x03\0\1t\x08\0\1r\x09\0\1\xff\x26\0\1k\0\1v\x26\0\0\0\0\x0b\1\x0b\xff\x7f"


def with_properties(properties: bytes, *, qos: int = 1) -> tuple[int, bytes]:
    """Return the first byte and the body of a PUBLISH."""
    packet_id = b"\0\1" if qos else b""
    return 0x30 | qos << 1, b"\0\4DATA" + packet_id + bytes([len(properties)]) + properties + b"21.5"


@pytest.mark.parametrize(
    "properties",
    [
        pytest.param(b"", id="none"),
        pytest.param(WHOLE, id="all that a server may send"),
        pytest.param(b"\x03\0\3\xff\0\x80", id="a text that is no UTF-8"),
    ],
)
def test_properties_are_passed_over(properties: bytes) -> None:
    first_byte, body = with_properties(properties)
    expected = message(b"21.5")
    assert read_publish(first_byte, body, NOW, version_5=True) == expected
    stream = bytes([first_byte, len(body)]) + body
    assert read(stream, version_5=True) == ([expected], len(stream))


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        pytest.param(b"\x01", "cut off", id="indicator without a value"),
        pytest.param(b"\x01\2", "neither 0 nor 1", id="indicator of 2"),
        pytest.param(b"\x01\1\x01\1", "twice", id="two indicators"),
        pytest.param(b"\x02\0\0\0", "cut off", id="expiry of three bytes"),
        pytest.param(b"\x02\0\0\0\1\x02\0\0\0\1", "twice", id="two expiries"),
        pytest.param(b"\x03\0", "cut off", id="half a length"),
        pytest.param(b"\x03\0\2x", "cut off", id="content type too short"),
        pytest.param(b"\x08\0\1r\x08\0\1r", "twice", id="two response topics"),
        pytest.param(b"\x09\xff\xff", "cut off", id="no correlation data"),
        pytest.param(b"\x26\0\1k", "cut off", id="user property without a value"),
        pytest.param(b"\x26\0\1k\0\2v", "cut off", id="user property too short"),
        pytest.param(b"\x0b", "ends in its properties", id="no subscription identifier"),
        pytest.param(b"\x0b\0", "identifier of 0", id="subscription identifier 0"),
        pytest.param(b"\x0b\xff\xff\xff\xff\1", "four bytes", id="subscription identifier of five bytes"),
        pytest.param(b"\x23\0\1", "topic alias", id="topic alias"),
        pytest.param(b"\x11\0\0\0\1", "0x11", id="property of CONNECT"),
        pytest.param(b"\x00", "0x00", id="no property"),
        pytest.param(b"\x81\0\1", "0x81", id="name of two bytes"),
    ],
)
@pytest.mark.parametrize("qos", [0, 1])
def test_malformed_properties_are_refused(properties: bytes, reason: str, qos: int) -> None:
    first_byte, body = with_properties(properties, qos=qos)
    with pytest.raises(Unusual, match=reason):
        read_publish(first_byte, body, NOW, version_5=True)
    assert read(bytes([first_byte, len(body)]) + body, version_5=True) == ([], 0)


@VERSIONS
@pytest.mark.parametrize(
    ("raw_topic", "topic"),
    [(b"", ""), (b"\0", "\0"), (b"a/+/#", "a/+/#"), (b"\xff", "\ufffd"), (b"\xed\xa0\x80", "\ufffd")],
)
def test_a_topic_that_is_forbidden_is_handed_on(raw_topic: bytes, topic: str, version_5: bool) -> None:
    """To refuse it would only bring it again, since it is not acknowledged."""
    body = len(raw_topic).to_bytes(2, "big") + raw_topic + b"\0\1" + b"\0" * version_5 + b"1"
    expected = message(b"1", topic)
    assert read(bytes([0x32, len(body)]) + body, version_5=version_5)[0] == [expected]
    assert read_publish(0x32, body, NOW, version_5=version_5) == expected


@VERSIONS
@pytest.mark.parametrize(("connected", "first"), [(True, 0x90), (False, 0x20)])
def test_first_bytes_that_a_server_may_send(version_5: bool, connected: bool, first: int) -> None:
    allowed = set()
    for byte in range(256):
        try:
            check_first_byte(byte, version_5=version_5, connected=connected)
        except Unusual:
            continue
        allowed.add(byte)
    assert first in allowed
    if connected:
        others = {0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xD0} | ({0xE0} if version_5 else set())
        assert allowed == {*range(0x30, 0x40)} | others
    else:
        assert allowed == {0x20}


@pytest.mark.parametrize("length", [MAX_PAYLOAD + 1, 250_000_000])
def test_a_cut_payload_is_rejected_with_its_true_length(length: int) -> None:
    payload = CutPayload(b"21.5", length)
    with pytest.raises(Rejected) as rejected:
        decode(payload, NOW, NOW)
    assert rejected.value.reason == Reason.TOO_LONG
    assert f"{length} bytes" in rejected.value.detail
    assert payload[:4096] == b"21.5"


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


@VERSIONS
@given(MESSAGES)
def test_what_is_published_is_the_packet_that_paho_makes(version_5: bool, each: Message) -> None:
    each = each._replace(duplicate=False)
    written = publish(
        each.topic.encode(), each.payload, each.packet_id, retain=each.retained, version_5=version_5
    )
    assert written == packet(each, version_5=version_5)


@VERSIONS
@pytest.mark.parametrize("size", [0x7F, 0x80, 0x3FFF, 0x4000, 0x1F_FFFF, 0x20_0000])
def test_the_length_of_what_is_published_takes_as_many_bytes_as_it_needs(version_5: bool, size: int) -> None:
    each = message(b"x" * (size - len("DATA") - 4 - version_5), "DATA", packet_id=7)
    written = publish(b"DATA", each.payload, 7, retain=False, version_5=version_5)
    assert packet_size(written) == len(written)
    assert written == packet(each, version_5=version_5)


REASONS = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]


def puback(packet_id: int, code: int) -> bytes:
    """Return a PUBACK as a broker of MQTT 5 may send it: success may be left out."""
    body = packet_id.to_bytes(2, "big") + (bytes([code]) if code else b"")
    return bytes([0x40, len(body)]) + body


@given(st.lists(st.tuples(st.integers(1, 0xFFFF), st.sampled_from(REASONS))), st.integers(0, 4))
def test_pubacks_are_read_as_far_as_they_are_whole(found: list[tuple[int, int]], missing: int) -> None:
    data = b"".join(puback(*each) for each in found)
    assert read_pubacks(data, version_5=True) == (found, len(data))
    last = puback(1, 0x10)
    cut = data + last[:missing]
    assert read_pubacks(cut, version_5=True) == (found, len(data))


@given(st.lists(st.integers(1, 0xFFFF)))
def test_pubacks_of_mqtt_3_say_nothing_but_their_ids(packet_ids: list[int]) -> None:
    data = pubacks(packet_ids)
    assert read_pubacks(data + b"\xd0\0", version_5=False) == ([(each, 0) for each in packet_ids], len(data))
    assert read_pubacks(data + puback(1, 0x10), version_5=False)[1] == len(data)


@pytest.mark.parametrize(
    "other",
    [
        b"\x41\2\0\1",
        b"\x40\1\0\1",
        b"\x40\3\0\1\x01",  # no reason code of a PUBACK
        b"\x40\4\0\1\x10\0",  # with properties, though there are none
        b"\x40\x83\0\0\1\0",  # a length of two bytes
        b"\xd0\0",
        b"\x30\7\0\1x\0123",
    ],
)
def test_nothing_but_plain_pubacks_is_read_with_them(other: bytes) -> None:
    assert read_pubacks(puback(5, 0) + other + puback(6, 0), version_5=True) == ([(5, 0)], 4)


def test_a_puback_may_say_more_which_is_not_looked_at() -> None:
    assert read_puback(b"\1\2", version_5=False) == (0x0102, 0)
    assert read_puback(b"\1\2", version_5=True) == (0x0102, 0)
    assert read_puback(b"\1\2\x10", version_5=True) == (0x0102, 0x10)
    assert read_puback(b"\1\2\x87\5\x1f\0\2no", version_5=True) == (0x0102, 0x87)


@pytest.mark.parametrize(
    ("body", "version_5"), [(b"\1", True), (b"", False), (b"\1\2\0", False), (b"\1\2\1", True)]
)
def test_a_malformed_puback_is_told(body: bytes, version_5: bool) -> None:
    with pytest.raises(Unusual, match="a PUBACK"):
        read_puback(body, version_5=version_5)
