"""What is in the subscriber's database, read beside it as anybody could, with nothing of its own code."""

import sqlite3
from collections import Counter
from collections.abc import Hashable
from contextlib import closing
from pathlib import Path

from tests.support.waiting import TIMEOUT

ENDINGS = ("stored", "duplicates", "rejected", "late", "retained", "ignored")
# The id of the reading that is sent last of all, and is no part of any load.
LAST = "the last one"


def stored(path: Path, key: str = "value") -> Counter[Hashable]:
    """Return how often each value (or `message_id`) is stored, without the last one."""
    query = f"SELECT {key} FROM reading WHERE message_id IS NOT ?"
    with closing(_open(path)) as connection:
        return Counter(_readable(found) for (found,) in connection.execute(query, [LAST]))


def newest(path: Path) -> int:
    """Return the sequence of the reading stored last, 0 if there is none. Sequences grow, with gaps."""
    with closing(_open(path)) as connection:
        return int(connection.execute("SELECT COALESCE(MAX(sequence), 0) FROM reading").fetchone()[0])


def count_stored(path: Path) -> int:
    with closing(_open(path)) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM reading").fetchone()[0])


def last_is_stored(path: Path) -> bool:
    with closing(_open(path)) as connection:
        return connection.execute("SELECT 1 FROM reading WHERE message_id = ?", [LAST]).fetchone() is not None


def remembered_deliveries(path: Path) -> int:
    """Return how many transactions are remembered in order to recognise what is sent again."""
    with closing(_open(path)) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM delivery").fetchone()[0])


def remembered_messages(path: Path) -> int:
    """Return how many messages are remembered in them, at 10 bytes each."""
    with closing(_open(path)) as connection:
        query = "SELECT COALESCE(SUM(LENGTH(packets)), 0) FROM delivery"
        return int(connection.execute(query).fetchone()[0]) // 10


def received(path: Path) -> int:
    """Return how many messages were received, among them those that came again."""
    with closing(_open(path)) as connection:
        query = "SELECT COALESCE(SUM(value), 0) FROM counter WHERE name = 'received'"
        return int(connection.execute(query).fetchone()[0])


def books(path: Path) -> dict[str, int]:
    """Return the counters; fail unless they add up, and agree with the rows, at this moment."""
    with closing(_open(path)) as connection, connection:
        connection.execute("BEGIN")
        counters = dict(connection.execute("SELECT name, value FROM counter"))
        readings, ids = connection.execute("SELECT COUNT(*), COUNT(message_id) FROM reading").fetchone()
        known = connection.execute("SELECT COUNT(*) FROM message_id").fetchone()[0]
    assert_balanced(counters)
    assert known == ids
    assert counters.get("stored", 0) - counters.get("pruned", 0) == readings
    # numbers what is taken in, duplicates by id too, and is no counter of messages
    assert counters.pop("sequence", 0) >= counters.get("stored", 0)
    return counters


def assert_balanced(counters: dict[str, int]) -> None:
    """Fail unless each message received has come to one end."""
    assert counters.get("received", 0) == sum(counters.get(name, 0) for name in ENDINGS), counters


def _readable(found: Hashable) -> Hashable:
    """Return an id as it was sent; one of hexadecimal digits and dashes is stored as a number after a 1."""
    if not isinstance(found, bytes):
        return found
    number, text = int.from_bytes(found, "big"), ""
    while number > 1:
        number, digit = divmod(number, 17)
        text = "0123456789abcdef-"[digit] + text
    return text


def _open(path: Path) -> sqlite3.Connection:
    # read-only, since the last connection to be closed would write the log back into the database
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=TIMEOUT, isolation_level=None)
