"""The subscriber's loop: receive, store, acknowledge. One thread does all of it."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from loguru import logger

from models.storage.batch import Batch
from models.storage.errors import DatabaseGone, NotStored, SeriesBegun, StoreUnavailable
from scheduler_app.formatting import moment_text
from scheduler_app.intake.pace import CommitPace
from scheduler_app.intake.patience import Patience
from scheduler_app.intake.redelivery import MOST_UNPROVEN
from scheduler_app.log import LogLimit, log_unexpected
from scheduler_app.mqtt.dialer import RECEIVE_MAXIMUM
from scheduler_app.mqtt.message import Message
from scheduler_app.mqtt.numbering import Numbering
from scheduler_app.mqtt.reconnecting import Backoff

# As many messages share a commit at most. It bounds the memory and the time of a transaction.
MAX_BATCH = RECEIVE_MAXIMUM
# A proof is asked for when it would be of so many messages, so that few have to be remembered.
WORTH_A_PROOF = 4096
# Seconds.
_IDLE_WAIT = 1.0
# Seconds without a message after which what need not be remembered any more is deleted in a commit of its
# own. Until then that waits for the commit of the next message, where it costs nothing.
TIDY_AFTER = 60.0
# So long a commit may take on a slow disk without anything being wrong.
_LONGEST_COMMIT = 5.0

# A piece of work for the writing thread. It does a bounded part; returns whether there is more to do.
Task = Callable[[], bool]
# Given whether we are stopped, returns what the broker does with packet ids; None if it cannot say yet.
FindOutNumbering = Callable[[Callable[[], bool]], Numbering | None]


class Session(Protocol):
    """What the loop needs of an IngestSession; described there."""

    one_is_held: bool

    @property
    def connected(self) -> bool: ...
    @property
    def subscribed(self) -> bool: ...
    @property
    def may_connect_at_once(self) -> bool: ...
    def connect(self) -> bool: ...
    def receive(self, limit: int, timeout: float) -> list[Message]: ...
    def acknowledge(self, batch: Sequence[Message]) -> None: ...
    def maintain(self) -> None: ...
    def hold(self) -> None: ...
    def take_session_loss(self) -> bool: ...
    def subscribe(self) -> None: ...
    def request_proof(self) -> bool: ...
    def take_proof(self) -> bool: ...
    def leave(self) -> bool: ...
    def wake(self) -> None: ...
    def sleep(self, timeout: float) -> None: ...
    def gather(self, timeout: float) -> None: ...
    def disconnect(self) -> None: ...


class BatchWriter(Protocol):
    """What the loop needs of a Writer; described there."""

    def sort(self, messages: Sequence[Message], *, unstorable: bool = False) -> Batch: ...
    def commit(self, batch: Batch) -> None: ...
    @property
    def new_messages(self) -> int: ...
    @property
    def unproven(self) -> int: ...
    def set_numbering(self, numbering: Numbering) -> None: ...
    def begin_connection(self) -> None: ...
    def await_proof(self) -> None: ...
    def take_proof(self) -> None: ...
    def forget_deliveries(self) -> None: ...
    def forget_all_deliveries(self) -> None: ...


@dataclass(frozen=True)
class Held:
    """What has been received and not acknowledged yet: how many, and since when (epoch seconds)."""

    count: int = 0
    since: float | None = None


_NOTHING_HELD = Held()


class Ingest:
    """Takes in readings until it is stopped. Nothing is acknowledged before it is committed.

    Whatever else writes to the database is handed in as tasks, which run between two batches: the
    database has one writing connection, and an acknowledgement waits for one part of one task at most.
    """

    def __init__(
        self,
        session: Session,
        writer: BatchWriter,
        *,
        pace: CommitPace | None = None,
        present_until: float | None = None,
        find_out_numbering: FindOutNumbering = lambda stopped: Numbering.IN_TURN,
        check_right: Callable[[], None] = lambda: None,
        worth_a_proof: int = WORTH_A_PROOF,
        most_unproven: int = MOST_UNPROVEN,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take in no more than `most_unproven` messages and a batch without proof of their acknowledgements.

        Proof is asked for when nothing comes, or when it would be of `worth_a_proof` messages.
        `present_until` (UTC epoch seconds): when an earlier run received, None if none has.
        `find_out_numbering` is called when a broker can be reached, until it returns something.
        `check_right` is called before each try to connect, and raises StoreUnavailable as long as the
        session may be another process's. `now` returns UTC epoch seconds, `monotonic` seconds by a clock
        that never jumps.
        """
        self._now = now
        self._monotonic = monotonic
        self._worth_a_proof = worth_a_proof
        self._most_unproven = most_unproven
        # How many messages were new when the connection was last renewed, and the pauses after that.
        self._new_at_renewal = -1
        self._renewals = Backoff()
        self._find_out_numbering: FindOutNumbering | None = find_out_numbering
        self._check_right = check_right
        self._session = session
        self._writer = writer
        self._pace = pace or CommitPace()
        self._tasks: deque[Task] = deque()
        self._stopping = threading.Event()
        # Waits for the database where it cannot be written, or does not answer.
        self.patience = Patience(session, self._stopping, monotonic)
        self._backoff = Backoff()
        self._errors = LogLimit()
        # For whoever watches from another thread.
        self.held = _NOTHING_HELD
        self.last_commit: float | None = None
        # When we were last known to be subscribed, None if never; when the broker had no session of
        # ours although we had been, and since when we had been away then.
        self._present_until = present_until
        self.session_lost_at: float | None = None
        self.session_lost_since: float | None = None
        # Since when the database has been busy with what it was given (monotonic time).
        self._storing_since: float | None = None
        # When messages were last taken in (monotonic time).
        self._took_in_at = -math.inf

    @property
    def stores(self) -> bool:
        """Whether what arrives is stored: the latest try has worked, or has not taken long so far.

        Safe in any thread.
        """
        return self.trouble is None

    @property
    def trouble(self) -> str | None:
        """What keeps what arrives from being stored, in one line; None if nothing is known to.

        Safe in any thread.
        """
        failure, since = self.patience.failure, self._storing_since
        if failure is None and since is not None and self._monotonic() - since >= _LONGEST_COMMIT:
            return f"the database has not stored within {_LONGEST_COMMIT:g} s what it was given"
        return failure

    def run(self) -> None:
        """Run until `stop`; then everything received is either stored and acknowledged, or neither."""
        try:
            while not self._stopping.is_set():
                if not self._session.connected and not self._connect():
                    continue
                if self._session.subscribed:
                    self._backoff.reset()
                    self._present_until = self._now()
                rested = self._rest()
                messages = self._session.receive(MAX_BATCH, 0 if self._tasks or rested else _IDLE_WAIT)
                if rested and not messages:
                    continue
                if messages:
                    self._take_in(self._gathered(messages))
                    self._bound_unproven()
                else:
                    self._tidy()
                self._run_task()
        finally:
            self._session.disconnect()

    def stop(self) -> None:
        """Ask `run` to return. Safe in any thread."""
        self._stopping.set()
        self._session.wake()

    def submit(self, task: Task) -> None:
        """Have `task` called on this loop's thread, between batches, until it returns False."""
        self._tasks.append(task)
        self._session.wake()

    def _connect(self) -> bool:
        if not self.patience.attempt(self._check_right):
            self._session.sleep(_IDLE_WAIT)
            return False
        pause = 0.0 if self._session.may_connect_at_once else self._backoff.next()
        if pause:
            self._session.sleep(pause)
            self._run_task()
        if self._stopping.is_set() or not self._session.connect():
            return False
        if self._find_out_numbering is not None and (
            found := self._find_out_numbering(self._stopping.is_set)
        ):
            self._find_out_numbering = None
            self._set_numbering(found)
        self._writer.begin_connection()
        return True

    def _rest(self) -> bool:
        """Let messages gather until the next commit is due, if it is not due yet; return whether we did."""
        pause = 0.0 if self._tasks else self._pace.rest(self._monotonic())
        if pause:
            self._session.gather(pause)
        return pause > 0

    def _gathered(self, messages: list[Message]) -> list[Message]:
        """Return `messages` with those that come while they are to wait for more."""
        while pause := self._pace.pause(len(messages), self._monotonic()):
            if self._stopping.is_set() or not self._session.connected:
                break
            self.held = Held(len(messages), messages[0].arrived)
            self._run_task()
            # each as it comes, since the time of its arrival may be that of the reading
            pause = 0.0 if self._tasks else min(pause, _IDLE_WAIT)
            messages += self._session.receive(MAX_BATCH - len(messages), pause)
            self._session.maintain()
        self._pace.begin(len(messages), self._monotonic())
        return messages

    def _set_numbering(self, numbering: Numbering) -> None:
        self._writer.set_numbering(numbering)
        self._session.one_is_held = numbering.one_is_held
        if numbering.value:
            logger.info(numbering.value)

    def _take_in(self, messages: Sequence[Message]) -> None:
        self.held = Held(len(messages), messages[0].arrived)
        self._storing_since = self._took_in_at = self._monotonic()
        if self._store(messages):
            self.last_commit = self._now()
            self._session.acknowledge(messages)
        self.held = _NOTHING_HELD
        self._storing_since = None

    def _store(self, messages: Sequence[Message]) -> bool:
        """Store `messages`, however long the database takes; False if we were stopped before it could.

        If one of them cannot be stored whatever the database does, it is found by halves, and kept as
        rejected: else it would end us, and again after each restart. Whatever else goes wrong ends
        us, with nothing acknowledged that is not stored.
        """
        batch = self._writer.sort(messages)
        try:
            return self.patience.persist(lambda: self._writer.commit(batch))
        except SeriesBegun:
            return self._store(messages)
        except NotStored:
            half = len(messages) // 2
            if half:
                return self._store(messages[:half]) and self._store(messages[half:])
            log_unexpected(self._errors, "storing a message")
        rejected = self._writer.sort(messages, unstorable=True)
        return self.patience.persist(lambda: self._writer.commit(rejected))

    def _tidy(self) -> None:
        """Nothing has come: see to the connection, and forget the deliveries that are proven.

        The database forgets them with the next message, or when none has come for TIDY_AFTER seconds.
        """
        self._session.maintain()
        if self._session.take_session_loss():
            self._begin_session()
            return
        if self._session.take_proof():
            self._writer.take_proof()
        if self._writer.unproven:
            if self._session.request_proof():
                self._writer.await_proof()
        # a broker that waits for one may soon give its packet id to another, also while we are away
        elif self._session.one_is_held or self._monotonic() - self._took_in_at >= TIDY_AFTER:
            self.patience.persist(self._writer.forget_deliveries)

    def _bound_unproven(self) -> None:
        """Keep few messages without proof, and never more than can be told from new ones."""
        if self._session.take_proof():
            self._writer.take_proof()
        unproven = self._writer.unproven
        if unproven >= self._most_unproven:
            self._renew_connection()
        elif unproven >= self._worth_a_proof and self._session.request_proof():
            self._writer.await_proof()

    def _renew_connection(self) -> None:
        """Leave the broker when it has worked off all acknowledgements, and connect anew.

        Its answer to a request for proof can come behind any number of messages; Mosquitto puts all
        that waits before it. On the new connection it begins with what is not acknowledged.
        """
        while not self._session.leave():
            self._run_task()
            if self._stopping.is_set():
                return
        if self._writer.new_messages > self._new_at_renewal:
            self._renewals = Backoff()
        elif pause := self._renewals.next():  # it works off nothing
            self._session.sleep(pause)
        self._new_at_renewal = self._writer.new_messages
        if not self._stopping.is_set() and self._session.connect():
            self._writer.begin_connection()

    def _begin_session(self) -> None:
        """Forget the deliveries of the old session before anything of the new one is received.

        And before it is subscribed to: a crash in between would leave them to be taken for those
        of the new one. But if the database cannot be written now, what is published meanwhile
        would be lost for certain, and that weighs more.
        """
        self._tell_session_loss()
        forgotten = self.patience.attempt(self._writer.forget_all_deliveries)
        self._session.subscribe()
        if not forgotten:
            self.patience.persist(self._writer.forget_all_deliveries)

    def _tell_session_loss(self) -> None:
        """Warn if there should have been a session: what was published meanwhile was kept for nobody."""
        if self._present_until is None:
            return  # we begin our first
        self.session_lost_since, self.session_lost_at = self._present_until, self._now()
        logger.warning(
            "the broker has no session of ours, though it had one until {}: what was published since "
            "then is lost to us. Has another client used our CLIENT_ID, or has the broker lost its data? Or "
            "is one of them new?",
            moment_text(self._present_until),
        )

    def _run_task(self) -> None:
        if not self._tasks:
            return
        task = self._tasks.popleft()
        try:
            if task():
                self._tasks.append(task)
        except StoreUnavailable as error:
            self.patience.complain(error)  # the job hands it in again when it is due again
        except DatabaseGone:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, readings are taken in
            log_unexpected(self._errors, "a piece of work on the database")
