"""The partitions of the readings: one for each moment at which some of them expire."""

from collections.abc import Iterable

import psycopg

from models.storage.postgresql.connection import PatientConnection
from models.storage.postgresql.schema import LOCKS, MAKING_TABLES

# So long a partition waits until nobody reads it any more. Whoever stores readings waits behind it.
_LOCK_TIMEOUT = "100ms"
_PREFIX = "reading_"


class Partitions:
    """Knows which there are, makes those that are missing, and drops those that have expired.

    They are named by what `expires` of their readings is (expiry.py).
    """

    def __init__(self) -> None:
        self.known: set[int] = set()
        # Those that could not be dropped the last time, since somebody was reading.
        self.stuck: set[int] = set()

    def load(self, connection: PatientConnection) -> None:
        """Find out which partitions there are."""
        query = """SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
            WHERE inhparent = 'reading'::regclass"""
        self.known = {int(name.removeprefix(_PREFIX)) for (name,) in connection.execute(query)}

    def make(self, connection: PatientConnection, wanted: Iterable[int]) -> None:
        """Make the partitions that are missing: beside those who read and write, who wait for nothing."""
        wanted = set(wanted)
        if wanted <= self.known:
            return
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (LOCKS, MAKING_TABLES))
            self.load(connection)
            for expires in sorted(wanted - self.known):
                name = f"{_PREFIX}{expires}"
                connection.execute(f"CREATE TABLE {name} (LIKE reading INCLUDING ALL)")
                connection.execute(f"ALTER TABLE reading ATTACH PARTITION {name} FOR VALUES IN ({expires})")
        self.known |= wanted

    def drop(self, connection: PatientConnection, expires: int, member: int) -> int | None:
        """Drop a partition; return how many readings were in it, which count as pruned by a member.

        None if somebody was reading it: then it is to be tried again later.
        """
        name = f"{_PREFIX}{expires}"
        try:
            with connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
                [rows] = connection.execute(f"SELECT count(*) FROM {name}").fetchone() or [0]
                connection.execute(f"DROP TABLE {name}")
                connection.execute("UPDATE member SET pruned = pruned + %s WHERE id = %s", (rows, member))
        except psycopg.errors.LockNotAvailable:
            self.stuck.add(expires)
            return None
        except psycopg.errors.UndefinedTable:  # another member has dropped it
            rows = 0
        self.known.discard(expires)
        self.stuck.discard(expires)
        return int(rows)
