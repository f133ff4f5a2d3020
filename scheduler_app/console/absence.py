"""How whoever shows statistics tells that the subscriber is gone."""

import time
from collections.abc import Callable
from queue import Empty

from loguru import logger

from scheduler_app.console.inbox import Inbox
from scheduler_app.log import LogLimit
from scheduler_app.mqtt.message import Message
from scheduler_app.publishing.messages import OFFLINE

# Seconds.
_PAUSE = 2.0
# Seconds in which the state comes that the broker has kept, after the first of what else it has kept.
_STATE_PATIENCE = 1.0


class Absence:
    """Tells that the subscriber is offline, if that is still so a moment later.

    A broker that is stopped publishes the will of the subscriber as its last word, and has it retained when
    it comes back, before the subscriber does. Then it was the broker that was gone, and whoever lost the
    connection to it has said so.
    """

    def __init__(
        self, what: str, connected: Callable[[], bool], *, elapsed: Callable[[], float] = time.monotonic
    ) -> None:
        """Build it. `what` is the matter while it is offline.

        `connected` tells whether there is a connection to the broker, `elapsed` the seconds of a clock that
        never jumps.
        """
        self._what = what
        self._connected = connected
        self._elapsed = elapsed
        self._warnings = LogLimit()
        self._known = False
        # When to look; infinity if there is nothing to look for.
        self.due = float("inf")

    def heard(self, state: str) -> None:
        """Take what is said of the subscriber."""
        self._known = True
        self.due = self._elapsed() + _PAUSE if state == OFFLINE else float("inf")

    def look(self) -> None:
        """Tell what is due."""
        if self._elapsed() >= self.due:
            self.due = float("inf")
            if self._connected() and self._warnings.allows(OFFLINE) is not None:
                logger.warning("the subscriber is offline: {} until it is back", self._what)

    def patience(self) -> float | None:
        """Return how many seconds there are until it is time to look, None if it is never."""
        return None if self.due == float("inf") else max(0.0, self.due - self._elapsed())

    def settle(self, inbox: Inbox, take: Callable[[Message], object]) -> None:
        """Wait until it is known whether the subscriber is offline, and tell if it is.

        For whoever has shown what the broker had kept, and ends now: that may be old. `take` gets what comes
        meanwhile, and hands what is said of the subscriber to `heard`.
        """
        latest = self._elapsed() + _STATE_PATIENCE
        while self._elapsed() < (due := self.due if self._known else latest) < float("inf"):
            try:
                message = inbox.get(timeout=max(0.0, due - self._elapsed()))
            except Empty:
                continue
            if message is None:
                return
            take(message)
        self.look()
