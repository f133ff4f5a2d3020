"""What the leader writes: it deletes what is old, and makes room for what is new."""

import math
import time
from collections.abc import Callable

from models.storage.batch import Deleted, Place
from models.storage.postgresql.claim import Writer
from models.storage.postgresql.connection import PatientConnection
from models.storage.postgresql.slots import share
from models.storage.postgresql.store import PostgresqlStore

# Seconds that a series which was removed is remembered. Within a few, all members know that it is gone; one
# that stores a reading of it all the same, meanwhile, brings it back.
_REMEMBERED = 3600.0
# Seconds for which series and partitions are taken to be those that were read. What is deleted now came long
# before.
_KNOWN_FOR = 30.0


class SharedClaim:
    """The claim of who stores no readings: a Claim, which is described in claim.py."""

    def __init__(self, name: str) -> None:
        """`name` is what errors call the database."""
        self._name = name

    def take(self, connection: PatientConnection, writer: Writer, *, again: bool) -> None:
        share(connection, self._name)


class KeeperStore(PostgresqlStore):
    """The store of the leader. Members use the same series meanwhile: so none vanishes under their hands."""

    def __init__(self, url: str, shown: str, member: str, now: Callable[[], float] = time.time) -> None:
        """`now` tells UTC epoch seconds. The others are described at PostgresqlStore."""
        super().__init__(url, shown, member, SharedClaim(f"DB_URL={shown}"), now)
        self._known_since = -math.inf

    def delete_readings(self, after: Place, until: float, limit: int, retention: float) -> Deleted:
        """Do the same as where nobody else stores readings; others have begun series and made partitions."""
        now = self._now()
        if not 0 <= now - self._known_since < _KNOWN_FOR:
            with self._session.connection() as connection:
                self._read(connection)
            self._known_since = now
        return super().delete_readings(after, until, limit, retention)

    def delete_series(self, series: int) -> None:
        """Mark a series as gone. Whoever begins one of its name takes it back, and its id is the same."""
        now = self._now()
        with self._session.transaction() as connection:
            connection.execute("UPDATE series SET gone = %s WHERE id = %s", (now, series))
            connection.execute("DELETE FROM series WHERE gone < %s", (now - _REMEMBERED,))
        self._retentions.pop(series, None)
