"""The MQTT packets that come and go in masses: PUBLISH and PUBACK."""

from collections.abc import Iterable

from scheduler_app.mqtt.message import INVALID_TOPIC, Message

# Fixed header of a PUBLISH packet without its flags (MQTT 3.1.1 and 5, section 3.3.1).
_PUBLISH = 0x30
_QOS_1, _RETAIN = 0x02, 0x01
# The whole fixed header of a PUBACK that says nothing but success (3.4.1; MQTT 5 section 3.4.2.1).
_PUBACK = b"\x40\x02"
PUBACK_SIZE = 4
# The reason codes of a PUBACK: success, and what else a broker may answer (MQTT 5 section 3.4.2.1).
_REASON_CODES = frozenset([0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99])
# Bytes. Of a packet that is longer than the first, no more than the second is ever in memory. A topic
# is up to 64 KiB long, and a payload of more than that is no reading, so this takes nothing from any.
LARGEST_PACKET = 1 << 20
LARGEST_BEGINNING = 1 << 17
# Bytes of the payload of such a packet that are handed on.
KEPT_PAYLOAD = 4096
# The first byte of each packet that a server may send us, but for PUBLISH (section 2.2.2; MQTT 5
# section 2.1.3). The last is not for MQTT 3.1.1.
_CONNACK = 0x20
_FROM_SERVER = frozenset([_CONNACK, 0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xD0])
_DISCONNECT = 0xE0
_PAYLOAD_FORMAT = 0x01
_TOPIC_ALIAS = 0x23
_USER_PROPERTY = 0x26
_SUBSCRIPTION_IDENTIFIER = 0x0B
# The properties of a PUBLISH that are integers, and their sizes in bytes (MQTT 5 section 3.3.2.3); 2 is
# the message expiry interval.
_INTEGERS = {_PAYLOAD_FORMAT: 1, 0x02: 4, _TOPIC_ALIAS: 2}
# Those that are strings or binary data: content type, response topic, correlation data.
_STRINGS = {0x03, 0x08, 0x09}


class Incomplete(Exception):
    """The rest of a packet is not there yet."""


class Unusual(Exception):
    """A packet that this file does not understand, or that breaks the rules: says which."""


def is_publish(data: bytes) -> bool:
    """Whether the packet that `data` begins with is a PUBLISH."""
    return data[0] & 0xF0 == _PUBLISH


def packet_size(data: bytes) -> int:
    """Return the size in bytes of the packet that `data` begins with (section 2.2.3, MQTT 5: 2.1.4).

    Raises Incomplete if it is not all there, and Unusual if it has no valid length.
    """
    _, end = _body(data, 0)
    return end


def read_publishes(data: bytes, limit: int, arrived: float, *, version_5: bool) -> tuple[list[Message], int]:
    """Return the messages of the complete PUBLISH packets that `data` begins with, and their size in bytes.

    Stops after `limit` of them, and before anything else: also before a PUBLISH that is malformed,
    has QoS 2, or a topic alias. They arrived at `arrived` (UTC epoch seconds).
    """
    messages: list[Message] = []
    size = 0
    try:
        while len(messages) < limit and size < len(data) and data[size] & 0xF0 == _PUBLISH:
            start, end = _body(data, size)
            messages.append(_message(data[size], data[start:end], arrived, version_5))
            size = end
    except (Incomplete, Unusual):
        pass
    return messages, size


def read_publish(first_byte: int, body: bytes, arrived: float, *, version_5: bool) -> Message:
    """Return the message of one PUBLISH packet: `body` is what comes after its length.

    Raises Unusual, as where `read_publishes` stops.
    """
    try:
        return _message(first_byte, body, arrived, version_5)
    except Incomplete:
        raise Unusual("a PUBLISH that ends in its properties") from None


def check_first_byte(first_byte: int, *, version_5: bool, connected: bool) -> None:
    """Raise Unusual if a server may not begin a packet like that.

    `connected`: whether its CONNACK has come, which comes once, and first (MQTT-3.2.0-1).
    """
    if connected == (first_byte == _CONNACK):
        raise Unusual("a second CONNACK" if connected else "something else before its CONNACK")
    known = first_byte & 0xF0 == _PUBLISH or first_byte in _FROM_SERVER
    if not known and not (version_5 and first_byte == _DISCONNECT):
        raise Unusual(f"a packet that begins with {first_byte:#04x}, which no server may send")


def pubacks(packet_ids: Iterable[int]) -> bytes:
    """Return a PUBACK packet for each of `packet_ids` (section 3.4)."""
    return b"".join([_PUBACK + packet_id.to_bytes(2, "big") for packet_id in packet_ids])


def publish(topic: bytes, payload: bytes, packet_id: int, *, retain: bool, version_5: bool) -> bytes:
    """Return a PUBLISH packet without properties (section 3.3), of QoS 1, or with packet id 0 of QoS 0."""
    flags = _PUBLISH | (_QOS_1 if packet_id else 0) | (_RETAIN if retain else 0)
    middle = packet_id.to_bytes(2, "big") if packet_id else b""
    if version_5:
        middle += b"\0"
    size = 2 + len(topic) + len(middle) + len(payload)
    if size < 1 << 14:  # as mostly: its length takes two bytes
        length = bytes((size & 0x7F | 0x80, size >> 7)) if size > 0x7F else bytes((size,))
    else:
        length = _written_length(size)
    return b"%c%b%b%b%b%b" % (flags, length, len(topic).to_bytes(2, "big"), topic, middle, payload)


