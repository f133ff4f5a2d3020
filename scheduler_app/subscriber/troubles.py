"""What keeps the subscriber from its work though it runs, for the log, the metrics and its health."""

from loguru import logger

from config.text import printable, shortened
from scheduler_app.mqtt.ingest_session import IngestSession
from scheduler_app.publishing.presence import Presence

# Seconds between two looks. What is there at two of them in a row is told.
LOOK_INTERVAL = 5.0
# Characters. Topics may be long, and whoever reads the metrics takes no longer text for ours.
_LONGEST = 1000


class Troubles:
    """Knows what is wrong with both connections to the broker, and how to cure it.

    The ingest session tells its own troubles as they come. Those of the connection that we publish over are
    told only if they last, and if the session has none: one outage of the broker is one line.
    """

    def __init__(self, session: IngestSession, presence: Presence) -> None:
        self._session = session
        self._presence = presence
        self._seen = False
        self._told = False

    @property
    def text(self) -> str | None:
        """What is wrong now, in one line; None if nothing is known to be. Safe in any thread."""
        lines = [self._session.trouble]
        if not lines[0]:
            lines += [shortcoming.text for shortcoming in self._session.lacking.found]
            lines += [self._presence.trouble]
        text = printable("; ".join(line for line in lines if line))
        return shortened(text, _LONGEST) or None

    @property
    def grave(self) -> bool:
        """Whether readings do not come in, or statistics do not go out. Safe in any thread."""
        if not self._session.subscribed or not self._presence.works:
            return True
        return any(shortcoming.grave for shortcoming in self._session.lacking.found)

    def look(self) -> None:
        """Tell that nothing can be published, if that was so at the last look too; or that it is over."""
        self._presence.look()
        trouble = self._presence.outage if self._session.subscribed else None
        if trouble is None:
            if self._told:
                logger.info("statistics are published again")
            self._seen = self._told = False
        elif not self._seen:
            self._seen = True
        elif not self._told:
            self._told = True
            logger.error("no statistics are published: {}", trouble)
