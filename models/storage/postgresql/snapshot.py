"""All stored readings as they are at one moment, span by span of time."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, count
from typing import Any

from models.storage.postgresql.connection import PatientConnection, Server

# How many rows the server sends at a time.
_CHUNK = 10_000
# Readings are put in order a span of time after the other, which has about so many of them, and at most as
# many seconds: so the server needs no file for it, and it is never long until the first of them is there.
_SPAN_READINGS, _LONGEST_SPAN = 50_000, 60.0
# Seconds of the first span, when it is not known yet how many readings there are in a second.
_FIRST_SPAN = 1.0
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
    return chain.from_iterable(parts_of(connection, query, parameters))


def parts_of(
    connection: PatientConnection, query: str, parameters: Sequence[object]
) -> Iterator[Sequence[Any]]:
    """Yield the same part by part, which is quicker."""
    with connection.cursor(f"rows_{next(_NUMBERS)}", binary=True) as cursor:
        cursor.execute(query, parameters)
        while part := cursor.fetchmany(_CHUNK):
            yield part


class StoredReadings:
    """What the statistics begin from: described in models/statistics/loading.py."""

    def __init__(self, connection: PatientConnection) -> None:
        """Take a `connection` in a transaction that sees one moment."""
        self._connection = connection
        # before the next statement, by which this one would be taken for so costly that it is compiled first
        self._oldest, self._newest = self._row("SELECT min(time), max(time) FROM reading", ())
        # or a table that nobody has counted yet would be read as a whole for each span
        connection.execute("SET LOCAL enable_seqscan = off")
        self.series: list[int] = [
            series for (series,) in connection.execute("SELECT id FROM series ORDER BY id")
        ]
        # a series that is deleted may leave readings that have expired until their partition goes
        self._known = frozenset(self.series)

    def latest_sequence(self) -> int:
        [sequence] = self._row("SELECT coalesce(max(sequence), 0) FROM member", ())
        return int(sequence)

    def timed(self, after: float, until: float = math.inf) -> Iterator[tuple[int, float, float]]:
        """Yield the readings of a span in the order of time, and of arrival where that is equal."""
        query = """SELECT series, time, value FROM reading WHERE time > %s AND time <= %s
            ORDER BY time, sequence"""
        known, length = self._known, _FIRST_SPAN
        while (time := self._next_time(after, length)) is not None and time <= until:
            if time > after + _LONGEST_SPAN:  # behind a gap there may be many more than before it
                length = _FIRST_SPAN
            end, readings = min(until, time + length), 0
            for part in parts_of(self._connection, query, (after, end)):
                readings += len(part)
                yield from [row for row in part if row[0] in known]
            after = end
            if readings > _SPAN_READINGS:
                length /= 2
            elif readings < _SPAN_READINGS / 2:
                length = min(_LONGEST_SPAN, 2 * length)

    def _next_time(self, after: float, near: float) -> float | None:
        """Return the time of the first reading later than `after`, None if there is none.

        It is looked for within `near` seconds first, then within twice as many.
        """
        oldest: float | None = self._oldest
        if oldest is None or after < oldest:
            return oldest
        for power in count():
            until = min(self._newest, after + near * 2**power)
            time: float | None
            [time] = self._row("SELECT min(time) FROM reading WHERE time > %s AND time <= %s", (after, until))
            if time is not None or until == self._newest:
                return time
        raise AssertionError

    def _row(self, query: str, parameters: Sequence[object]) -> Any:
        return self._connection.execute(query, parameters).fetchone()
