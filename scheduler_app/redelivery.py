"""Recognises a message that the broker sends a second time.

A broker sends what was not acknowledged again when the session goes on: with the DUP flag, and
under its old packet id (MQTT 3.1.1 section 4.4, MQTT 5 section 4.4). The flag alone says little,
since the first try may have been lost on the way; the content alone says nothing, since a sensor
may honestly send `21.5` a hundred times. But a message with the flag that has packet id, topic and
payload of one that was stored in this session is that one.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from hashlib import blake2b

from scheduler_app.packets import Message

# So many of the latest deliveries are remembered: more than any broker's in-flight window that we
# know of, and far fewer than the 65,535 after which packet ids come round again.
REMEMBERED = 20_000
_DIGEST_SIZE = 8
_ENTRY_SIZE = 2 + _DIGEST_SIZE


class Redeliveries:
    """Remembers the latest deliveries of the session: the packet ids and digests of each transaction.

    A delivery is forgotten when it is proven that its acknowledgements have arrived, or when
    enough others have come after it: from then on its packet ids may be those of new messages.
    """

    def __init__(self, stored: Iterable[tuple[int, bytes]] = (), remembered: int = REMEMBERED) -> None:
        """Begin with `stored`: what `encode` gave for earlier deliveries, under their numbers, in order."""
        self._remembered = remembered
        # packet id -> (number of its latest delivery, digest)
        self._packets: dict[int, tuple[int, bytes]] = {}
        self._deliveries: deque[tuple[int, list[int]]] = deque()
        self._size = 0
        self._number = 0
        for number, packets in stored:
            self.record(number, packets)

    @property
    def latest(self) -> int:
        """The number of the latest delivery, 0 before the first. Numbers only grow."""
        return self._number

    @property
    def any_remembered(self) -> bool:
        return bool(self._deliveries)

    def knows(self, message: Message) -> bool:
        """Whether `message` is one that was recorded, sent again."""
        if not message.duplicate or message.qos != 1:
            return False
        _, digest = self._packets.get(message.packet_id, (0, b""))
        return digest == _digest(message)

    def encode(self, messages: Iterable[Message]) -> bytes:
        """Return what to store of `messages`, which are acknowledged together."""
        return b"".join(
            message.packet_id.to_bytes(2, "big") + _digest(message)
            for message in messages
            if message.qos == 1
        )

    def record(self, number: int, packets: bytes) -> None:
        """Remember a delivery: `packets` as `encode` returned it, under a `number` above `latest`."""
        packet_ids = []
        for packet_id, digest in _entries(packets):
            self._packets[packet_id] = (number, digest)
            packet_ids.append(packet_id)
        self._number = number
        self._deliveries.append((number, packet_ids))
        self._size += len(packet_ids)

    def outdated(self) -> int:
        """Return the number up to which deliveries need not be remembered any more, 0 for none."""
        number, size = 0, self._size
        for delivery, packet_ids in self._deliveries:
            size -= len(packet_ids)
            if size < self._remembered:
                break
            number = delivery
        return number

    def forget(self, until: int) -> None:
        """Forget the deliveries with numbers up to `until`."""
        while self._deliveries and self._deliveries[0][0] <= until:
            number, packet_ids = self._deliveries.popleft()
            self._size -= len(packet_ids)
            for packet_id in packet_ids:
                if self._packets.get(packet_id, (0, b""))[0] == number:
                    del self._packets[packet_id]


def _entries(packets: bytes) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(packets), _ENTRY_SIZE):
        yield int.from_bytes(packets[start : start + 2], "big"), packets[start + 2 : start + _ENTRY_SIZE]


def _digest(message: Message) -> bytes:
    # the topic's length keeps topic and payload apart
    topic = message.topic.encode(errors="surrogatepass")
    return blake2b(b"%d:%b%b" % (len(topic), topic, message.payload), digest_size=_DIGEST_SIZE).digest()
