"""Waits for a database that cannot be written, and tells the user so."""

import math
import threading
from collections.abc import Callable
from typing import Protocol

from loguru import logger

from models.storage.errors import DamagedStore, StoreUnavailable
from scheduler_app.log import LogLimit

# Seconds between two tries: the first pause, and the longest.
_BACKOFF = (0.05, 1.0)
# Seconds without an answer after which the user is told, and after which nobody waits who is told to stop.
_TOLD_AFTER, _STOPS_AFTER = 2.0, 1.0
# Seconds. What waits is told so several times a second: after a longer pause it is something else that waits.
_SAME_WAIT = 1.0


class Connection(Protocol):
    """What is kept alive meanwhile: an IngestSession, described there."""

    def hold(self) -> None: ...
    def sleep(self, timeout: float) -> None: ...


class Patience:
    """Has the database written by the one thread that does so, however long that takes.

    Meanwhile the connection to the broker is kept alive.
    """

    def __init__(
        self, connection: Connection, stopping: threading.Event, monotonic: Callable[[], float]
    ) -> None:
        """Wait until `stopping` at most. `monotonic` returns seconds by a clock that never jumps."""
        self._connection = connection
        self._stopping = stopping
        self._monotonic = monotonic
        self._errors = LogLimit()
        # Why the latest try has failed, in one line; None if it has not. Another thread may look at it.
        self.failure: str | None = None
        # Whether the user was told so, and not yet that it is over.
        self._complained = False
        # When the database began to let us wait, and when it last did (monotonic time).
        self._waiting = (0.0, -math.inf)

    def persist(self, write: Callable[[], None]) -> bool:
        """Call `write` until the database could be written; False if we were stopped before."""
        pause, longest = _BACKOFF
        while not self.attempt(write):
            if self._stopping.is_set():
                return False
            self._connection.hold()
            self._connection.sleep(pause)
            pause = min(2 * pause, longest)
        return True

    def attempt(self, write: Callable[[], None]) -> bool:
        """Call `write` once; return whether the database could be written."""
        try:
            write()
        except StoreUnavailable as error:
            self.failure = _line(error)
            self.complain(error)
            return False
        self.failure = None
        if self._complained:
            self._complained = False
            logger.info("the database can be written again; what was held is stored")
        return True

    def wait(self) -> None:
        """Keep the connection alive; to be called several times a second while the database does not answer.

        Raises StoreUnavailable if we are told to stop: then it is not waited for.
        """
        now = self._monotonic()
        since, last = self._waiting
        if now - last > _SAME_WAIT:
            since = now
        self._waiting = since, now
        self._connection.hold()
        if now - since >= _STOPS_AFTER and self._stopping.is_set():
            raise StoreUnavailable("it has not answered by the time that we stop")
        if now - since >= _TOLD_AFTER:
            self.complain(StoreUnavailable(f"it has not answered for {_TOLD_AFTER:g} s"))

    def complain(self, error: StoreUnavailable) -> None:
        """Tell the user that the database cannot be written, not too often."""
        if self._errors.allows("store") is None:
            return
        self._complained = True
        damaged = isinstance(error, DamagedStore)
        then = "until then what arrives is neither stored nor acknowledged"
        logger.error("{}; {}", _line(error), then if damaged else "holding what arrives, trying again")


def _line(error: StoreUnavailable) -> str:
    """Say what is the matter with the database; a damaged one says by itself what to do."""
    return str(error) if isinstance(error, DamagedStore) else f"the database cannot be written ({error})"
