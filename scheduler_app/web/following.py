"""Takes in what is published, and tells when something new can be shown."""

import time
from collections.abc import Callable
from queue import Empty

from scheduler_app.console.inbox import Inbox
from scheduler_app.web.live import LiveStatistics

# Seconds. The messages of one tick come in one go: after a pause of this length all of them are here.
QUIET = 0.2
# Seconds. Messages that come without such a pause are shown after this time.
PATIENCE = 0.5


class Following:
    """Takes messages from an inbox into the live statistics, on a thread of its own."""

    def __init__(
        self,
        inbox: Inbox,
        live: LiveStatistics,
        when_changed: Callable[[], object],
        *,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """`when_changed` is called, on that thread, when the messages of a tick are here.

        `elapsed` tells the seconds of a clock that never jumps.
        """
        self._inbox = inbox
        self._live = live
        self._when_changed = when_changed
        self._elapsed = elapsed
        self._first: float | None = None
        self._last = 0.0

    def run(self) -> None:
        """Take messages until the inbox ends."""
        while True:
            wait = None if self._first is None else self._due(self._first) - self._elapsed()
            if wait is not None and wait <= 0:
                self._tell()
                continue
            try:
                message = self._inbox.get(timeout=wait)
            except Empty:
                continue
            if message is None:
                return
            if self._live.take(message):
                self._last = self._elapsed()
                if self._first is None:
                    self._first = self._last

    def _due(self, first: float) -> float:
        return min(self._last + QUIET, first + PATIENCE)

    def _tell(self) -> None:
        self._first = None
        with self._live.lock:
            self._live.version += 1
        self._when_changed()
