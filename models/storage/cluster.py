"""What several subscribers on one database need of it, and the processes that take their averages."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from models.catalog import SeriesRow
from models.reading import Reading
from models.storage.interface import WritingStore

if TYPE_CHECKING:
    from models.statistics.loading import StoredReadings


class Standing(NamedTuple):
    """How it stands with a member, as it says itself. Times in UTC epoch seconds."""

    # How many messages it has received and not acknowledged yet, and since when the oldest of them is there.
    in_flight: int = 0
    waiting_since: float | None = None
    last_commit: float | None = None
    # How many connections have ended soon after they began.
    short_connections: int = 0
    # When the broker had no session of it, although it had had one until then.
    session_lost_at: float | None = None
    session_lost_since: float | None = None
    # How many messages matched none of its topic filters.
    unmatched: int = 0
    # Whether it shares its messages with other members: then part of them waits for it when it is gone.
    shared: bool = False
    # What keeps it from its work, in one line; None if nothing is known to.
    trouble: str | None = None


class Slot(NamedTuple):
    """A slot that was taken at least once. Times in UTC epoch seconds."""

    number: int
    # Whether a process has it now.
    held: bool
    # Which process has it, or had it last, since when, and when it said last that it was there.
    host: str
    process: int
    taken: float
    seen: float
    standing: Standing


class FreeSlot(NamedTuple):
    """A slot that nobody has: its number, from 1, and until when somebody had it (UTC epoch seconds)."""

    number: int
    # None if nobody has ever had it.
    left_at: float | None


class MemberStore(WritingStore, Protocol):
    """The store of a member. It has the slot for as long as it has its connection.

    All of its methods raise TakenOver when the slot is another's, or was meanwhile: then what is in memory
    of it counts no longer.
    """

    def keep(self, standing: Standing) -> None:
        """Note that we are there, and how it stands with us; call it every second.

        Raises StoreUnavailable as long as nobody can say.
        """


class Membership(Protocol):
    """One process among the members, which looks for a slot."""

    def free(self, client_id: str = "", filters: Collection[str] = ()) -> FreeSlot | None:
        """Return a slot that nobody has; None if there is none now.

        With `filters` none that was of other topics alone: what waits for it at the broker would come to
        one that does not read it. Of its client id, `client_id` is what stands before the number.
        Raises StoreUnavailable, and UnusableDatabase for what somebody must change.
        """

    def store(self, number: int, member: str) -> MemberStore:
        """Return a store that takes the slot with its first method.

        `member`: the client id of its session.
        """

    def close(self) -> None:
        """Close the connection by which was looked, if there is one."""


class Lead(Protocol):
    """The right to publish the averages, which one process has at a time."""

    @property
    def trouble(self) -> str | None:
        """What keeps us from asking for it, in one line; None if nothing is known to."""

    @property
    def held(self) -> bool:
        """Whether it is certainly ours at this moment. Safe in any thread."""

    def open(self) -> None:
        """Connect. Raises StoreUnavailable, and UnusableDatabase for what somebody must change."""

    def look(self) -> bool:
        """Take it if it is free, or keep it; return whether it is ours. Call it four times a second."""

    def close(self) -> None:
        """Give it away."""


class News(NamedTuple):
    """Readings that were stored since the last ones, and the sum of the positions up to which that is all."""

    readings: Sequence[Reading]
    sequence: int


class Rewound(Exception):
    """What was read before is no longer stored; the text says so in one line."""


class Following(Protocol):
    """What is new, member by member. Used by one thread at a time. Raises UnreadableDatabase."""

    @property
    def position(self) -> Mapping[str, int]:
        """Up to which sequence everything of each member was read, by its number in the database."""

    def news(self) -> News:
        """Return what is new, with all series of it. Raises Rewound if what was read before is gone."""

    def snapshot(self) -> "AbstractContextManager[StoredReadings]":
        """Have all readings of one moment while inside; what is new is counted from there."""

    def series(self) -> list[SeriesRow]:
        """Return all series."""

    def close(self) -> None:
        """Close the connection, if there is one."""

    def revive(self, series: Iterable[int]) -> list[SeriesRow]:
        """Return these series, with those that were removed although they have readings again."""


class Overview(NamedTuple):
    """What is stored of all members."""

    # How many messages came to which end, and `since` when: UTC epoch seconds.
    counters: Mapping[str, int]
    # All slots that were ever taken, by their numbers.
    slots: Sequence[Slot]
    # How many bytes the database takes.
    size: int


# The version of PostgreSQL from which on it ends a session that has been silent for too long.
OLDEST_SERVER = 14


class Examination(NamedTuple):
    """What the server promises, and what stands before it."""

    version: int
    # Whether what is committed is on disk.
    fsync: bool
    # For whom a commit waits; empty: for nobody. And how many of these are there, None if we may not see it.
    standby_names: str
    standbys: int | None
    # Whether a connection of ours keeps its locks.
    keeps_sessions: bool


class Cluster(Protocol):
    """A database that several processes can share. Nothing is opened before a method is called."""

    def membership(self, members: int) -> Membership:
        """Return a membership; there are so many slots."""

    def lead(self) -> Lead:
        """Return the lead."""

    def following(self) -> Following:
        """Return where the statistics find what the members store."""

    def keeper(self, member: str) -> WritingStore:
        """Return the store of the leader, which deletes what is old, and counts it as pruned by `member`."""

    def overview(self) -> Overview:
        """Look at all members, over a connection that is kept. Raises UnreadableDatabase.

        It is for one thread at a time.
        """

    def examine(self) -> Examination:
        """Ask what the server promises. Raises UnreadableDatabase."""

    def close(self) -> None:
        """Close the connection that is kept."""
