"""What is noted of the messages that share a transaction, to recognise them when they come again."""

from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

DIGEST_SIZE = 8
ENTRY = Struct(f">H{DIGEST_SIZE}s")


@dataclass(eq=False)
class Delivery:
    """What is remembered of a delivery: by packet id, the digests."""

    number: int
    # As its number, but right for a delivery that an earlier version has numbered from 1.
    position: int
    packets: dict[int, bytes]
    # Its row holds packet ids that it has lost since.
    outdated: bool = False

    def row(self) -> tuple[int, bytes]:
        """Return what is written of it in the table: its number, its packet ids and digests."""
        return self.number, b"".join(
            [ENTRY.pack(packet_id, digest) for packet_id, digest in self.packets.items()]
        )


# A packet id, and the delivery that remembers it.
Known = tuple[int, Delivery]


class Rows(NamedTuple):
    """What a transaction is to change in the table of deliveries."""

    # The deliveries to be written, or written anew: their numbers, their packet ids and digests.
    written: list[tuple[int, bytes]]
    # The numbers of those to be deleted.
    deleted: list[int]


class Arrival(NamedTuple):
    """What was found out about messages that share a transaction."""

    # The places of those that came before.
    repeated: set[int]
    # How many of them are to be acknowledged, and how many of these are new.
    acknowledged: int
    new: int
    # The digests of the new ones by packet id.
    packets: dict[int, bytes]
    # Those that came before.
    known: list[Known]
    # The packet id of the last of them, where the last is acknowledged later.
    latest: int | None


class Acknowledged(NamedTuple):
    """A batch that has been acknowledged on this connection."""

    messages: int
    delivery: Delivery | None
    known: list[Known]
