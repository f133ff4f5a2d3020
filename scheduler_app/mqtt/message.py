"""The messages that pass through the door to MQTT, and the broker's answers to them."""

from dataclasses import dataclass
from typing import NamedTuple, Self

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


class CutPayload(bytes):
    """The beginning of a payload that was too long to be held. Its length is that of the whole.

    So whoever rejects a payload for its length rejects this one, and names its true size.
    """

    _length: int

    def __new__(cls, beginning: bytes, length: int) -> Self:
        """`length`: of the whole payload, in bytes."""
        self = super().__new__(cls, beginning)
        self._length = length
        return self

    def __len__(self) -> int:
        return self._length


class Puback(NamedTuple):
    """The broker's answer to what we published. MQTT 3.1.1 brokers always accept."""

    accepted: bool
    reason: str


@dataclass(frozen=True)
class Retained:
    """A message that the broker keeps for those who subscribe later."""

    topic: str
    payload: str
