"""What a stream of MQTT packets from a server says, written from the specifications and nothing else.

MQTT 3.1.1 and MQTT 5, sections 2 and 3. Where this service bears what the specifications forbid, since
to refuse it would only bring it again, it is said here.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

_INTEGER = "integer of a property cut off"


class Said(NamedTuple):
    """A message: its payload cut to what is compared, and how long it is."""

    topic: str
    beginning: bytes
    length: int
    qos: int
    retained: bool
    duplicate: bool
    packet_id: int


@dataclass
class Verdict:
    """What is to become of a stream."""

    messages: list[Said] = field(default_factory=list)
    # Why the connection must end, if it must; and whether it is left open because more is to come.
    ends: str | None = None
    # How many messages come before an answer to a packet of our own, if there is one. Its body is not
    # looked at, so that the connection may end there.
    sure: int | None = None
    # What of it paho judges in another way.
    apart: set[str] = field(default_factory=set)


class _Wrong(Exception):
    """What follows breaks a rule, or ends the connection."""


class _More(Exception):
    """The rest is still to come."""


@dataclass
class Oracle:
    """Judges streams that come after CONNACK and SUBACK."""

    version_5: bool
    # What this service adds: how large a packet may be before only PUBLISH of QoS 0 and 1 may go on.
    largest: int
    compared: int

    def judge(self, stream: bytes) -> Verdict:
        """Return what is to become of `stream`."""
        verdict = Verdict()
        held: dict[int, Said] = {}
        position = 0
        try:
            while position < len(stream):
                position = self._packet(stream, position, verdict, held)
        except _Wrong as wrong:
            verdict.ends = str(wrong)
        except _More:
            pass
        return verdict

    def _packet(self, stream: bytes, position: int, verdict: Verdict, held: dict[int, Said]) -> int:
        first = stream[position]
        kind, flags = first >> 4, first & 15
        self._check_kind(kind, flags)
        size, start = _integer(stream, position + 1, _More)
        if size > self.largest and (kind != 3 or flags >> 1 & 3 == 2):
            raise _Wrong("too large")
        end = start + size
        if end > len(stream):
            raise _More
        body = stream[start:end]
        if kind == 3:
            self._publish(flags, body, verdict, held)
        elif kind == 13:
            if body:
                raise _Wrong("PINGRESP with a body")
        elif kind == 6 and size == 2:
            released = held.pop(int.from_bytes(body, "big"), None)
            if released is not None:
                verdict.messages.append(released)
        elif kind == 14:
            raise _Wrong("DISCONNECT")
        elif verdict.sure is None:
            verdict.sure = len(verdict.messages)
        return end

    def _check_kind(self, kind: int, flags: int) -> None:
        """Sections 2.2.1 and 2.2.2, MQTT 5 sections 2.1.2 and 2.1.3."""
        if kind == 2:
            raise _Wrong("a second CONNACK")
        if kind in (1, 8, 10, 12):
            raise _Wrong("what only a client sends")
        if kind in (0, 15) or (kind == 14 and not self.version_5):
            raise _Wrong("reserved")
        if kind != 3 and flags != (2 if kind == 6 else 0):
            raise _Wrong("flags")

    def _publish(self, flags: int, body: bytes, verdict: Verdict, held: dict[int, Said]) -> None:
        """Section 3.3."""
        retained, qos, duplicate = bool(flags & 1), flags >> 1 & 3, bool(flags & 8)
        if qos == 3:
            raise _Wrong("QoS 3")  # MQTT-3.3.1-4
        raw_topic, position = _binary(body, 0)
        packet_id, position = _fixed(body, position, 2 if qos else 0)
        if qos and packet_id == 0:
            raise _Wrong("packet id 0")
        apart = ""
        # a topic that is empty or no UTF-8 is forbidden, and borne
        if not raw_topic and not self.version_5:
            apart = "empty topic"
        if self.version_5:
            length, position = _integer(body, position, _Wrong)
            if position + length > len(body):
                raise _Wrong("properties beyond the packet")
            if _properties(body[position : position + length]):
                apart = "text of a property"
            position += length
        payload = body[position:]
        topic = raw_topic.decode() if _is_text(raw_topic) else "\ufffd"
        said = Said(topic, payload[: self.compared], len(payload), qos, retained, duplicate, packet_id)
        if qos == 2:
            if apart:
                raise _Wrong(apart)  # a message of QoS 2 is left to paho
            held[packet_id] = said
            return
        verdict.messages.append(said)
        verdict.apart |= {apart} - {""}


def _properties(data: bytes) -> bool:
    """MQTT 5 section 3.3.2.3. What a text says is borne; return whether paho does not bear it."""
    strange = False
    seen: list[int] = []
    position = 0
    while position < len(data):
        name, after = _integer(data, position, _Wrong)
        if after != position + 1:
            raise _Wrong("property name too long")  # MQTT-1.5.5-1, which no name needs
        texts, position = _property(name, data, after)
        strange |= any(not _is_text(text) or set(text.decode()) & {"\0", "\ufeff"} for text in texts)
        if name in seen and name not in (0x26, 0x0B):
            raise _Wrong("property twice")
        seen.append(name)
    return strange


def _property(name: int, data: bytes, position: int) -> tuple[list[bytes], int]:
    """Return the texts in the property at `position`, and where it ends (MQTT 5 section 2.2.2.2)."""
    if name in (0x01, 0x02):
        value, position = _fixed(data, position, 1 if name == 0x01 else 4, _INTEGER)
        if name == 0x01 and value > 1:
            raise _Wrong("payload format")
        return [], position
    if name == 0x23:
        _fixed(data, position, 2, _INTEGER)
        raise _Wrong("topic alias")  # MQTT-3.3.2-11
    if name == 0x0B:
        value, position = _integer(data, position, _Wrong, _INTEGER)
        if value == 0:
            raise _Wrong("subscription identifier 0")
        return [], position
    if name not in (0x03, 0x08, 0x09, 0x26):
        raise _Wrong("no property of PUBLISH")
    text, position = _binary(data, position)
    if name == 0x09:
        return [], position  # binary data
    if name != 0x26:
        return [text], position
    other, position = _binary(data, position)
    return [text, other], position


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _fixed(data: bytes, position: int, size: int, missing: str = "cut off") -> tuple[int, int]:
    end = position + size
    if end > len(data):
        raise _Wrong(missing)
    return int.from_bytes(data[position:end], "big"), end


def _binary(data: bytes, position: int) -> tuple[bytes, int]:
    length, start = _fixed(data, position, 2)
    if start + length > len(data):
        raise _Wrong("cut off")
    return data[start : start + length], start + length


def _integer(data: bytes, position: int, missing: type[Exception], why: str = "cut off") -> tuple[int, int]:
    """Section 2.2.3, MQTT 5 section 1.5.5. More bytes than needed are forbidden there, and borne."""
    value = 0
    for index in range(4):
        if position + index >= len(data):
            raise missing(why)
        byte = data[position + index]
        value += (byte % 128) * 128**index
        if byte < 128:
            return value, position + index + 1
    raise _Wrong("length of five bytes")
