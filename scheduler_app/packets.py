"""The MQTT packets that come and go in masses: PUBLISH and PUBACK."""

from collections.abc import Iterable
from typing import NamedTuple

# Fixed header of a PUBLISH packet without its flags (MQTT 3.1.1 and 5, section 3.3.1).
_PUBLISH = 0x30
# The whole fixed header of a PUBACK that says nothing but success (3.4.1; MQTT 5 section 3.4.2.1).
_PUBACK = b"\x40\x02"
PUBACK_SIZE = 4
# Stands for a topic that is not UTF-8.
INVALID_TOPIC = "\ufffd"


class Message(NamedTuple):
    """One PUBLISH packet as it arrived (MQTT 3.1.1 and 5, section 3.3)."""

    topic: str
    payload: bytes
    qos: int
    retained: bool
    # The DUP flag: the broker may have sent this packet before.
    duplicate: bool
    packet_id: int
    # UTC epoch seconds, by our clock
    arrived: float


class Incomplete(Exception):
    """The rest of a packet is not there yet."""


class Unusual(Exception):
    """A packet that this file does not understand, or that breaks the rules."""


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
    has QoS 2, or a topic alias in place of its topic. They arrived at `arrived` (UTC epoch seconds).
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


def pubacks(packet_ids: Iterable[int]) -> bytes:
    """Return a PUBACK packet for each of `packet_ids` (section 3.4)."""
    return b"".join([_PUBACK + packet_id.to_bytes(2, "big") for packet_id in packet_ids])


def _message(flags: int, body: bytes, arrived: float, version_5: bool) -> Message:
    """Return the message in a PUBLISH packet (section 3.3), or raise Unusual."""
    qos = flags >> 1 & 3
    end = 2 + int.from_bytes(body[:2], "big")
    raw_topic = body[2:end]
    packet_id = 0
    if qos == 1:
        packet_id = int.from_bytes(body[end : end + 2], "big")
        end += 2
    if version_5:
        properties, end = _variable_length(body, end)
        end += properties
    if qos > 1 or not raw_topic or end > len(body):
        raise Unusual
    try:
        topic = raw_topic.decode()
    except UnicodeDecodeError:  # forbidden (MQTT-1.5.3-1), but it must not end the connection
        topic = INVALID_TOPIC
    return Message(topic, body[end:], qos, flags & 1 == 1, flags & 8 == 8, packet_id, arrived)


def _body(data: bytes, start: int) -> tuple[int, int]:
    """Return where the body of the packet at `start` begins and ends."""
    length, body = _variable_length(data, start + 1)
    if body + length > len(data):
        raise Incomplete
    return body, body + length


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
    raise Unusual if shift == 28 else Incomplete
