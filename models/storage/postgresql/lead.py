"""The lead: of several processes that take averages, the one that has this lock publishes them."""

import time
from collections.abc import Callable

import psycopg

from models.storage.errors import StoreUnavailable, UnusableDatabase
from models.storage.postgresql.asking import asking, leave
from models.storage.postgresql.claim import try_lock
from models.storage.postgresql.connection import Server
from models.storage.postgresql.slots import share

# Seconds without a word from us after which the server ends the connection and gives the lead to another:
# this process was stopped, or its machine has vanished. We say something four times as often at the least.
LIFE = 1.25
# Of our advisory locks, the one that the leader holds: beside those of the slots, which count from 1.
_LEAD = -2


def boot_time() -> float:
    """Return the seconds of a clock that never jumps, and goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Lead:
    """Takes the lead when it is free, and knows for how long it is certainly ours.

    The server counts LIFE from when it heard from us last, and we from when we began to speak: so ours is
    over first. Used by one thread; `held` is safe in any.
    """

    def __init__(self, server: Server, clock: Callable[[], float] = boot_time) -> None:
        """`clock` returns seconds, also of the time that the machine slept. Nothing is opened."""
        self._server = server
        self._clock = clock
        self._has = False
        self._until = float("-inf")
        # When we began to ask the server what it has not answered yet.
        self._asked = 0.0
        # What keeps us from asking for the lead, in one line; None if nothing is known to.
        self.trouble: str | None = None

    @property
    def held(self) -> bool:
        """Whether the lead is certainly ours at this moment."""
        return self._has and self._clock() < self._until

    def open(self) -> None:
        """Connect. Raises StoreUnavailable, and UnusableDatabase for what somebody must change."""
        with asking(self._server) as connection:
            connection.while_waiting = self._give_up
            self._asked = self._clock()
            connection.execute(f"SET idle_session_timeout = {LIFE * 1000:.0f}".encode())
            share(connection, self._server.name)

    def look(self) -> bool:
        """Take the lead if it is free, or keep it; return whether it is ours. Call it four times a second."""
        try:
            if self._server.is_closed():
                self._has = False
                self.open()
            self._asked = self._clock()
            with asking(self._server) as connection:
                if self._has:
                    connection.execute("SELECT")
                else:
                    self._has = try_lock(connection, _LEAD)
        except (StoreUnavailable, UnusableDatabase) as error:
            self._has = False
            self.close()
            self.trouble = str(error)
            return False
        self.trouble = None
        if self._has:
            self._until = self._asked + LIFE
        return self._has

    def close(self) -> None:
        """Give the lead away."""
        self._has = False
        leave(self._server)

    def _give_up(self) -> None:
        """Wait for an answer no longer than the lead is ours."""
        if self._clock() > self._asked + LIFE:
            raise psycopg.OperationalError("the server does not answer")
