"""The slots that subscribers take: one of several is known by its slot, whichever process it is."""

import os
import secrets
import socket
from collections.abc import Collection

from models.storage.cluster import FreeSlot, Slot, Standing
from models.storage.errors import StoreUnavailable, TakenOver, UnusableDatabase
from models.storage.postgresql.asking import asking, leave
from models.storage.postgresql.claim import Writer, holder, try_lock
from models.storage.postgresql.connection import PatientConnection, Server
from models.storage.postgresql.schema import LOCKS, SUBSCRIBER
from models.storage.postgresql.series import retentions_of
from models.storage.postgresql.store import PostgresqlStore, _Attempt, _Outcome

# Seconds without a word from a member after which the server ends its connection, and with it its lock: the
# process was stopped, or its machine has vanished. A member says something every second.
SILENCE = 4.0
_MILLISECONDS = round(SILENCE * 1000)
# How the server finds out that the other end is gone: while it waits for a statement, or for the next one of
# a transaction; while it works at one; and while it sends an answer.
_WATCH = f"""SET idle_session_timeout = {_MILLISECONDS};
    SET idle_in_transaction_session_timeout = {_MILLISECONDS};
    SET client_connection_check_interval = 1000;
    SET tcp_user_timeout = {_MILLISECONDS};
    SET tcp_keepalives_idle = 2; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 2"""
_NOTE = """INSERT INTO slot AS it (number, holder, host, process, taken, seen) VALUES
    (%s, %s, %s, %s, extract(epoch FROM clock_timestamp()), extract(epoch FROM clock_timestamp()))
    ON CONFLICT (number) DO UPDATE SET holder = excluded.holder, host = excluded.host,
    process = excluded.process, taken = excluded.taken, seen = excluded.seen"""
_KEEP = f"""UPDATE slot SET seen = extract(epoch FROM clock_timestamp()),
    {", ".join(f"{name} = %({name})s" for name in Standing._fields)}
    WHERE number = %(number)s AND holder = %(holder)s"""
# Of all slots, with whether a connection holds the lock of it.
_SLOTS = f"""SELECT s.number, EXISTS (
        SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
        AND classid = %s::bigint::oid AND objid = s.number::oid
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())),
    s.host, s.process, s.taken, s.seen, {", ".join(f"s.{name}" for name in Standing._fields)}
    FROM slot AS s ORDER BY s.number"""
# The numbers that nobody has, until when they were somebody's, and the topic filters of their sessions.
_FREE = """SELECT each.number, s.seen, ARRAY(
        SELECT topic_filter FROM subscription JOIN member ON member.id = subscription.member
        WHERE client_id = %s || '-' || each.number)
    FROM generate_series(1, %s) AS each (number) LEFT JOIN slot AS s ON s.number = each.number
    WHERE NOT EXISTS (
        SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
        AND classid = %s::bigint::oid AND objid = each.number::oid
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
    ORDER BY each.number"""


class SlotClaim:
    """The lock of one slot, on the connection that writes: a Claim, which is described in claim.py.

    The server lets go of the lock when the connection ends, and not before what it had begun to commit is
    committed or taken back. So whoever has the slot next finds all that was stored under it, and nothing can
    be added to that any more. A new connection is of use only if nobody has had the slot in between.
    """

    def __init__(self, name: str, number: int) -> None:
        """`name` is what errors call the database."""
        self._name = name
        self._number = number
        # Drawn by lot, so that no other process has it.
        self.holder = secrets.randbits(62)

    def take(self, connection: PatientConnection, writer: Writer, *, again: bool) -> None:
        connection.execute(_WATCH)
        share(connection, self._name)
        if not try_lock(connection, self._number):
            pid, application, address = holder(connection, self._number)
            if writer.is_behind(application):
                # the server has not noticed yet that it has ended; what it had not committed is taken back
                connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
                raise StoreUnavailable("an earlier connection of ours is being ended")
            raise TakenOver(f"slot {self._number} is another subscriber's now, at {address}")
        if not again:
            note = (self._number, self.holder, socket.gethostname(), os.getpid())
            connection.execute(_NOTE, note)
            return
        query = "SELECT FROM slot WHERE number = %s AND holder = %s"
        if connection.execute(query, (self._number, self.holder)).fetchone() is None:
            raise TakenOver(
                f"slot {self._number} was another subscriber's while we could not reach the database"
            )


def share(connection: PatientConnection, name: str) -> None:
    """Note on a connection that the database is shared, for as long as that lives.

    Raises UnusableDatabase if a subscriber has it to itself.
    """
    if not try_lock(connection, SUBSCRIBER, shared=True):
        raise UnusableDatabase(
            f"{name} is in use by a subscriber without MEMBERS, which does all of it: stop that one first"
        )


class MemberStore(PostgresqlStore):
    """The store of a member: a MemberStore, which is described in models/storage/cluster.py."""

    def __init__(self, url: str, shown: str, member: str, number: int) -> None:
        claim = SlotClaim(f"DB_URL={shown}", number)
        super().__init__(url, shown, member, claim)
        self._number = number
        self._holder = claim.holder

    def _commit(self, connection: PatientConnection, attempt: _Attempt, *, copies_ids: bool) -> _Outcome:
        """Store a batch in one transaction, which may have readings of series that another member began."""
        try:
            return super()._commit(connection, attempt, copies_ids=copies_ids)
        except KeyError:
            self._retentions = retentions_of(connection)
            return super()._commit(connection, attempt, copies_ids=copies_ids)

    def keep(self, standing: Standing) -> None:
        """Note that we are there, and how it stands with us.

        Raises TakenOver, and StoreUnavailable as long as nobody can say.
        """
        with self._session.connection() as connection:
            connection.execute("BEGIN")
            # nothing is lost if this is, and it must not wait for a standby
            connection.execute("SET LOCAL synchronous_commit = off")
            values = standing._asdict() | {"number": self._number, "holder": self._holder}
            kept = connection.execute(_KEEP, values).rowcount
            connection.execute("COMMIT")
        if not kept:
            raise TakenOver(f"slot {self._number} is another subscriber's now")


class Membership:
    """One process among the members: a Membership, which is described in models/storage/cluster.py."""

    def __init__(self, url: str, shown: str, members: int) -> None:
        """`members`: how many slots there are. Nothing is opened."""
        self._url = url
        self._shown = shown
        self._members = members
        # The connection of who waits for a slot.
        self._server = Server(url, shown, "averages waiting for a slot", writes=True)

    def free(self, client_id: str = "", filters: Collection[str] = ()) -> FreeSlot | None:
        with asking(self._server) as connection:
            share(connection, self._server.name)
            found = connection.execute(_FREE, (client_id, self._members, LOCKS)).fetchall()
        wanted = set(filters)
        # first one that has read some of these topics before, then one that has read none
        ours = [row for row in found if wanted.intersection(row[2])] if wanted else found
        ours = ours or [row for row in found if not row[2]]
        return FreeSlot(*ours[0][:2]) if ours else None

    def store(self, number: int, member: str) -> MemberStore:
        self.close()
        return MemberStore(self._url, self._shown, member, number)

    def close(self) -> None:
        leave(self._server)


def all_slots(connection: PatientConnection) -> list[Slot]:
    """Return all slots that were ever taken, by their numbers."""
    rows = connection.execute(_SLOTS, (LOCKS,))
    return [Slot._make((*row[:6], Standing._make(row[6:]))) for row in rows]
