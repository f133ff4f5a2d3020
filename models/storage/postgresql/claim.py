"""Who may write: a lock of the server's on the connection that writes, which goes when that ends."""

import random
from typing import Protocol

from models.storage.errors import StoreUnavailable, TakenOver, UnusableDatabase
from models.storage.postgresql.connection import PatientConnection
from models.storage.postgresql.schema import LOCKS, SUBSCRIBER

# The server cuts off what is longer.
_LONGEST_NAME = 63
# Of a mark, to count in.
_MARK_BITS = 22
# How soon the server finds out that the machine of a subscriber has vanished (seconds, then milliseconds): as
# soon as that finds out that the server has. Else a lock would be held for more than two hours.
_WATCH = """SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
    SET tcp_user_timeout = 10000"""


class Writer:
    """One process that writes, as the server knows it: by a number drawn by lot, which no other has."""

    def __init__(self, member: str) -> None:
        """`member`: the client id of the session that it writes for."""
        self._number = random.SystemRandom().getrandbits(63 - _MARK_BITS)
        self._marks = 0
        self._beginning = f"averages {self._number:x} "
        self.name = f"{self._beginning}{member}"[:_LONGEST_NAME]

    def is_behind(self, application_name: str) -> bool:
        """Whether a connection of this name is one of ours, of before perhaps."""
        return application_name.startswith(self._beginning)

    def next_mark(self) -> int:
        """Return what a batch is marked with, another one each time."""
        self._marks = (self._marks + 1) % (1 << _MARK_BITS)
        return (self._number << _MARK_BITS) + self._marks

    def has_set(self, mark: int) -> bool:
        """Whether a mark is one of ours."""
        return mark >> _MARK_BITS == self._number


class Claim(Protocol):
    """What makes sure that nobody else writes for the same member."""

    def take(self, connection: PatientConnection, writer: Writer, *, again: bool) -> None:
        """Take it on a connection that was just opened; `again` if we had it before.

        Raises UnusableDatabase if it is another's, TakenOver if it has become another's, and
        StoreUnavailable if it is still a connection's of ours that is about to end, or may be.
        """


class SoleSubscriber:
    """The one subscriber that has the database to itself."""

    def __init__(self, name: str) -> None:
        """`name` is what errors call the database."""
        self._name = name
        # The process of the server that was found waiting for a standby.
        self._waiting = 0

    def take(self, connection: PatientConnection, writer: Writer, *, again: bool) -> None:
        connection.execute(_WATCH)
        if try_lock(connection, SUBSCRIBER):
            return
        pid, application, address = holder(connection, SUBSCRIBER)
        if writer.is_behind(application):
            # the server has not noticed yet that it has ended; what it had not committed is taken back
            connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
            raise StoreUnavailable("an earlier connection of ours is being ended")
        whose = f"another subscriber (process {pid} of the server, from {address})"
        if again:
            raise TakenOver(f"{self._name} has been taken over by {whose} while we could not reach it")
        if self._may_have_ended(connection, pid):
            raise StoreUnavailable(f"{whose}, which may have ended, waits for a standby with its COMMIT")
        raise UnusableDatabase(
            f"{self._name} is in use by {whose}: stop that one, or set another DB_URL and CLIENT_ID"
        )

    def _may_have_ended(self, connection: PatientConnection, pid: int) -> bool:
        """Whether a connection may be what is left of a subscriber that was killed.

        While a COMMIT waits for a standby, the server does not look whether anybody is at the other end: the
        connection keeps its lock until the standby is back, whoever has ended meanwhile.
        """
        query = "SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = %s"
        [waits] = connection.execute(query, (pid,)).fetchone() or [False]
        # one that waits no longer has until the next time to end
        before, self._waiting = self._waiting, pid if waits else 0
        return bool(waits) or pid == before


def try_lock(connection: PatientConnection, key: int, *, shared: bool = False) -> bool:
    """Take a lock of ours for as long as the connection lives; return whether it could be had at once."""
    function = "pg_try_advisory_lock_shared" if shared else "pg_try_advisory_lock"
    [taken] = connection.execute(f"SELECT {function}(%s, %s)", (LOCKS, key)).fetchone() or [False]
    return bool(taken)


def holder(connection: PatientConnection, key: int) -> tuple[int, str, str]:
    """Return the process, the name and the address of the connection that holds a lock of ours."""
    query = """SELECT pid, coalesce(application_name, ''), coalesce(host(client_addr), 'its own machine')
        FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = %s::bigint::oid
            AND objid = (%s::bigint & 4294967295)::oid
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        LIMIT 1"""
    found = connection.execute(query, (LOCKS, key)).fetchone()
    if found is None:
        raise StoreUnavailable("another connection has just let go of it")
    pid, name, address = found
    return pid, name, address
