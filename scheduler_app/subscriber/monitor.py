"""What the subscriber can tell of itself."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from loguru import logger

from config.settings import Settings
from config.text import listed
from models.catalog import Catalog
from models.storage.errors import UnreadableDatabase
from models.storage.interface import Database
from scheduler_app.intake.ingest import Ingest
from scheduler_app.log import LogLimit
from scheduler_app.mqtt.ingest_session import IngestSession
from scheduler_app.publishing.records import Metrics, TickMark, counted


class ReadErrors:
    """Says once a minute that the database cannot be read, for work that comes again by itself.

    And says that it can be again, when a round of that work has read it and found nothing to be unreadable.
    That what is done between two rounds has worked says nothing: it may have had nothing to read.
    """

    def __init__(self) -> None:
        self._errors = LogLimit()
        # Whether an error was told and not yet its end; whether the present round has met one, and has read.
        self._told = self._failed = self._has_read = False

    @contextmanager
    def told(self) -> Iterator[None]:
        """Leave the body, and say why, where it finds the database unreadable."""
        try:
            yield
        except UnreadableDatabase as error:
            self._failed = True
            if self._errors.allows("read") is not None:
                self._told = True
                logger.error("{}; nothing can be published of what is in it", error)

    @contextmanager
    def round(self) -> Iterator[None]:
        """Do a round of the work inside; at its end say if an error is over that was told before."""
        self._failed = self._has_read = False
        yield
        if self._told and self._has_read and not self._failed:
            self._told = False
            logger.info("the database can be read again; what is in it is published")

    def has_read(self) -> None:
        """Note that the database has been read in this round."""
        self._has_read = True


class Monitor:
    """Reads the subscriber's counters and its present state, from any thread."""

    def __init__(
        self,
        database: Database,
        ingest: Ingest,
        session: IngestSession,
        catalog: Catalog,
        *,
        unmatched: Callable[[], int],
        trouble: Callable[[], str | None],
        read_errors: ReadErrors,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Build it.

        `unmatched` returns how many messages matched no filter, `trouble` what keeps the subscriber from its
        work, in one line, `now` UTC epoch seconds.
        """
        self._unmatched = unmatched
        self._trouble = trouble
        self._database = database
        self._ingest = ingest
        self._session = session
        self._catalog = catalog
        self._read_errors = read_errors
        self._now = now

    def metrics(self, tick: TickMark | None) -> Metrics | None:
        """Return what there is to tell, with the latest tick; None if the database cannot be read."""
        with self._read_errors.told():
            counters = self._counters()
            self._read_errors.has_read()
            return self._metrics(tick, counters)
        return None

    def _counters(self) -> dict[str, int]:
        with self._database.reader() as stored:
            return stored.counters()

    def _metrics(self, tick: TickMark | None, counters: Mapping[str, int]) -> Metrics:
        held = self._ingest.held
        now = self._now()
        return counted(now, counters)._replace(
            tick=tick,
            series=len(self._catalog),
            in_flight=held.count,
            oldest_unacknowledged=None if held.since is None else max(0.0, now - held.since),
            last_commit=self._ingest.last_commit,
            database_bytes=self._database.size(),
            short_connections=self._session.short_connections,
            session_lost_at=self._ingest.session_lost_at,
            session_lost_since=self._ingest.session_lost_since,
            unmatched=self._unmatched(),
            trouble=self._trouble(),
        )


def last_presence(database: Database, now: Callable[[], float] = time.time) -> float | None:
    """Return the latest time (UTC epoch seconds) at which a message is known to have come; None if none has.

    It is that of the newest reading; where all have been pruned, when the counting began. Raises
    UnreadableDatabase.
    """
    with database.reader() as stored:
        counters = stored.counters()
        if not counters.get("received"):
            return None
        newest = stored.newest_time()
    return float(counters["since"]) if newest is None else min(newest, now())


def tell_what_is_used(settings: Settings, database: Database) -> None:
    """Log which database it is, how many readings are in it, and which topics go in and out.

    In another folder it would be another database, which is empty.
    """
    try:
        with database.reader() as stored:
            counters = stored.counters()
        # counting millions of rows would keep the start waiting
        count = f"{counters.get('stored', 0) - counters.get('pruned', 0):,} readings"
    except UnreadableDatabase:  # what needs them says why
        count = "readings that cannot be counted"
    logger.info(
        "the database is {}, with {}; readings come in on {}, statistics go out on {}",
        database.place,
        count,
        listed([stream.topic for stream in settings.streams]),
        settings.stats_topic,
    )
