import time
from collections.abc import Callable, Sequence

import pytest

from models.storage.batch import Batch
from models.storage.errors import (
    DamagedStore,
    DatabaseGone,
    NotStored,
    SeriesBegun,
    StoreUnavailable,
    TakenOver,
)
from scheduler_app.intake.ingest import MAX_BATCH, TIDY_AFTER, Held, Ingest
from scheduler_app.intake.pace import IN_A_ROW, SPACING, CommitPace
from scheduler_app.mqtt.message import Message
from scheduler_app.mqtt.numbering import Numbering
from tests.unit.messages import message

A, B, C = (message(name.encode(), packet_id=number) for number, name in enumerate("abc", 1))


def text(batch: Sequence[Message]) -> str:
    return b" ".join(message.payload for message in batch).decode()


# More than any test here needs; a loop that does not end shall fail, not fill the memory.
MOST_CALLS = 1000


class FakeSession:
    """The broker's side: hands out one batch after the other, and notes all that is asked of it."""

    def __init__(self, *batches: list[Message]) -> None:
        self.batches = list(batches)
        self.events: list[str] = []
        self.sleeps: list[float] = []
        self.timeouts: list[float] = []
        self.limits: list[int] = []
        self.woken = 0
        self.calls = 0
        self.connected = self.subscribed = True
        self.one_is_held = False
        self.may_connect_at_once = False
        self.session_losses = 0
        self.proofs = 0
        # How often `leave` must be called.
        self.farewells = 1
        # When nothing is left to receive, and after each pause; the tests put in what happens then.
        self.when_empty: Callable[[], None] = lambda: None
        self.when_sleeping: Callable[[], None] = lambda: None
        self.when_connecting: Callable[[], bool] = lambda: True

    def count_call(self) -> None:
        self.calls += 1
        if self.calls > MOST_CALLS:
            pytest.fail("the loop does not end")

    def connect(self) -> bool:
        self.count_call()
        self.events.append("connect")
        return self.when_connecting()

    def receive(self, limit: int, timeout: float) -> list[Message]:
        self.count_call()
        self.limits.append(limit)
        self.timeouts.append(timeout)
        batch = self.batches.pop(0) if self.batches else []
        if not batch and not self.batches:
            self.when_empty()
        return batch

    def acknowledge(self, batch: Sequence[Message]) -> None:
        if batch:
            self.events.append(f"acknowledge {text(batch)}")

    def maintain(self) -> None:
        self.count_call()

    def hold(self) -> None:
        self.count_call()
        self.events.append("hold")

    def take_session_loss(self) -> bool:
        self.session_losses -= 1
        return self.session_losses >= 0

    def subscribe(self) -> None:
        self.events.append("subscribe")

    def request_proof(self) -> bool:
        self.events.append("request proof")
        return True

    def take_proof(self) -> bool:
        self.proofs -= 1
        return self.proofs >= 0

    def leave(self) -> bool:
        self.count_call()
        self.farewells -= 1
        self.events.append("leave")
        return self.farewells <= 0

    def wake(self) -> None:
        self.woken += 1

    def sleep(self, timeout: float) -> None:
        self.count_call()
        self.sleeps.append(timeout)
        self.when_sleeping()

    def gather(self, timeout: float) -> None:
        self.sleep(timeout)

    def disconnect(self) -> None:
        self.events.append("disconnect")


class FakeWriter:
    """Fails as often as it is told to, then stores."""

    def __init__(self, session: FakeSession, failures: float = 0) -> None:
        self.events = session.events
        self.failures = failures
        self.sorted = ""
        self.new_messages = 0
        self.unproven = 0

    def sort(self, messages: Sequence[Message], *, unstorable: bool = False) -> Batch:
        self.sorted = text(messages)
        return Batch()

    def commit(self, batch: Batch) -> None:
        self._write(f"store {self.sorted}", f"fail {self.sorted}")

    def set_numbering(self, numbering: Numbering) -> None:
        if numbering is not Numbering.IN_TURN:
            self.events.append(numbering.name)

    def begin_connection(self) -> None:
        self.unproven = 0

    def await_proof(self) -> None:
        self.events.append("await proof")

    def take_proof(self) -> None:
        self.events.append("take proof")

    def forget_deliveries(self) -> None: ...

    def forget_all_deliveries(self) -> None:
        self._write("forget all", "fail to forget all")

    def _write(self, done: str, failed: str) -> None:
        if self.failures > 0:
            self.failures -= 1
            self.events.append(failed)
            raise StoreUnavailable("database is locked")
        self.events.append(done)


