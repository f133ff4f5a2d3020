"""Delete what is older than its retention, few rows at a time."""

from collections import deque
from collections.abc import Callable, Sequence

from loguru import logger

from models.catalog import Catalog, SeriesRow
from models.storage.batch import Place
from models.storage.interface import WritingStore

# Seconds between two runs.
INTERVAL = 60.0
# Rows deleted in one transaction at most, so that it takes milliseconds and no acknowledgement waits for it.
ROWS_AT_ONCE = 1000
# Behind all readings of one event time.
_LAST = 2**62
# Rejected messages are kept this long, in seconds. How many of them the store bounds by itself.
REJECTED_RETENTION = 7 * 86400.0
# Of rejected messages fewer than of readings: one may take two pages of the file.
REJECTED_AT_ONCE = 100


class SteadyClock:
    """A wall clock that believes a jump forward only after `patience` seconds.

    "Older than 35 minutes" would delete everything if the clock were set an hour ahead. This clock
    follows the slowest offset between wall and monotonic clock of the last `patience` seconds, so
    that by the true clock nothing is deleted too early.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        # (monotonic time, wall minus monotonic), offsets growing, the slowest first
        self._offsets: deque[tuple[float, float]] = deque()

    def now(self, wall: float, monotonic: float) -> float:
        """Return the time to prune by, in UTC epoch seconds; never after `wall`."""
        offset = wall - monotonic
        while self._offsets and self._offsets[-1][1] >= offset:
            self._offsets.pop()
        self._offsets.append((monotonic, offset))
        while self._offsets[0][0] < monotonic - self._patience:
            self._offsets.popleft()
        return min(wall, monotonic + self._offsets[0][1])  # the sum may round up


class Pruner:
    """Deletes old readings and rejected messages, by a task for the writing thread.

    Readings are kept as long as their series says. For each such retention the catalog remembers up
    to which event time that is done, so that it does not look at rows that stay again and again.
    """

    def __init__(self, store: WritingStore, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog

    def task(self, now: float, when_aged: Callable[[Sequence[SeriesRow]], object]) -> Callable[[], bool]:
        """Return a task to be called until it returns False; `now` in UTC epoch seconds.

        When all is deleted, `when_aged` gets the series that have no readings any more.
        """
        waiting = sorted({row.retention for row in self._catalog})
        place: Place | None = None
        pruned = 0

        def task() -> bool:
            nonlocal place, pruned
            if waiting:
                retention, until = waiting[-1], now - waiting[-1]
                # the clock may have been set back
                begin = place or (min(self._catalog.pruned(retention), until), _LAST)
                rows, place = self._store.delete_readings(begin, until, ROWS_AT_ONCE, retention)
                pruned += rows
                if place is None:
                    self._catalog.set_pruned(retention, self._store.gone_until(until, retention))
                    waiting.pop()
                return True
            if self._store.delete_rejected(now - REJECTED_RETENTION, REJECTED_AT_ONCE) == REJECTED_AT_ONCE:
                return True
            if pruned:
                logger.info("pruned {} readings", pruned)
            if aged := [row for row in self._catalog if self._catalog.is_aged(row)]:
                when_aged(aged)
            return False

        return task

    def remove(self, row: SeriesRow) -> bool:
        """Delete a series, unless it has readings again; return whether it is gone."""
        if self._catalog.row(row.id) is None or not self._catalog.is_aged(row):
            return False
        self._store.delete_series(row.id)
        self._catalog.remove(row)
        return True