def read_pubacks(data: bytes, *, version_5: bool) -> tuple[list[tuple[int, int]], int]:
    """Return packet id and reason code of the PUBACKs that `data` begins with, and their size in bytes.

    Stops before anything else: also before a PUBACK that is malformed, or says more than that.
    """
    found: list[tuple[int, int]] = []
    size = 0
    while size + PUBACK_SIZE <= len(data) and data[size] == _PUBACK[0]:
        end = size + 2 + data[size + 1]
        code = 0
        if end != size + PUBACK_SIZE:
            if not version_5 or end != size + PUBACK_SIZE + 1 or end > len(data):
                break
            code = data[end - 1]
        if code not in _REASON_CODES:
            break
        found.append((data[size + 2] << 8 | data[size + 3], code))
        size = end
    return found, size


def read_puback(body: bytes, *, version_5: bool) -> tuple[int, int]:
    """Return packet id and reason code of one PUBACK packet: `body` is what comes after its length.

    Raises Unusual if it is malformed. What else it says is not looked at.
    """
    if len(body) < 2 or (len(body) > 2 and not version_5):
        raise Unusual(f"a PUBACK of {len(body)} bytes")
    code = body[2] if len(body) > 2 else 0
    if code not in _REASON_CODES:
        raise Unusual(f"a PUBACK with the reason code {code:#04x}, which none has")
    return int.from_bytes(body[:2], "big"), code


def _message(flags: int, body: bytes, arrived: float, version_5: bool) -> Message:
    """Return the message in a PUBLISH packet (section 3.3), or raise Unusual.

    A topic that is forbidden (MQTT-1.5.3-1, MQTT-3.3.2-2, MQTT-4.7.3-1) must not end the connection:
    some brokers hand it on, and would send it again.
    """
    qos = flags >> 1 & 3
    end = 2 + int.from_bytes(body[:2], "big")
    raw_topic = body[2:end]
    packet_id = 0
    if qos:
        packet_id = int.from_bytes(body[end : end + 2], "big")
        end += 2
        if qos > 1:
            raise Unusual(f"a PUBLISH of QoS {qos}")
        if not packet_id:
            raise Unusual("a PUBLISH without a packet id")  # MQTT-2.3.1-1, MQTT 5: MQTT-2.2.1-4
    if version_5:
        if body[end : end + 1] == b"\0":
            end += 1  # as mostly: no properties
        else:
            length, start = _variable_length(body, end)
            end = start + length
            _check_properties(body[start:end])
    if end > len(body):
        raise Unusual("a PUBLISH that ends before its payload")
    try:
        topic = raw_topic.decode()
    except UnicodeDecodeError:
        topic = INVALID_TOPIC
    return Message(topic, body[end:], qos, flags & 1 == 1, flags & 8 == 8, packet_id, arrived)


def _check_properties(properties: bytes) -> None:
    """Raise Unusual unless these may be the properties of a PUBLISH to us (MQTT 5 section 3.3.2.3).

    What the strings say is not looked at: nothing is made of it, and a publisher's bad character
    must not end our connection.
    """
    seen = set()
    position = 0
    while position < len(properties):
        identifier = properties[position]
        start, position = position + 1, _after_property(properties, position)
        if position > len(properties):
            raise Unusual("a PUBLISH with properties that are cut off")
        if identifier == _TOPIC_ALIAS:  # MQTT-3.3.2-11: we allow none
            raise Unusual("a PUBLISH with a topic alias, which we have not asked for")
        if identifier == _PAYLOAD_FORMAT and properties[start] > 1:
            raise Unusual("a PUBLISH with a payload format indicator that is neither 0 nor 1")
        if identifier in seen:
            raise Unusual(f"a PUBLISH with the property {identifier:#04x} twice")
        if identifier not in (_USER_PROPERTY, _SUBSCRIPTION_IDENTIFIER):
            seen.add(identifier)


def _after_property(data: bytes, start: int) -> int:
    """Return where the property at `start` ends, or raise Unusual (MQTT 5 section 2.2.2.2)."""
    identifier = data[start]
    start += 1
    if identifier in _INTEGERS:
        return start + _INTEGERS[identifier]
    if identifier in _STRINGS:
        return _after_string(data, start)
    if identifier == _USER_PROPERTY:
        return _after_string(data, _after_string(data, start))
    if identifier == _SUBSCRIPTION_IDENTIFIER:
        value, end = _variable_length(data, start)
        if not value:
            raise Unusual("a PUBLISH with a subscription identifier of 0")
        return end
    raise Unusual(f"a PUBLISH with the property {identifier:#04x}, which none has")


def _after_string(data: bytes, start: int) -> int:
    """Return where the string or binary data at `start` ends (MQTT 5 sections 1.5.4 and 1.5.6)."""
    return start + 2 + int.from_bytes(data[start : start + 2], "big")


def _body(data: bytes, start: int) -> tuple[int, int]:
    """Return where the body of the packet at `start` begins and ends."""
    length, body = _variable_length(data, start + 1)
    if body + length > len(data):
        raise Incomplete
    return body, body + length


def _written_length(size: int) -> bytes:
    """Return a length of one to four bytes (section 2.2.3; MQTT 5 section 1.5.5)."""
    written = bytearray()
    while size > 0x7F:
        written.append(size & 0x7F | 0x80)
        size >>= 7
    written.append(size)
    return bytes(written)


def _variable_length(data: bytes, start: int) -> tuple[int, int]:
    """Return the integer of one to four bytes at `start`, and where it ends (MQTT 5 section 1.5.5)."""
    if start < len(data) and data[start] < 0x80:
        return data[start], start + 1  # as mostly
    value = shift = 0
    for position, byte in enumerate(data[start : start + 4], start=start + 1):
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    if shift == 28:
        raise Unusual("a length of more than four bytes")
    raise Incomplete