def ingest_of(
    session: FakeSession,
    failures: float = 0,
    now: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> Ingest:
    """Return an ingest loop that is stopped when nothing is left to receive."""
    ingest = Ingest(session, FakeWriter(session, failures), now=now, monotonic=monotonic)
    session.when_empty = ingest.stop
    return ingest


def tasks(events: list[str], name: str, rounds: int) -> Callable[[], bool]:
    """Return a task that has `rounds` pieces of work to do."""
    left = iter(range(rounds - 1, -1, -1))

    def task() -> bool:
        number = next(left)
        events.append(f"{name} {number} left")
        return number > 0

    return task


def test_a_batch_is_stored_and_then_acknowledged_in_the_order_received() -> None:
    session = FakeSession([A, B], [C])
    ingest_of(session).run()
    assert session.events == [
        "store a b",
        "acknowledge a b",
        "store c",
        "acknowledge c",
        "disconnect",
    ]


def test_no_more_is_received_at_a_time_than_shares_a_commit() -> None:
    session = FakeSession([A])
    ingest_of(session).run()
    assert set(session.limits) == {MAX_BATCH}


class FakeClock:
    """Seconds that go on only while the loop waits: by sleeping, or for messages that do not come."""

    def __init__(self, session: FakeSession) -> None:
        self.seconds = 1000.0
        receive, session.when_sleeping = session.receive, lambda: self.wait(session.sleeps[-1])

        def receive_slowly(limit: int, timeout: float) -> list[Message]:
            batch = receive(limit, timeout)
            self.wait(0.0 if batch else timeout)
            return batch

        session.receive = receive_slowly  # type: ignore[method-assign]

    def wait(self, seconds: float) -> None:
        self.seconds += seconds

    def now(self) -> float:
        return self.seconds


def spaced(session: FakeSession, interval: float = 0.0) -> Ingest:
    """Return an ingest loop by a fake clock. At an `interval` of 0 its commits are close together already."""
    clock = FakeClock(session)
    pace = CommitPace(interval)
    for number in range(IN_A_ROW if not interval else 1):
        pace.begin(1, clock.now() - SPACING / 2 * (IN_A_ROW - number))
    ingest = Ingest(session, FakeWriter(session), pace=pace, monotonic=clock.now)
    session.when_empty = ingest.stop
    return ingest


def test_a_reading_that_is_to_wait_shares_its_commit_with_those_that_come_meanwhile() -> None:
    session = FakeSession([A], [B], [C])
    spaced(session, interval=5.0).run()
    assert session.events[:2] == ["store a b c", "acknowledge a b c"]


def test_where_commits_are_spaced_all_that_shares_one_is_received_at_once() -> None:
    """Or the processor would wake up for each."""
    session = FakeSession([A, B], [C])
    spaced(session).run()
    assert session.sleeps[0] == pytest.approx(SPACING / 2)
    assert session.sleeps[1] == pytest.approx(SPACING)
    assert session.events[:4] == ["store a b", "acknowledge a b", "store c", "acknowledge c"]


def test_after_a_rest_in_which_nothing_came_the_next_message_is_waited_for() -> None:
    """And that is no silence in which the connection has to be seen to."""
    session = FakeSession([], [A])
    maintained: list[None] = []
    session.maintain = lambda: maintained.append(None)  # type: ignore[method-assign]
    spaced(session).run()
    assert session.sleeps[0] == pytest.approx(SPACING / 2)
    assert session.timeouts[:2] == [0, 1.0]
    assert maintained == []


def test_there_is_no_rest_while_a_task_waits() -> None:
    session = FakeSession([A], [B])
    ingest = spaced(session)
    ingest.submit(lambda: True)
    ingest.run()
    assert session.sleeps == []


def test_in_a_wait_that_the_user_wants_each_message_is_received_when_it_comes() -> None:
    """The time of its arrival may be that of the reading. And the connection is kept up."""
    session = FakeSession([A], [], [B], [C])
    maintained: list[int] = []
    session.maintain = lambda: maintained.append(len(session.timeouts))  # type: ignore[method-assign]
    spaced(session, interval=5.0).run()
    assert session.sleeps == []
    assert session.timeouts[1:4] == [1.0, 1.0, 1.0]
    assert maintained[:3] == [2, 3, 4]


def test_a_commit_is_taken_note_of_so_that_the_next_one_waits() -> None:
    session = FakeSession([A], [B], [C])
    ingest = Ingest(session, FakeWriter(session), pace=CommitPace(5.0), monotonic=FakeClock(session).now)
    session.when_empty = ingest.stop
    ingest.run()
    assert session.events == ["store a", "acknowledge a", "store b c", "acknowledge b c", "disconnect"]


def test_no_more_is_received_in_a_wait_than_shares_a_commit() -> None:
    session = FakeSession([A, B], [C])
    spaced(session, interval=5.0).run()
    assert session.limits[:2] == [MAX_BATCH, MAX_BATCH - 2]


def test_what_waits_is_stored_and_acknowledged_when_we_are_stopped() -> None:
    session = FakeSession([A], [B], [])
    ingest = spaced(session, interval=10.0)
    ingest.run()
    assert session.events == ["store a b", "acknowledge a b", "disconnect"]


def test_what_waits_is_stored_when_the_connection_is_lost() -> None:
    session = FakeSession([A], [])
    ingest = spaced(session, interval=10.0)

    def lose() -> None:
        session.connected = False

    def stop() -> bool:
        ingest.stop()
        return False

    session.when_empty, session.when_connecting = lose, stop
    ingest.run()
    assert session.events == ["store a", "acknowledge a", "connect", "disconnect"]


def test_what_waits_is_told_as_held_and_tasks_are_done_meanwhile() -> None:
    session = FakeSession([A], [B], [])
    ingest = spaced(session, interval=10.0)
    held: list[Held] = []

    def task() -> bool:
        held.append(ingest.held)
        return len(held) < 3

    ingest.submit(task)
    ingest.run()
    assert held == [Held(1, A.arrived), Held(2, A.arrived), Held()]
    assert session.timeouts == [0.0, 0.0, 0.0]  # the tasks need not wait for a message


def test_a_batch_is_held_while_the_store_fails_and_acknowledged_once() -> None:
    """Meanwhile the connection is kept up, and nothing else is received."""
    session = FakeSession([A, B], [C])
    ingest_of(session, failures=3).run()
    assert session.events == [
        *["fail a b", "hold"] * 3,
        "store a b",
        "acknowledge a b",
        "store c",
        "acknowledge c",
        "disconnect",
    ]


def test_the_pause_between_two_tries_to_store_doubles_up_to_a_second() -> None:
    session = FakeSession([A])
    ingest_of(session, failures=8).run()
    assert session.sleeps == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]


