"""How old rows go: readings with their partition, ids and batches in small steps."""

import math
from typing import NamedTuple

from models.storage.postgresql.connection import PatientConnection

# A batch is known for so many seconds after it was committed: to the one whose COMMIT is in doubt, and to
# those who follow what is new.
BATCHES_KEPT = 3600.0
# The rows lie where they came: the index of their column knows the blocks.
_DELETE = """DELETE FROM {0} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {0} WHERE {1} LIMIT %s))"""
_DELETE_IDS = _DELETE.format("message_id", "expires <= %s")
_DELETE_BATCHES = _DELETE.format("batch", "committed <= extract(epoch FROM now()) - %s")


class KeptLonger(NamedTuple):
    """That readings are kept for so many seconds longer that expire up to `limit` (UTC epoch seconds)."""

    seconds: float
    limit: float

    def until(self, expires: float) -> float:
        """Return until when readings are kept that expire then."""
        return expires + self.seconds if expires <= self.limit else expires

    def minute(self, now: float) -> int:
        """Return up to which minute everything has expired by `now`."""
        longer = self.seconds if now - self.seconds <= self.limit else 0.0
        return math.floor((now - longer) / 60)


def kept_longer(connection: PatientConnection) -> KeptLonger:
    """Return what is kept longer than was noted when it was stored."""
    row = connection.execute("SELECT kept_longer, kept_until FROM about").fetchone()
    return KeptLonger(*row)  # type: ignore[misc]


def keep_longer(connection: PatientConnection, seconds: float, until: float) -> None:
    """Note that what is stored by now, and expires up to `until`, is kept for so many seconds longer."""
    connection.execute(
        "UPDATE about SET kept_longer = %(seconds)s + "
        "CASE WHEN kept_until + kept_longer > extract(epoch FROM now()) THEN kept_longer ELSE 0 END, "
        "kept_until = greatest(kept_until, %(until)s)",
        {"seconds": seconds, "until": until},
    )


def delete_ids(connection: PatientConnection, minute: int, limit: int) -> int:
    """Delete ids of readings that have expired, `limit` at most; return how many."""
    return connection.execute(_DELETE_IDS, (minute, limit)).rowcount


def delete_batches(connection: PatientConnection, limit: int) -> int:
    """Delete what is known of batches that nobody asks for any more, `limit` at most; return how many."""
    return connection.execute(_DELETE_BATCHES, (BATCHES_KEPT, limit)).rowcount
