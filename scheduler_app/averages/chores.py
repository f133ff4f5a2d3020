"""The thread that does what is periodic and writes: it prunes."""

import threading
from collections import deque

from loguru import logger

from models.storage.errors import StoreUnavailable
from models.storage.interface import WritingStore
from scheduler_app.intake.ingest import Task
from scheduler_app.log import LogLimit, log_unexpected


class Chores:
    """Runs tasks one part after another, on the one thread that the writing connection belongs to."""

    def __init__(self, store: WritingStore, lock: threading.Lock) -> None:
        """`lock` is held while a part of a task runs: whatever else changes the catalog holds it too."""
        self._store = store
        self._lock = lock
        self._tasks: deque[Task] = deque()
        self._more = threading.Event()
        self._stopping = False
        self._errors = LogLimit()
        # Whether it was told that the database cannot be written.
        self._complained = False

    def submit(self, task: Task) -> None:
        """Have `task` called until it returns False. Safe in any thread."""
        self._tasks.append(task)
        self._more.set()

    def stop(self) -> None:
        """Have `run` return. Safe in any thread."""
        self._stopping = True
        self._more.set()

    def run(self) -> None:
        """Work until `stop`."""
        try:
            while not self._stopping:
                self._more.wait()
                self._more.clear()
                while self._tasks and not self._stopping:
                    self._do(self._tasks.popleft())
                self._store.close()  # or it is the one of before an outage that is used the next time
        finally:
            self._store.close()

    def _do(self, task: Task) -> None:
        try:
            with self._lock:
                more = task()
        except StoreUnavailable as error:  # the job hands it in again when it is due again
            if self._errors.allows("store") is not None:
                self._complained = True
                logger.error("the database cannot be written ({}); trying again later", error)
        except Exception:  # noqa: BLE001 - whatever it is, the next one is done
            log_unexpected(self._errors, "a piece of work on the database")
        else:
            if self._complained:
                self._complained = False
                logger.info("the database can be written again")
            if more:
                self._tasks.append(task)
