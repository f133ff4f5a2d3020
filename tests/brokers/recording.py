"""A proxy that remembers what has passed, to find out who has lost a reading: the broker or we."""

from collections import defaultdict
from collections.abc import Iterator

from tests.faults.proxy import Proxy

_PUBLISH, _PUBACK = 3, 4


class RecordingProxy(Proxy):
    """Remembers each connection's bytes, by direction."""

    def __init__(self, port: int, *options: object) -> None:
        super().__init__(port, *options)  # type: ignore[arg-type]
        self._bytes: defaultdict[tuple[int, str], bytearray] = defaultdict(bytearray)

    def passes(self, connection: int, direction: str, chunk: bytes) -> None:
        self._bytes[connection, direction] += chunk

    def acknowledged_payloads(self) -> set[bytes]:
        """Return the payloads that the client has sent a PUBACK for.

        Right where a broker gives a packet id once in a connection only.
        """
        found = set()
        for connection in {connection for connection, _ in self._bytes}:
            sent = {
                int.from_bytes(body[place : place + 2]): body[place + 2 :].lstrip(b"\0")  # no properties
                for first, body in packets(bytes(self._bytes[connection, "client"]))
                if first >> 4 == _PUBLISH and first & 0x06
                for place in [2 + int.from_bytes(body[:2])]
            }
            for first, body in packets(bytes(self._bytes[connection, "broker"])):
                if first >> 4 == _PUBACK:
                    found.add(sent.get(int.from_bytes(body[:2]), b""))
        return found


def packets(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the first byte and the body of each packet that is whole (MQTT 3.1.1 and 5, section 2.1)."""
    place = 0
    while place + 2 <= len(stream):
        first, size, shift, begin = stream[place], 0, 0, place + 1
        while begin < len(stream):
            size |= (stream[begin] & 0x7F) << shift
            shift += 7
            begin += 1
            if stream[begin - 1] < 0x80:
                break
        if begin + size > len(stream):
            return
        yield first, bytes(stream[begin : begin + size])
        place = begin + size