def test_a_batch_that_could_not_be_stored_before_the_stop_is_never_acknowledged() -> None:
    session = FakeSession([A], [B])
    ingest = ingest_of(session, failures=float("inf"))
    session.when_sleeping = lambda: ingest.stop() if len(session.sleeps) == 2 else None
    ingest.run()
    assert session.events == ["fail a", "hold", "fail a", "hold", "fail a", "disconnect"]


def test_a_batch_that_was_received_before_the_stop_is_stored_and_acknowledged() -> None:
    session = FakeSession([A], [B])
    ingest = ingest_of(session)
    receive = session.receive

    def receive_and_stop(limit: int, timeout: float) -> list[Message]:
        ingest.stop()
        return receive(limit, timeout)

    session.receive = receive_and_stop  # type: ignore[method-assign]
    ingest.run()
    assert session.events == ["store a", "acknowledge a", "disconnect"]


def test_an_error_that_is_no_trouble_of_the_store_ends_the_loop_without_an_acknowledgement() -> None:
    session = FakeSession([message(b"\xff")])  # the fake cannot decode this
    with pytest.raises(UnicodeDecodeError):
        ingest_of(session).run()
    assert session.events == ["disconnect"]


class FailingWriter(FakeWriter):
    """Cannot store messages with an `x`, unless it is told to reject them; nor, if `broken`, that either."""

    def __init__(self, session: FakeSession, *, broken: bool = False) -> None:
        super().__init__(session)
        self.broken = broken

    def sort(self, messages: Sequence[Message], *, unstorable: bool = False) -> Batch:
        self.sorted = f"rejected {text(messages)}" if unstorable else text(messages)
        return Batch()

    def commit(self, batch: Batch) -> None:
        if "x" in self.sorted and (self.broken or not self.sorted.startswith("rejected")):
            raise NotStored from OverflowError("too large")
        super().commit(batch)


X = message(b"x", packet_id=9)


@pytest.mark.parametrize("batch", [[A, B, X, C], [X, A, B, C], [A, B, C, X]])
def test_a_message_that_cannot_be_stored_is_found_and_rejected(
    batch: list[Message], log_lines: list[str]
) -> None:
    """It would end us, come again after the restart, and end us again."""
    session = FakeSession(batch, [X], [A])
    ingest = Ingest(session, FailingWriter(session))
    session.when_empty = ingest.stop
    ingest.run()
    first = session.events.index(f"acknowledge {text(batch)}")
    assert " ".join(session.events[:first]).replace("store ", "").replace("rejected ", "") == text(batch)
    assert "store rejected x" in session.events[:first]
    assert session.events[first + 1 :] == [
        *["store rejected x", "acknowledge x"],
        *["store a", "acknowledge a", "disconnect"],
    ]
    assert [line for line in log_lines if line.startswith("ERROR")] == [log_lines[0]]
    assert log_lines[0].startswith("ERROR: storing a message failed\n")
    assert "OverflowError: too large" in log_lines[0]


def test_what_can_neither_be_stored_nor_rejected_is_never_acknowledged() -> None:
    session = FakeSession([A, X])
    with pytest.raises(NotStored):
        Ingest(session, FailingWriter(session, broken=True)).run()
    assert session.events == ["store a", "disconnect"]


def test_a_task_that_fails_is_dropped_and_readings_are_taken_in(log_lines: list[str]) -> None:
    session = FakeSession([A], [B], [C])
    ingest = ingest_of(session)

    def fail() -> bool:
        session.events.append("task")
        raise ValueError("never expected")

    ingest.submit(fail)
    ingest.submit(fail)
    ingest.submit(tasks(session.events, "prune", 1))
    ingest.run()
    assert session.events == [
        *["store a", "acknowledge a", "task"],
        *["store b", "acknowledge b", "task"],
        *["store c", "acknowledge c", "prune 0 left"],
        *["disconnect"],
    ]
    [line] = log_lines
    assert line.startswith("ERROR: a piece of work on the database failed\nTraceback")
    assert "never expected" in line


