"""The subscriber's loop: receive, store, acknowledge. One thread does all of it."""

import random
import threading
from collections import deque
from collections.abc import Callable, Sequence

from loguru import logger

from models.store import Store, StoreUnavailable
from scheduler_app.log import Once
from scheduler_app.mqtt import IngestSession, Message
from scheduler_app.writer import Writer

# As many messages share a commit at most. It bounds the memory and the time of a transaction.
MAX_BATCH = 1000
# Seconds.
_IDLE_WAIT = 1.0
_CONNECT_BACKOFF = (1.0, 30.0)
_STORE_BACKOFF = (0.05, 1.0)

# Does one bounded piece of work on the store; returns whether there is more to do.
Step = Callable[[], bool]


class Ingest:
    """Takes in readings until it is stopped. Nothing is acknowledged before it is committed.

    Whatever else writes to the database is handed in as steps, which run between two batches: the
    database has one writing connection, and an acknowledgement waits for one step at most.
    """

    def __init__(self, session: IngestSession, writer: Writer, store: Store) -> None:
        self._session = session
        self._writer = writer
        self._store = store
        self._steps: deque[Step] = deque()
        self._stopping = threading.Event()
        self._errors = Once()
        self._pause = 0.0

    def run(self) -> None:
        """Run until `stop`; then everything received is either stored and acknowledged, or neither."""
        try:
            while not self._stopping.is_set():
                if not self._session.connected and not self._connect():
                    continue
                if self._session.subscribed:
                    self._pause = 0.0
                batch = self._session.receive(MAX_BATCH, 0 if self._steps else _IDLE_WAIT)
                if not batch or self._write(batch):
                    self._session.acknowledge(batch)
                self._run_step()
        finally:
            self._session.disconnect()
            self._store.close()

    def stop(self) -> None:
        """Ask `run` to return. Safe in any thread."""
        self._stopping.set()
        self._session.wake()

    def submit(self, step: Step) -> None:
        """Have `step` called on this loop's thread, between batches, until it returns False."""
        self._steps.append(step)
        self._session.wake()

    def _connect(self) -> bool:
        """Connect, after a pause that doubles with each try since the last subscription."""
        if self._pause:
            self._session.sleep(self._pause * random.uniform(0.5, 1.0))
            self._run_step()
        least, most = _CONNECT_BACKOFF
        self._pause = min(max(2 * self._pause, least), most)
        return not self._stopping.is_set() and self._session.connect()

    def _write(self, batch: Sequence[Message]) -> bool:
        """Store `batch`, however long the database takes; False if we were stopped before it could."""
        pause, most = _STORE_BACKOFF
        while True:
            try:
                self._writer.store(batch)
                return True
            except StoreUnavailable as error:
                self._complain(error)
            if self._stopping.is_set():
                return False
            self._session.maintain()
            self._session.sleep(pause)
            pause = min(2 * pause, most)

    def _run_step(self) -> None:
        if not self._steps:
            return
        step = self._steps.popleft()
        try:
            if step():
                self._steps.append(step)
        except StoreUnavailable as error:
            self._complain(error)  # the job hands it in again when it is due again

    def _complain(self, error: StoreUnavailable) -> None:
        if self._errors.allows("store") is not None:
            logger.error("the database cannot be written ({}); holding what arrives, trying again", error)
