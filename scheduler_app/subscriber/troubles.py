"""What keeps the subscriber from its work though it runs, for the log, the metrics and its health."""

from collections.abc import Callable

from loguru import logger

from config.text import printable, shortened
from scheduler_app.mqtt.ingest_session import IngestSession
from scheduler_app.mqtt.shortcomings import Shortcoming
from scheduler_app.publishing.presence import Presence

# Seconds between two looks. What is there at two of them in a row is told.
LOOK_INTERVAL = 5.0
# Characters. Topics may be long, and whoever reads the metrics takes no longer text for ours.
LONGEST = 1000


class Troubles:
    """Knows what is wrong with the database and with both connections to the broker, and how to cure it.

    Whoever stores, and the ingest session, tell their own troubles as they come. Those of the connection
    that we publish over are told only if they last, and if the session has none: one outage of the broker is
    one line.
    """

    def __init__(
        self,
        session: IngestSession | None,
        presence: Presence,
        what: str = "statistics are",
        *,
        storing: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`session`: None where no readings come in. `what` is published, as the log says it.

        `storing` says what keeps what arrives from being stored, in one line; None if nothing is known to.
        """
        self._what = what
        self._storing = storing
        self._session = session
        self._presence = presence
        self._seen = False
        self._told = False

    @property
    def text(self) -> str | None:
        """What is wrong now, in one line; None if nothing is known to be. Safe in any thread."""
        receiving = None if self._session is None else self._session.trouble
        lines = [self._storing(), receiving]
        if not receiving:
            lines += [shortcoming.text for shortcoming in self._lacking]
            lines += [self._presence.trouble]
        text = printable("; ".join(line for line in lines if line))
        return shortened(text, LONGEST) or None

    @property
    def grave(self) -> bool:
        """Whether readings do not come in, or statistics do not go out. Safe in any thread."""
        if not self._subscribed or not self._presence.works:
            return True
        return any(shortcoming.grave for shortcoming in self._lacking)

    def look(self) -> None:
        """Tell that nothing can be published, if that was so at the last look too; or that it is over."""
        self._presence.look()
        trouble = self._presence.outage if self._subscribed else None
        if trouble is None:
            if self._told:
                logger.info("{} published again", self._what)
            self._seen = self._told = False
        elif not self._seen:
            self._seen = True
        elif not self._told:
            self._told = True
            logger.error("no {} published: {}", self._what, trouble)

    @property
    def _subscribed(self) -> bool:
        return self._session is None or self._session.subscribed

    @property
    def _lacking(self) -> list[Shortcoming]:
        return [] if self._session is None else self._session.lacking.found
