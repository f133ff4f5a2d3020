"""How many rejected messages are kept, in whichever database."""

from typing import NamedTuple

# They are for a person to look at, and must not fill the disk: so many rows are kept at most, and so
# many bytes of topics and payloads in all.
MOST_ROWS = 10_000
MOST_BYTES = 20_000_000
# A transaction deletes as many as it inserts, and at most so many more: it takes milliseconds.
MORE_AT_ONCE = 100


class Amount(NamedTuple):
    """How much is kept: messages, and the bytes of their topics and payloads."""

    rows: int
    bytes: int
