"""What the project needs of a database of readings. Another database is other classes that offer this."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from models.catalog import SeriesRow
from models.storage.batch import Batch, Deleted, Place, Stored
from models.storage.records import RejectedRow, SeriesSummary, Snapshot
from models.storage.summing import SummingStore

if TYPE_CHECKING:
    from models.statistics.loading import Source


class WritingStore(Protocol):
    """Writes for one member. Used by one thread; opens by itself, and again after an error.

    Each method is one transaction. It raises StoreUnavailable and changes nothing if the database
    cannot be written now, and DatabaseGone if what is written would be lost.
    """

    def add(self, batch: Batch) -> Stored:
        """Commit `batch`. The new series in it get their ids, which no series has had before.

        Raises SeriesBegun if another member has begun one of them otherwise.
        """

    def series(self) -> list[SeriesRow]:
        """Return all series, in the order in which they began."""

    def set_retentions(self, retentions: Mapping[int, float]) -> None:
        """Note for how many seconds the readings of these series are kept, by their ids."""

    def delete_series(self, series: int) -> None:
        """Delete a series that has no readings any more."""

    def subscriptions(self) -> set[str]:
        """Return the topic filters that the member's session may be subscribed to."""

    def set_subscriptions(self, topic_filters: Iterable[str]) -> None:
        """Note which topic filters the member's session may be subscribed to."""

    def deliveries(self) -> list[tuple[int, bytes]]:
        """Return the member's `Batch.deliveries` of earlier transactions that are not forgotten, in order."""

    def forget_deliveries(self, numbers: Sequence[int], rewritten: Sequence[tuple[int, bytes]] = ()) -> None:
        """Forget the member's deliveries with these numbers, and what `rewritten` leaves out of others."""

    def delete_readings(self, after: Place, until: float, limit: int, retention: float) -> Deleted:
        """Delete the oldest readings behind `after` whose time is `until` (UTC epoch seconds) or earlier.

        Those of series that are kept for `retention` seconds, and of others only what has expired as well.
        Looks at `limit` readings at most, or deletes a part of them that lies by itself.
        """

    def gone_until(self, until: float, retention: float) -> float:
        """Return up to which time no such reading is left when there are no more to be deleted.

        It is `until`, or earlier where readings are deleted together with later ones.
        """

    @property
    def summing(self) -> SummingStore | None:
        """Where it is noted what time that has ended holds; None where a restart reads all readings."""

    def delete_rejected(self, until: float, limit: int) -> int:
        """Delete the oldest rejected messages of too many, and those that arrived at or before `until`.

        Deletes `limit` at most; returns how many.
        """

    @property
    def file_may_be_gone(self) -> bool:
        """Whether `check_file` should be called. Safe in any thread."""

    def check_file(self) -> bool:
        """Raise DatabaseGone if what is committed would be lost; a task with no more to do after it."""

    def keep_alive(self, look: Callable[[], None]) -> None:
        """Call `look` several times a second whenever a transaction takes longer.

        What is raised in it is raised by the method that waits; what had been handed to it is then in doubt,
        and so it is found out when it is handed in again.
        """

    def change_thread(self) -> None:
        """Be used by another thread from now on."""

    def close(self) -> None:
        """Close the connection, if there is one."""


class ReadingStore(Protocol):
    """Looks into what is stored, of all members. Raises UnreadableDatabase where it cannot be read."""

    def counters(self) -> dict[str, int]:
        """Return how many messages came to which end, and `since` when: UTC epoch seconds."""

    def reading_count(self) -> int:
        """Return how many readings are stored."""

    def newest_time(self) -> float | None:
        """Return the largest event time of the stored readings, in UTC epoch seconds."""

    def damage(self) -> str | None:
        """Say what is wrong with the database and what to do, None if all is well. It may take seconds."""

    def rejected_counts(self) -> list[tuple[int, str, str]]:
        """Return (how many, reason, topic) of the rejected messages that are kept, most first."""

    def rejected_messages(self, newest: int | None = None) -> Iterator[RejectedRow]:
        """Yield the rejected messages, oldest first; or the `newest` so many, newest first."""

    def rejected_on(self, topic: str, after: float, until: float, limit: int) -> list[RejectedRow]:
        """Return the newest `limit` rejected messages of a topic that arrived in `after` < time <= `until`.

        The newest comes first.
        """

    def series(self) -> list[SeriesRow]:
        """Return all series by name."""

    def series_named(self, name: str) -> SeriesRow | None:
        """Return the series of that name, None if there is none."""

    def summaries(self) -> list[SeriesSummary]:
        """Return a summary of each series, by name."""

    def readings_of(self, series: int, after: float) -> list[tuple[float, float]]:
        """Return (time, value) of the readings of a series with `after` < time, in order."""

    def readings_between(
        self, series: int, after: float, until: float, limit: int
    ) -> list[tuple[float, int, float]]:
        """Return (time, sequence, value) of the newest `limit` readings with `after` < time <= `until`.

        The newest comes first.
        """

    def snapshot(self) -> Snapshot:
        """Return all that is stored at one moment."""


class Durability(NamedTuple):
    """How what is committed is kept, as the database itself says."""

    text: str
    survives_power_cut: bool


class Database(Protocol):
    """A database of readings, as the settings name it. Nothing is opened before a method is called."""

    @property
    def name(self) -> str:
        """How errors name it: the setting, and what it is set to, without a password."""

    @property
    def place(self) -> str:
        """Where it is, without a password."""

    def prepare(self) -> None:
        """Create what is missing of it, and bring it up to date.

        Raises UnusableDatabase if that cannot be done, and LockedDatabase if it cannot be done now.
        """

    def sole_owner(self) -> AbstractContextManager[None]:
        """Own it while inside. Raises UnusableDatabase if another process does, here or in the store."""

    def writing_store(self, member: str) -> WritingStore:
        """Return the one store that writes; `member` is the client id of its session."""

    def reader(self) -> AbstractContextManager[ReadingStore]:
        """Look into it while inside, when it is known to be prepared. Raises UnreadableDatabase."""

    def reader_for_commands(self) -> AbstractContextManager[ReadingStore]:
        """Do the same when it may not be there, or be of an earlier version. Raises UnreadableDatabase.

        It is brought up to date if we may write it.
        """

    def reader_as_it_is(self) -> AbstractContextManager[ReadingStore]:
        """Do the same, and change nothing. Raises UnreadableDatabase."""

    def source(self) -> "Source":
        """Return where the statistics find all readings."""

    def size(self) -> int:
        """Return how many bytes it takes. Raises UnreadableDatabase."""

    def durability(self) -> Durability:
        """Ask how what is committed is kept. Raises UnusableDatabase or UnreadableDatabase."""