def test_stopping_and_submitting_end_a_wait() -> None:
    session = FakeSession()
    ingest = ingest_of(session)
    ingest.submit(lambda: False)
    assert session.woken == 1
    ingest.stop()
    assert session.woken == 2


def test_a_task_runs_between_two_batches_piece_by_piece() -> None:
    session = FakeSession([A], [B], [C])
    ingest = ingest_of(session)
    ingest.submit(tasks(session.events, "prune", 2))
    ingest.run()
    assert session.events == [
        *["store a", "acknowledge a", "prune 1 left"],
        *["store b", "acknowledge b", "prune 0 left"],
        *["store c", "acknowledge c"],
        *["disconnect"],
    ]


def test_several_tasks_take_turns() -> None:
    session = FakeSession([], [], [], [])
    ingest = ingest_of(session)
    ingest.submit(tasks(session.events, "one", 2))
    ingest.submit(tasks(session.events, "two", 2))
    ingest.run()
    assert session.events[:4] == ["one 1 left", "two 1 left", "one 0 left", "two 0 left"]


def test_there_is_no_waiting_for_messages_while_a_task_is_due() -> None:
    session = FakeSession([A], [])
    ingest = ingest_of(session)
    ingest.submit(lambda: False)
    ingest.run()
    assert session.timeouts[0] == 0
    assert all(0 < timeout <= 5 for timeout in session.timeouts[1:])  # pings are due every few seconds


def test_a_task_that_the_database_refuses_is_dropped_until_its_job_is_due_again(log_lines: list[str]) -> None:
    session = FakeSession([A], [B])
    ingest = ingest_of(session)

    def refused() -> bool:
        session.events.append("task")
        raise StoreUnavailable("disk full")

    ingest.submit(refused)
    ingest.run()
    assert session.events.count("task") == 1
    assert "store b" in session.events
    assert log_lines == [
        "ERROR: the database cannot be written (disk full); holding what arrives, trying again",
        "INFO: the database can be written again; what was held is stored",
    ]


def test_a_long_outage_of_the_store_is_one_line_in_the_log_and_one_when_it_is_over(
    log_lines: list[str],
) -> None:
    session = FakeSession([A], [B])
    ingest_of(session, failures=50).run()
    assert log_lines == [
        "ERROR: the database cannot be written (database is locked); holding what arrives, trying again",
        "INFO: the database can be written again; what was held is stored",
    ]


def test_a_store_that_fails_again_within_a_minute_is_told_once(log_lines: list[str]) -> None:
    """Neither that it fails nor that it is over is told each time."""
    ingest = ingest_of(FakeSession())

    def fail() -> None:
        raise StoreUnavailable("disk full")

    for _ in range(3):
        assert not ingest.patience.attempt(fail)
        assert ingest.patience.attempt(lambda: None)
    assert [line.partition(":")[0] for line in log_lines] == ["ERROR", "INFO"]


def unconnected_session(tries: int) -> FakeSession:
    """Return a session whose broker answers only at the last of so many tries."""
    session = FakeSession()
    session.connected = session.subscribed = False

    def answer() -> bool:
        if session.events.count("connect") == tries:
            session.connected = session.subscribed = True
        return session.connected

    session.when_connecting = answer
    return session


def test_the_first_try_to_connect_is_made_at_once() -> None:
    session = unconnected_session(tries=1)
    ingest_of(session).run()
    assert session.events[0] == "connect"
    assert session.sleeps == []


def test_the_pause_between_two_tries_to_connect_doubles_up_to_thirty_seconds() -> None:
    """Each is shortened by a random part, so that a thousand clients do not come back at once."""
    session = unconnected_session(tries=9)
    ingest_of(session).run()
    longest = [1, 2, 4, 8, 16, 30, 30, 30]
    assert len(session.sleeps) == len(longest)
    assert all(most / 2 <= pause <= most for pause, most in zip(session.sleeps, longest, strict=True))
    assert session.sleeps[-3:] != [30, 30, 30]


def test_nothing_is_received_without_a_connection() -> None:
    session = unconnected_session(tries=3)
    session.batches = [[A]]
    ingest_of(session).run()
    assert session.events == ["connect"] * 3 + ["store a", "acknowledge a", "disconnect"]


def test_after_a_subscription_the_pauses_start_anew() -> None:
    session = unconnected_session(tries=4)
    ingest = ingest_of(session)

    def lose_the_connection() -> None:
        session.connected = session.subscribed = False
        session.when_connecting = lambda: False
        session.when_sleeping = ingest.stop

    session.when_empty = lose_the_connection
    ingest.run()
    assert len(session.sleeps) == 4
    assert session.sleeps[2] >= 2
    assert session.sleeps[3] <= 1


