"""Delete what is older than the retention, in small steps."""

from collections import deque
from collections.abc import Callable

from loguru import logger

from models.store import Store

# Seconds between two runs.
INTERVAL = 60.0
# Rows one step deletes at most, so that it takes milliseconds and no acknowledgement waits for it.
STEP = 2000
# Rejected messages are kept this long (seconds), and this many.
REJECTED_RETENTION = 7 * 86400.0
REJECTED_KEPT = 10_000


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


def prune(
    submit: Callable[[Callable[[], bool]], object],
    store: Store,
    retention: float,
    oldest_needed: Callable[[], float],
    now: Callable[[], float],
) -> None:
    """Hand the deleting of old rows to `submit`, as a step to be called until it returns False.

    Deleted are readings older than `retention` seconds that no window needs any more.
    """
    time = now()
    pruned = 0

    def step() -> bool:
        nonlocal pruned
        # asked anew each time: a tick by a clock that was set back needs older readings
        until = min(time - retention, oldest_needed())
        deleted = store.delete_readings(until, STEP)
        pruned += deleted
        if deleted == STEP:
            return True
        store.delete_rejected(time - REJECTED_RETENTION, REJECTED_KEPT)
        if pruned:
            logger.info("pruned {} readings", pruned)
        return False

    submit(step)
