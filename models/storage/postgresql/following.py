"""What several members store, as it comes: by the numbers of their batches."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NamedTuple

from models.catalog import SeriesRow
from models.reading import Reading
from models.storage.cluster import News, Rewound
from models.storage.postgresql.asking import leave, looking
from models.storage.postgresql.connection import ERRORS, PatientConnection, Server
from models.storage.postgresql.hot import BLOCK_BITS
from models.storage.postgresql.snapshot import StoredReadings, one_moment, rows_of

# Of each member: its row, and its batches from the one that was read last.
_BATCHES = """SELECT m.id, m.number, m.sequence, b.number, b.mark, b.sequence, b.readings
    FROM member AS m
    LEFT JOIN unnest(%s::int[], %s::bigint[]) AS known (member, number) ON known.member = m.id
    LEFT JOIN batch AS b ON b.member = m.id AND b.number >= coalesce(known.number, 0)
    ORDER BY m.id, b.number"""
# The same for who has read everything: of each member its row, and its last batch.
_LAST_BATCHES = """SELECT m.id, m.number, m.sequence, b.number, b.mark, b.sequence, b.readings
    FROM member AS m LEFT JOIN batch AS b ON b.member = m.id AND b.number = m.number"""
# Seconds between two times that the index is brought up to date, and that a lock is waited for then.
_SUMMARIZE_EVERY, _LOCK_TIMEOUT = 2.0, 0.1
_SERIES = "SELECT id, name, topic, field, since, retention FROM series"


class _Read(NamedTuple):
    """Up to where a member was read: the number of its last batch, and the last sequence.

    `mark` and `first` tell that batch from another of the same number; None where it was deleted already.
    """

    number: int
    sequence: int
    mark: int | None
    first: int | None


class Following:
    """Reads what is new of each member: a Following, which is described in models/storage/cluster.py.

    The commits of one member come one after the other, so its numbers have no gaps: whoever asks for those
    above the last one misses none, whatever other transactions do. One sequence over all members would hide
    what is committed late.
    """

    def __init__(self, server: Server, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds. Nothing is opened."""
        self._server = server
        self._clock = clock
        self._summarized = -math.inf
        self._read: dict[int, _Read] = {}

    @property
    def position(self) -> Mapping[str, int]:
        return {str(member): read.sequence for member, read in self._read.items()}

    def news(self) -> News:
        """Return what is new; rows and position are of one moment."""
        with looking(self._server) as connection:
            self._summarize(connection)
            with one_moment(self._server):
                now, spans = self._new_spans(connection)
                readings = _readings(connection, spans) if spans else []
            self._read = now
        return News(readings, _total(now))

    @contextmanager
    def snapshot(self) -> Iterator[StoredReadings]:
        with looking(self._server) as connection:
            # one that has readings again may not have been noticed yet; the others are removed again
            connection.execute("UPDATE series SET gone = NULL WHERE gone IS NOT NULL")
            with one_moment(self._server):
                now = {
                    member: _Read(number, sequence, mark, first)
                    for member, number, sequence, _, mark, first, _ in connection.execute(_LAST_BATCHES)
                }
                yield _Everything(connection, _total(now))
            self._read = now

    def series(self) -> list[SeriesRow]:
        with looking(self._server) as connection:
            return [SeriesRow(*row) for row in connection.execute(f"{_SERIES} WHERE gone IS NULL")]

    def revive(self, series: Iterable[int]) -> list[SeriesRow]:
        query = """UPDATE series SET gone = NULL WHERE id = ANY(%s)
            RETURNING id, name, topic, field, since, retention"""
        with looking(self._server) as connection:
            return [SeriesRow(*row) for row in connection.execute(query, (list(series),))]

    def _summarize(self, connection: PatientConnection) -> None:
        """Have the index of sequences take in the newest blocks, which it would look through each time."""
        if self._clock() - self._summarized < _SUMMARIZE_EVERY:
            return
        query = """SELECT brin_summarize_new_values(inhrelid) FROM pg_inherits
            WHERE inhparent = 'reading_sequence'::regclass"""
        connection.execute(f"SET lock_timeout = {_LOCK_TIMEOUT * 1000:.0f}".encode())
        with suppress(*ERRORS):  # another process does it just now, or nothing can be written: it is slower
            connection.execute(query)
        self._summarized = self._clock()

    def close(self) -> None:
        leave(self._server)

    def _new_spans(self, connection: PatientConnection) -> tuple[dict[int, _Read], list[tuple[int, int]]]:
        """Return up to where everything is there, and the sequences (first, last) that are new."""
        known = self._read
        numbers = [read.number for read in known.values()]
        now: dict[int, _Read] = {}
        spans: list[tuple[int, int]] = []
        for member, number, sequence, batch, mark, first, readings in connection.execute(
            _BATCHES, (list(known), numbers)
        ):
            before = known.get(member, _Read(0, 0, None, None))
            if number < before.number:
                raise Rewound(_lost(f"member {member} was at batch {before.number}, and is at {number}"))
            if batch == before.number and before.mark is not None:
                if (mark, first) != (before.mark, before.first):
                    raise Rewound(_lost(f"batch {batch} of member {member} is another one"))
            elif batch is not None and batch > before.number and readings:
                spans.append((first, first + readings - 1))
            if batch == number:
                now[member] = _Read(number, sequence, mark, first)
            else:  # deleted already, unless more of its rows follow
                now[member] = before if number == before.number else _Read(number, sequence, None, None)
        if gone := known.keys() - now.keys():
            raise Rewound(_lost(f"member {min(gone)} is not there any more"))
        return now, spans


class _Everything(StoredReadings):
    """All stored readings, whose latest sequence is the sum over all members."""

    def __init__(self, connection: PatientConnection, total: int) -> None:
        super().__init__(connection)
        self._total = total

    def latest_sequence(self) -> int:
        return self._total


def _readings(connection: PatientConnection, spans: list[tuple[int, int]]) -> list[Reading]:
    """Return the readings with these sequences, in their order.

    All are looked for at once, from the first to the last of them. What lies between, of batches that are
    not new or not visible yet, is left out by the block of its sequence, which each batch has of its own.
    """
    query = """SELECT series, time, value FROM reading
        WHERE sequence BETWEEN %s AND %s AND sequence >> %s = ANY(%s::bigint[]) ORDER BY sequence"""
    # or a table that nobody has counted yet would be read as a whole
    connection.execute("SET LOCAL enable_seqscan = off")
    blocks = [first >> BLOCK_BITS for first, _ in spans]
    begin, end = min(first for first, _ in spans), max(last for _, last in spans)
    return [Reading(*row) for row in rows_of(connection, query, (begin, end, BLOCK_BITS, blocks))]


def _total(read: Mapping[int, _Read]) -> int:
    return sum(one.sequence for one in read.values())


def _lost(what: str) -> str:
    return (
        f"the database has lost readings that were stored ({what}): was a standby promoted that was behind? "
        "What was acknowledged meanwhile is lost"
    )