def test_a_connection_without_a_subscription_does_not_shorten_the_pauses() -> None:
    """A broker that accepts us and throws us out must not be called without end."""
    session = FakeSession()
    session.connected = session.subscribed = False
    ingest = ingest_of(session)

    def accept() -> bool:
        session.connected = True
        return True

    def throw_out() -> None:
        session.connected = False

    session.when_connecting = accept
    session.when_empty = throw_out
    session.when_sleeping = lambda: ingest.stop() if len(session.sleeps) == 6 else None
    ingest.run()
    assert session.sleeps[5] >= 15


def test_tasks_run_while_there_is_no_broker() -> None:
    session = unconnected_session(tries=4)
    ingest = ingest_of(session)
    ingest.submit(tasks(session.events, "prune", 2))
    ingest.run()
    assert session.events[:5] == ["connect", "prune 1 left", "connect", "prune 0 left", "connect"]


def test_a_stop_during_the_pause_makes_no_other_try_to_connect() -> None:
    session = unconnected_session(tries=100)
    ingest = ingest_of(session)
    session.when_sleeping = lambda: ingest.stop() if len(session.sleeps) == 2 else None
    ingest.run()
    assert session.events == ["connect", "connect", "disconnect"]


def test_a_loop_that_was_stopped_before_it_ran_connects_to_nothing() -> None:
    session = unconnected_session(tries=1)
    ingest = ingest_of(session)
    ingest.stop()
    ingest.run()
    assert session.events == ["disconnect"]


def test_what_is_held_can_be_seen_while_the_store_fails() -> None:
    session = FakeSession([A, B])
    ingest = ingest_of(session, failures=1)
    seen: list[int] = []
    session.when_sleeping = lambda: seen.append(ingest.held.count)
    assert ingest.last_commit is None
    ingest.run()
    assert seen == [2]
    assert ingest.held.count == 0
    assert ingest.last_commit is not None


def test_it_stores_unless_the_latest_try_has_failed() -> None:
    session = FakeSession([A], [B])
    ingest = ingest_of(session, failures=2)
    seen: list[tuple[bool, str | None]] = []

    def look() -> None:
        seen.append((ingest.stores, ingest.trouble))

    session.when_sleeping = look
    session.when_empty = lambda: (look(), ingest.stop())[0]  # type: ignore[func-returns-value]
    assert ingest.stores
    ingest.run()
    failed = (False, "the database cannot be written (database is locked)")
    assert seen == [failed, failed, (True, None)]


@pytest.mark.parametrize(("seconds", "stores"), [(0.0, True), (4.9, True), (5.1, False)])
def test_a_commit_that_takes_very_long_is_none(seconds: float, *, stores: bool) -> None:
    """It may hang in the kernel for as long as a disk does not answer."""
    clock = [1000.0]
    session = FakeSession([A])
    ingest = ingest_of(session, monotonic=lambda: clock[0])
    seen: list[tuple[bool, str | None]] = []

    def commit(batch: Batch) -> None:
        clock[0] += seconds
        seen.append((ingest.stores, ingest.trouble))

    ingest._writer.commit = commit  # type: ignore[method-assign]
    ingest.run()
    trouble = None if stores else "the database has not stored within 5 s what it was given"
    assert seen == [(stores, trouble)]
    clock[0] += 100
    assert ingest.stores


def test_a_damaged_database_is_told_with_what_to_do_and_nothing_is_acknowledged(log_lines: list[str]) -> None:
    session = FakeSession([A])
    ingest = ingest_of(session)

    def commit(batch: Batch) -> None:
        raise DamagedStore("DB_FILE=x is damaged: do this")

    ingest._writer.commit = commit  # type: ignore[method-assign]
    session.when_sleeping = lambda: ingest.stop() if len(session.sleeps) == 3 else None
    ingest.run()
    assert session.events == ["hold"] * 3 + ["disconnect"]
    assert ingest.trouble == "DB_FILE=x is damaged: do this"
    assert log_lines == [
        "ERROR: DB_FILE=x is damaged: do this; until then what arrives is neither stored nor acknowledged"
    ]


def test_a_database_that_is_gone_ends_the_loop_without_an_acknowledgement() -> None:
    session = FakeSession([A], [B])
    ingest = ingest_of(session)

    def commit(batch: Batch) -> None:
        raise DatabaseGone("DB_FILE=x was deleted")

    ingest._writer.commit = commit  # type: ignore[method-assign]
    with pytest.raises(DatabaseGone):
        ingest.run()
    assert session.events == ["disconnect"]


class RememberingWriter(FakeWriter):
    """Numbers what it stores, and always has something to forget."""

    def __init__(self, session: FakeSession, latest: int, failures: float = 0) -> None:
        super().__init__(session, failures)
        self.latest_delivery = latest
        self.remembers_deliveries = True

    def commit(self, batch: Batch) -> None:
        super().commit(batch)
        self.latest_delivery += 1


