"""What the messages hold that a subscriber publishes. Who writes one and who has read one hold the same."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from models.storage.records import COUNTERS


class SeriesMessage(NamedTuple):
    """The statistics of a series at a tick. Times are UTC epoch seconds.

    `sequence` is that of the newest reading that was known at the tick; `last` and `last_time` tell
    the one of the series that is latest. `windows` are by name, each with its `count`.
    """

    series: str
    at: float
    sequence: int
    last: float
    last_time: float
    windows: dict[str, dict[str, float | int | None]]


class TickMark(NamedTuple):
    """Which tick is meant: when it was taken (UTC epoch seconds), and up to which sequence it counts.

    With several subscribers on one database each has sequences of its own, and `members` says by their
    numbers in the database up to which one each of them counts; `sequence` is the sum of these.
    """

    at: float
    sequence: int
    members: Mapping[str, int] | None = None


class Metrics(NamedTuple):
    """The counters since `since`, when the database was created, and what is so at the moment `at`.

    Times are UTC epoch seconds. The fields are in the order of the message.
    """

    at: float
    since: float
    received: int = 0
    stored: int = 0
    duplicates: int = 0
    rejected: int = 0
    late: int = 0
    retained: int = 0
    # Messages that have nothing to read.
    ignored: int = 0
    pruned: int = 0
    # The latest one, None before the first.
    tick: TickMark | None = None
    # How many series there are.
    series: int = 0
    # How many messages have been received and are not acknowledged, and for how many seconds the oldest.
    in_flight: int = 0
    oldest_unacknowledged: float | None = None
    last_commit: float | None = None
    # The size of the database file and its log.
    database_bytes: int = 0
    # How many connections have ended soon after they began.
    short_connections: int = 0
    # When the broker had no session of ours, although it had had one until then.
    session_lost_at: float | None = None
    session_lost_since: float | None = None
    # How many messages of this run matched none of the topic filters, though the broker sent them.
    unmatched: int = 0
    # What keeps the subscriber from its work, or from some of it; None if nothing is known to.
    trouble: str | None = None
    # What a subscriber of another version tells beyond that, by its names.
    others: Mapping[str, object] = MappingProxyType({})


def counted(at: float, counters: Mapping[str, int]) -> Metrics:
    """Return the metrics of a moment (UTC epoch seconds) with what a database has counted, and nothing else.

    `counters` also say `since` when they count.
    """
    counts: dict[str, Any] = {name: counters.get(name, 0) for name in COUNTERS}
    return Metrics(at, counters["since"], **counts)
