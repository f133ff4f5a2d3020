"""The publisher's outbox, with a witness in it."""

import json
import sqlite3
from collections import Counter
from collections.abc import Hashable
from contextlib import closing
from pathlib import Path

from tests.support.waiting import TIMEOUT

_WITNESS = """
CREATE TABLE witness (payload TEXT);
CREATE TRIGGER witness_insert AFTER INSERT ON outgoing BEGIN
  INSERT INTO witness VALUES (new.payload);
END;
"""


def watch(path: Path) -> None:
    """Have the outbox file itself note, in the same transaction, whatever is put in from now on."""
    with closing(sqlite3.connect(path, timeout=TIMEOUT)) as connection:
        connection.executescript(_WITNESS)


def ever(path: Path) -> Counter[Hashable]:
    """Return the ids of all readings that were in the outbox since `watch`."""
    return Counter(json.loads(payload)["id"] for payload in _payloads(path, "witness"))


def waiting(path: Path) -> Counter[Hashable]:
    """Return the ids of the readings that are in the outbox."""
    return Counter(json.loads(payload)["id"] for payload in _payloads(path, "outgoing"))


def count(path: Path) -> int:
    """Return how many readings were in the outbox since `watch`."""
    with closing(sqlite3.connect(path, timeout=TIMEOUT)) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM witness").fetchone()[0])


def _payloads(path: Path, table: str) -> list[str]:
    with closing(sqlite3.connect(path, timeout=TIMEOUT)) as connection:
        return [payload for (payload,) in connection.execute(f"SELECT payload FROM {table}")]