def test_after_the_loss_of_a_session_deliveries_are_forgotten_before_anything_else_is_received() -> None:
    """What comes with their packet ids from then on is new."""
    session = FakeSession([], [A])
    session.session_losses = 1
    ingest_of(session).run()
    assert session.events == ["forget all", "subscribe", "store a", "acknowledge a", "disconnect"]


LOST = (
    "WARNING: the broker has no session of ours, though it had one until 2023-11-14 22:13:20 +00:00: what "
    "was published since then is lost to us. Has another client used our CLIENT_ID, or has the broker lost "
    "its data? Or is one of them new?"
)


def test_the_very_first_session_is_no_loss(log_lines: list[str]) -> None:
    session = FakeSession([], [A])
    session.subscribed = False
    session.session_losses = 1
    ingest = ingest_of(session)
    ingest.run()
    assert (log_lines, ingest.session_lost_at, ingest.session_lost_since) == ([], None, None)


def test_a_session_that_an_earlier_run_had_and_the_broker_has_not_is_told(log_lines: list[str]) -> None:
    session = FakeSession([], [A])
    session.subscribed = False
    session.session_losses = 1
    ingest = Ingest(session, FakeWriter(session), present_until=1_700_000_000.0)
    session.when_empty = ingest.stop
    ingest.run()
    assert log_lines == [LOST]
    assert ingest.session_lost_since == 1_700_000_000.0
    assert ingest.session_lost_at is not None
    assert ingest.session_lost_at > 1_700_000_000.0


def test_a_session_that_this_run_had_and_the_broker_has_no_more_is_told(
    log_lines: list[str],
) -> None:
    """Also if nothing has been received by it. While there is none, the time does not go on."""
    now = iter([1_700_000_000.0, 1_700_000_050.0])
    session = FakeSession([])
    ingest = ingest_of(session, now=lambda: next(now))

    def lose_session() -> None:
        if session.subscribed:
            session.subscribed, session.session_losses = False, 1
        else:
            ingest.stop()

    session.when_empty = lose_session
    ingest.run()
    assert log_lines == [LOST]
    assert (ingest.session_lost_since, ingest.session_lost_at) == (1_700_000_000.0, 1_700_000_050.0)


def test_a_store_that_fails_to_forget_a_lost_session_is_tried_again_before_anything_is_received() -> None:
    session = FakeSession([], [A])
    session.session_losses = 1
    ingest_of(session, failures=2).run()
    assert session.events == [
        *["fail to forget all", "subscribe"],
        *["fail to forget all", "hold"],
        "forget all",
        *["store a", "acknowledge a"],
        "disconnect",
    ]
    assert session.sleeps == [0.05]


class CountingWriter(FakeWriter):
    """Counts what is unproven. A proof is of all that was stored when it was asked for."""

    def __init__(self, session: FakeSession, failures: float = 0) -> None:
        super().__init__(session, failures)
        self._asked = 0
        self._forgotten = True

    def commit(self, batch: Batch) -> None:
        super().commit(batch)
        self.unproven += len(self.sorted.split())
        self.new_messages += len(self.sorted.split())

    def await_proof(self) -> None:
        super().await_proof()
        self._asked = self.unproven

    def take_proof(self) -> None:
        super().take_proof()
        self.unproven -= self._asked
        self._forgotten = False

    def forget_deliveries(self) -> None:
        if not self._forgotten:
            self._write("forget", "fail to forget")
            self._forgotten = True


def prove_once_idle(session: FakeSession, ingest: Ingest) -> None:
    """Have the proof come when all is received; the time after that, stop."""

    def prove_then_stop() -> None:
        session.when_empty = ingest.stop
        session.proofs = 1

    session.when_empty = prove_then_stop


@pytest.mark.parametrize("failures_at_the_proof", [0, 2])
def test_an_idle_loop_asks_for_a_proof_and_has_the_database_forget_what_is_proven(
    failures_at_the_proof: int,
) -> None:
    session = FakeSession([A, B], [])
    session.one_is_held = True  # at such a broker the database forgets at once
    writer = CountingWriter(session)
    ingest = Ingest(session, writer)
    prove_once_idle(session, ingest)
    prove = session.when_empty

    def fail_and_prove() -> None:
        writer.failures = failures_at_the_proof
        session.when_empty = prove

    session.when_empty = fail_and_prove
    ingest.run()
    assert session.events == [
        *["store a b", "acknowledge a b"],
        *["request proof", "await proof"],
        "take proof",
        *["fail to forget", "hold"] * failures_at_the_proof,
        "forget",
        "disconnect",
    ]


@pytest.mark.parametrize(("seconds", "forgotten"), [(TIDY_AFTER - 1, False), (TIDY_AFTER, True)])
def test_what_is_proven_is_forgotten_with_the_next_message_unless_none_comes_for_long(
    seconds: float, forgotten: bool
) -> None:
    """A commit of its own would write as much again as the reading's."""
    session = FakeSession([A])
    clock = FakeClock(session)
    ingest = Ingest(session, CountingWriter(session), monotonic=clock.now)
    end = clock.now() + seconds - 1  # when the last wait begins, which takes a second

    def prove_once_asked() -> None:
        session.proofs = int("await proof" in session.events and "take proof" not in session.events)
        if clock.now() >= end:
            ingest.stop()

    session.when_empty = prove_once_asked
    ingest.run()
    assert "take proof" in session.events
    assert ("forget" in session.events) == forgotten


