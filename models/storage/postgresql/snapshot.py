"""All stored readings as they are at one moment, span by span of time."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, count
from typing import Any

from models.storage.postgresql.connection import PatientConnection, Server

# How many rows the server sends at a time.
_CHUNK = 10_000
# Seconds in which the next reading is looked for first, then in twice as many.
_NEAR = 16.0
# Of cursors, which must not have one name where one is still open.
_NUMBERS = count()


@contextmanager
def one_moment(server: Server) -> Iterator[PatientConnection]:
    """Have all queries inside see the same rows. Memory stays bounded if they go through `rows_of`."""
    connection = server.driver
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        yield connection
    finally:
        if not connection.closed:
            connection.execute("ROLLBACK")


def rows_of(connection: PatientConnection, query: str, parameters: Sequence[object]) -> Iterator[Any]:
    """Yield the rows of a query, a part of them at a time, in a transaction of the caller's."""
    with connection.cursor(f"rows_{next(_NUMBERS)}", binary=True) as cursor:
        cursor.itersize = _CHUNK
        yield from cursor.execute(query, parameters)


class StoredReadings:
    """What the statistics begin from: described in models/statistics/loading.py."""

    def __init__(self, connection: PatientConnection) -> None:
        """Take a `connection` in a transaction that sees one moment."""
        self._connection = connection
        # or a table that nobody has counted yet would be read as a whole for each span
        connection.execute("SET LOCAL enable_seqscan = off")
        self.series: list[int] = [
            series for (series,) in connection.execute("SELECT id FROM series ORDER BY id")
        ]
        # a series that is deleted may leave readings that have expired until their partition goes
        self._known = frozenset(self.series)
        self._newest: float | None = self._one("SELECT max(time) FROM reading", ())

    def latest_sequence(self) -> int:
        sequence: int = self._one("SELECT coalesce(max(sequence), 0) FROM member", ())
        return sequence

    def next_time(self, after: float) -> float | None:
        """Return the time of the first reading later than `after`, None if there is none."""
        newest = self._newest
        if newest is None or newest <= after:
            return None
        if after == -math.inf:
            return self._one("SELECT min(time) FROM reading", ())  # type: ignore[no-any-return]
        for power in count():
            until = min(newest, after + _NEAR * 2**power)
            time: float | None = self._one(
                "SELECT min(time) FROM reading WHERE time > %s AND time <= %s", (after, until)
            )
            if time is not None or until == newest:
                return time
        raise AssertionError

    def values(self, after: float, until: float) -> Iterator[Mapping[int, list[float]]]:
        """Yield the values of a span by series; in parts, so that memory stays bounded."""
        query = """SELECT series, value FROM reading WHERE time > %s AND time <= %s
            ORDER BY time, sequence"""
        rows = rows_of(self._connection, query, (after, until))
        for first in rows:
            by_series: defaultdict[int, list[float]] = defaultdict(list)
            for series, value in chain([first], _part(rows)):
                by_series[series].append(value)
            yield {series: values for series, values in by_series.items() if series in self._known}

    def timed(self, after: float, until: float = math.inf) -> Iterator[tuple[int, float, float]]:
        """Yield the readings of a span in the order of time, and of arrival where that is equal."""
        query = """SELECT series, time, value FROM reading WHERE time > %s AND time <= %s
            ORDER BY time, sequence"""
        known = self._known
        for row in rows_of(self._connection, query, (after, until)):
            if row[0] in known:
                yield row

    def _one(self, query: str, parameters: Sequence[object]) -> Any:
        [found] = self._connection.execute(query, parameters).fetchone() or [None]
        return found


def _part(rows: Iterator[Any]) -> Iterator[Any]:
    """Yield as many rows as are held at once."""
    return (row for _, row in zip(range(10 * _CHUNK), rows, strict=False))
