"""How a member says every second that it is there, by which it keeps its slot, or learns that it has not."""

from collections.abc import Callable

from models.storage.cluster import MemberStore, Standing
from scheduler_app.intake.ingest import Ingest
from scheduler_app.intake.writer import Writer
from scheduler_app.mqtt.ingest_session import IngestSession

# Seconds between two of them.
KEEP_INTERVAL = 1.0


class Heartbeat:
    """Keeps the slot, on the thread that writes: its lock is on the connection that this one has."""

    def __init__(
        self,
        store: MemberStore,
        ingest: Ingest,
        session: IngestSession,
        writer: Writer,
        trouble: Callable[[], str | None],
        *,
        shared: bool,
    ) -> None:
        """`trouble` returns what keeps the member from its work.

        `shared`: it shares its messages with other members.
        """
        self._store = store
        self._ingest = ingest
        self._session = session
        self._writer = writer
        self._trouble = trouble
        self._shared = shared
        # Whether one waits for the thread, which may be held up: one is enough.
        self._waits = False

    def beat(self) -> None:
        """Have the slot kept by the thread that writes. Safe in any thread."""
        if not self._waits:
            self._waits = True
            self._ingest.submit(self._task)

    def keep(self) -> None:
        """Keep the slot. Raises TakenOver, and StoreUnavailable as long as nobody can say."""
        self._store.keep(self._standing())

    def _task(self) -> bool:
        self._waits = False
        self.keep()
        return False

    def _standing(self) -> Standing:
        held = self._ingest.held
        return Standing(
            in_flight=held.count,
            waiting_since=held.since,
            last_commit=self._ingest.last_commit,
            short_connections=self._session.short_connections,
            session_lost_at=self._ingest.session_lost_at,
            session_lost_since=self._ingest.session_lost_since,
            unmatched=self._writer.unmatched,
            shared=self._shared,
            trouble=self._trouble(),
        )
