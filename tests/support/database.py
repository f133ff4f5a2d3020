"""What a subscriber has stored, read beside it as anybody could, with nothing of its own code."""

import math
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.waiting import TIMEOUT, wait_for


class Row(NamedTuple):
    series: str
    time: float
    value: float


def rows(path: Path) -> list[Row]:
    """Return all readings in the order they were stored."""
    query = (
        "SELECT series.name, reading.time, reading.value "
        "FROM reading JOIN series ON series.id = reading.series_id ORDER BY sequence"
    )
    return [Row(*row) for row in _all(path, query)]


def values(path: Path) -> list[float]:
    """Return the values of all readings in the order they were stored."""
    return [row.value for row in rows(path)]


def wait_for_rows(path: Path, count: int, timeout: float = TIMEOUT) -> list[Row]:
    """Wait until at least `count` readings are stored; return all."""
    return wait_for(
        lambda: found if len(found := rows(path)) >= count else None,
        lambda: f"{count} readings in {path.name}; there are {len(rows(path))}",
        timeout,
    )


def rejected(path: Path) -> list[tuple[str, bytes, str]]:
    """Return topic, payload and reason of all rejected messages in the order they were stored."""
    return [
        (topic, bytes(payload), reason)
        for topic, payload, reason in _all(
            path, "SELECT topic, payload, reason FROM rejected_message ORDER BY id"
        )
    ]


def outgoing(path: Path) -> list[str]:
    """Return the payloads that wait in an outbox."""
    return [payload for (payload,) in _all(path, "SELECT payload FROM outgoing ORDER BY id")]


def counters(path: Path) -> dict[str, int]:
    """Return how many messages came to which end."""
    return dict(_all(path, "SELECT name, value FROM counter"))


def expected_average(path: Path, window: float, now: float | None = None) -> float | None:
    """Return what the average over the last `window` seconds must be, to the last bit."""
    now = time.time() if now is None else now
    inside = [row.value for row in rows(path) if now - window < row.time]
    return math.fsum(inside) / len(inside) if inside else None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the database's write lock while inside, as another program might."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=TIMEOUT)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def _all(path: Path, query: str) -> list[tuple[Any, ...]]:
    if not path.exists():
        return []
    with closing(sqlite3.connect(path, timeout=TIMEOUT)) as connection:
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):  # the subscriber is just about to make them
                return []
            raise