def test_a_proof_that_could_not_be_asked_for_is_not_awaited() -> None:
    session = FakeSession([A], [], [])
    answers = iter([False, True, False])
    session.request_proof = lambda: next(answers)  # type: ignore[method-assign]
    ingest = Ingest(session, CountingWriter(session))
    session.when_empty = ingest.stop
    ingest.run()
    assert session.events.count("await proof") == 1


def test_a_loop_with_nothing_unproven_asks_for_no_proof() -> None:
    session = FakeSession([], [A], [])
    ingest_of(session).run()
    assert "request proof" not in session.events


def busy(*batches: list[Message], worth_a_proof: int, most_unproven: int = 100) -> FakeSession:
    """Return what has come of a loop that received these batches."""
    session = FakeSession(*batches)
    ingest = Ingest(
        session, CountingWriter(session), worth_a_proof=worth_a_proof, most_unproven=most_unproven
    )
    session.when_empty = ingest.stop
    ingest.run()
    return session


@pytest.mark.parametrize(("worth_a_proof", "asked"), [(3, True), (4, False)])
def test_a_busy_loop_asks_for_a_proof_when_enough_is_unproven(worth_a_proof: int, asked: bool) -> None:
    session = busy([A, B], [C], [A], worth_a_proof=worth_a_proof)
    assert session.events[4] == ("request proof" if asked else "store a")


def test_a_busy_loop_has_the_database_forget_with_the_next_batch() -> None:
    """Not in a transaction of its own."""
    session = FakeSession([A, B], [C], [A])
    ingest = Ingest(session, CountingWriter(session), worth_a_proof=2)
    acknowledge = session.acknowledge

    def prove(batch: Sequence[Message]) -> None:
        acknowledge(batch)
        session.proofs = batch == [C]

    session.acknowledge = prove  # type: ignore[method-assign]
    session.when_empty = ingest.stop
    ingest.run()
    assert session.events[2:8] == [
        *["request proof", "await proof"],
        *["store c", "acknowledge c"],
        "take proof",
        "store a",
    ]


@pytest.mark.parametrize(("most_unproven", "renewed"), [(3, True), (4, False)])
def test_the_connection_is_renewed_when_too_much_is_unproven(most_unproven: int, renewed: bool) -> None:
    """Without a pause, and with nothing unproven on the new one."""
    session = busy([A, B], [C], [A], [], worth_a_proof=100, most_unproven=most_unproven)
    assert session.events[:4] == ["store a b", "acknowledge a b", "store c", "acknowledge c"]
    assert session.events[4:6] == (["leave", "connect"] if renewed else ["store a", "acknowledge a"])
    assert session.sleeps == []


def test_tasks_run_while_a_connection_is_being_left() -> None:
    session = FakeSession([A, B], [])
    session.farewells = 3
    ingest = Ingest(session, CountingWriter(session), most_unproven=2)
    session.when_empty = ingest.stop
    ingest.submit(tasks(session.events, "prune", 2))
    ingest.run()
    assert session.events[2:] == [
        *["leave", "prune 1 left", "leave", "prune 0 left", "leave"],
        *["connect", "disconnect"],
    ]


def test_a_stop_while_a_connection_is_being_left_makes_no_other() -> None:
    session = FakeSession([A, B], [])
    session.farewells = 1000
    ingest = Ingest(session, CountingWriter(session), most_unproven=2)

    def stop() -> bool:
        ingest.stop()
        return False

    ingest.submit(stop)
    ingest.run()
    assert session.events[2:] == ["leave", "disconnect"]


def test_a_renewal_without_progress_is_followed_by_pauses_that_double() -> None:
    """A broker that works off no acknowledgements sends the same again; it must not be called without end."""
    session = FakeSession(*[[A, B]] * 6, [])
    writer = CountingWriter(session)
    ingest = Ingest(session, writer, most_unproven=2)
    session.when_empty = ingest.stop
    commit = writer.commit

    def take_for_duplicates(batch: Batch) -> None:
        commit(batch)
        writer.new_messages = 2

    writer.commit = take_for_duplicates  # type: ignore[method-assign]
    ingest.run()
    assert session.events.count("leave") == 6
    longest = [1, 2, 4, 8]  # none after the first two: the first has brought something
    assert all(most / 2 <= pause <= most for pause, most in zip(session.sleeps, longest, strict=True))


def test_after_progress_a_renewal_has_no_pause_again() -> None:
    session = FakeSession(*[[A, B]] * 6, [])
    writer = CountingWriter(session)
    ingest = Ingest(session, writer, most_unproven=2)
    session.when_empty = ingest.stop
    commit = writer.commit

    def take_for_duplicates(batch: Batch) -> None:
        commit(batch)
        writer.new_messages = 2 if session.events.count("leave") < 3 else writer.new_messages

    writer.commit = take_for_duplicates  # type: ignore[method-assign]
    ingest.run()
    assert len(session.sleeps) == 1


