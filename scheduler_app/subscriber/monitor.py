"""What the subscriber can tell of itself."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loguru import logger

from models.catalog import Catalog
from models.statistics.rolling import RollingStatistics
from models.storage import queries as history
from models.storage.database import reading_database
from models.storage.transaction import UnreadableDatabase, reading
from scheduler_app.intake.ingest import Ingest
from scheduler_app.log import LogLimit
from scheduler_app.mqtt.client import IngestSession


class Reader:
    """Says once a minute that the database cannot be read, for work that comes again by itself."""

    def __init__(self) -> None:
        self._errors = LogLimit()

    @contextmanager
    def told(self) -> Iterator[None]:
        """Leave the body, and say why, where it finds the database unreadable."""
        try:
            yield
        except UnreadableDatabase as error:
            if self._errors.allows("read") is not None:
                logger.error("{}; nothing can be published of what is in it", error)


class Monitor:
    """Reads the subscriber's counters and its present state, from any thread."""

    def __init__(
        self,
        db_file: Path,
        ingest: Ingest,
        session: IngestSession,
        catalog: Catalog,
        statistics: RollingStatistics,
    ) -> None:
        self._db_file = db_file
        self._ingest = ingest
        self._session = session
        self._catalog = catalog
        self._statistics = statistics

    def counters(self) -> dict[str, int]:
        """Return what is counted in the database, and `since` when. Raises UnreadableDatabase."""
        database = reading_database(self._db_file)
        with reading(database):
            return history.counters(database)

    def present(self) -> dict[str, object]:
        """Return what is held now; ages in seconds, times in UTC epoch seconds, sizes in bytes.

        `tick` tells when the latest statistics were taken, and the sequence up to which readings
        were in them.
        """
        held = self._ingest.held
        return {
            "tick": {"at": self._statistics.at, "sequence": self._statistics.sequence},
            "series": len(self._catalog),
            "in_flight": held.count,
            "oldest_unacknowledged": None if held.since is None else max(0.0, time.time() - held.since),
            "last_commit": self._ingest.last_commit,
            "database_bytes": sum(size(path) for path in database_files(self._db_file)),
            "short_connections": self._session.short_connections,
            "session_lost_at": self._ingest.session_lost_at,
            "session_lost_since": self._ingest.session_lost_since,
        }


def last_presence(db_file: Path) -> float | None:
    """Return the latest time (UTC epoch seconds) at which a message is known to have come; None if none has.

    It is that of the newest reading; where all have been pruned, when the counting began. What cannot
    be read is not known: whoever needs it in order to begin says so.
    """
    database = reading_database(db_file)
    try:
        with reading(database):
            counters = history.counters(database)
            newest = history.newest_time(database)
    except UnreadableDatabase:
        return None
    if not counters.get("received"):
        return None
    return float(counters["since"]) if newest is None else min(newest, time.time())


def database_files(db_file: Path) -> tuple[Path, Path]:
    """Return the database file and its write-ahead log."""
    return db_file, db_file.with_name(f"{db_file.name}-wal")


def size(path: Path) -> int:
    """Return the size of a file in bytes, 0 if there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