@pytest.mark.parametrize("numbering", Numbering)
def test_what_the_broker_does_with_packet_ids_is_found_out_before_anything_is_received(
    numbering: Numbering, log_lines: list[str]
) -> None:
    session = unconnected_session(tries=1)
    answers = iter([None, numbering])
    ingest = Ingest(
        session, FakeWriter(session), find_out_numbering=lambda stopped: next(answers), now=time.time
    )
    session.when_empty = lambda: setattr(session, "connected", False)
    session.when_connecting = lambda: _connect(session, ingest)
    ingest.run()
    assert session.one_is_held == numbering.one_is_held
    told = [line for line in log_lines if "this broker" in line]
    assert told == ([f"INFO: {numbering.value}"] if numbering.value else [])


def _connect(session: FakeSession, ingest: Ingest) -> bool:
    """Connect; at the third time it is enough."""
    session.connected = session.subscribed = True
    if session.events.count("connect") == 3:
        ingest.stop()
    return True


def test_nobody_connects_whose_session_may_be_anothers() -> None:
    """Two clients with one id would throw each other out; it is asked again until it is known."""
    session = FakeSession()
    session.connected = False
    answers = [StoreUnavailable("no answer"), StoreUnavailable("no answer"), None]

    def check_right() -> None:
        if (answer := answers.pop(0)) is not None:
            assert "connect" not in session.events
            raise answer

    ingest = Ingest(session, FakeWriter(session), check_right=check_right)

    def give_up() -> bool:
        ingest.stop()
        return False

    session.when_connecting = give_up
    ingest.run()
    assert answers == []
    assert "connect" in session.events
    assert len(session.sleeps) == 2


def test_who_has_lost_the_session_to_another_ends() -> None:
    session = FakeSession()
    session.connected = False

    def check_right() -> None:
        raise TakenOver("slot 1 is another's")

    with pytest.raises(TakenOver):
        Ingest(session, FakeWriter(session), check_right=check_right).run()
    assert "connect" not in session.events


class WaitingWriter(FakeWriter):
    """Waits for a database that does not answer; what waits is told so ten times a second."""

    def __init__(self, session: FakeSession, clock: FakeClock, looks: int) -> None:
        super().__init__(session)
        self._clock = clock
        self._looks = looks
        self.look: Callable[[], None] = lambda: None

    def commit(self, batch: Batch) -> None:
        looks, self._looks = self._looks, 0
        for _ in range(looks):
            self._clock.wait(0.1)
            self.look()
        super().commit(batch)


def waiting(session: FakeSession, looks: int) -> Ingest:
    """Return an ingest loop whose first commit takes `looks` tenths of a second."""
    clock = FakeClock(session)
    writer = WaitingWriter(session, clock, looks)
    ingest = Ingest(session, writer, monotonic=clock.now)
    session.when_empty, writer.look = ingest.stop, ingest.patience.wait
    return ingest


def test_while_the_database_does_not_answer_the_connection_is_kept_up_and_nothing_acknowledged() -> None:
    session = FakeSession([A])
    waiting(session, looks=5).run()
    assert session.events == [*["hold"] * 5, "store a", "acknowledge a", "disconnect"]


@pytest.mark.parametrize(("looks", "told"), [(20, False), (22, True)])
def test_a_database_that_does_not_answer_for_long_is_told_once(
    log_lines: list[str], looks: int, told: bool
) -> None:
    waiting(FakeSession([A]), looks).run()
    errors = [line for line in log_lines if line.startswith("ERROR")]
    why = "it has not answered for 2 s"
    line = f"ERROR: the database cannot be written ({why}); holding what arrives, trying again"
    assert errors == told * [line]
    assert ("INFO: the database can be written again; what was held is stored" in log_lines) == told


def test_whoever_is_told_to_stop_waits_no_longer_for_the_database() -> None:
    """Then nothing is acknowledged, and the broker sends it again."""
    session = FakeSession([A])
    ingest = waiting(session, looks=100)
    holds: list[str] = []

    def hold() -> None:
        holds.append("hold")
        if len(holds) == 3:
            ingest.stop()

    session.hold = hold  # type: ignore[method-assign]
    ingest.run()
    assert len(holds) == 11
    assert session.events == ["disconnect"]


def test_messages_are_sorted_anew_when_another_member_has_begun_their_series() -> None:
    session = FakeSession([A])

    class Begun(FakeWriter):
        def commit(self, batch: Batch) -> None:
            if "sort a" in self.events:
                self.events.append("sort a again")
                super().commit(batch)
            else:
                self.events.append("sort a")
                raise SeriesBegun([])

    ingest = Ingest(session, Begun(session))
    session.when_empty = ingest.stop
    ingest.run()
    assert session.events == ["sort a", "sort a again", "store a", "acknowledge a", "disconnect"]
