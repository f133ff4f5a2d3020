import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue

import pytest
from loguru import logger

from models.storage.errors import StoreUnavailable
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.outbox import Outbox
from models.storage.sqlite.schema import OUTBOX
from scheduler_app.mqtt.message import Puback
from scheduler_app.publishing import outbox_sender
from scheduler_app.publishing.outbox_sender import OutboxSender
from tests.unit.rows import locked, rows

ACCEPTED = Puback(accepted=True, reason="Success")
UNHEARD = Puback(accepted=True, reason="No matching subscribers")
REFUSED = Puback(accepted=False, reason="Quota exceeded")
WINDOW = outbox_sender._WINDOW


class FakeLink:
    """The broker's side: notes what is published, and lets the test answer it."""

    def __init__(self) -> None:
        self.number = 0
        self.up = True
        self.sent: list[str] = []
        self._answers: list[Callable[[Puback], object]] = []
        # After each reading that was published; the tests put in what happens then.
        self.when_published: Callable[[], object] = lambda: None

    def publish(
        self, topic: str, payload: str, *, when_acknowledged: Callable[[Puback], object], number: int
    ) -> bool:
        if not self.up or number != self.number:
            return False
        self.sent.append(f"{topic} {payload}")
        self._answers.append(when_acknowledged)
        self.when_published()
        return True

    def answer(self, place: int, puback: Puback = ACCEPTED) -> None:
        """Answer what was published at `place`."""
        self._answers[place](puback)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "outbox.db"
    prepare(path, OUTBOX)
    return path


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    outbox = Outbox(writing_database(path))
    yield outbox
    outbox.close()


@pytest.fixture
def link() -> FakeLink:
    return FakeLink()


@pytest.fixture
def sender(outbox: Outbox, link: FakeLink) -> OutboxSender:
    return OutboxSender(outbox, link, 0)


def connect(sender: OutboxSender, link: FakeLink) -> None:
    link.number += 1
    sender.on_connect()


def put(sender: OutboxSender, *payloads: object) -> None:
    for payload in payloads:
        sender.put("t", str(payload))


def run(sender: OutboxSender) -> None:
    """Run the sender here until the test stops it; one that nobody stops shall fail, not hang."""
    overdue = threading.Event()

    def give_up() -> None:
        overdue.set()
        sender.stop()

    watchdog = threading.Timer(20, give_up)
    watchdog.start()
    try:
        sender.run()
    finally:
        watchdog.cancel()
    assert not overdue.is_set(), "nothing has stopped the sender"


def in_outbox(path: Path) -> list[str]:
    return [payload for (payload,) in rows(path, "SELECT payload FROM outgoing ORDER BY id")]


@contextmanager
def at_an_error(action: Callable[[], object]) -> Iterator[None]:
    """Call `action` when an error is logged."""

    def on_error(line: str) -> None:
        action()

    handler = logger.add(on_error, level="ERROR")
    yield
    logger.remove(handler)


def test_a_reading_is_stored_before_it_is_published(sender: OutboxSender, link: FakeLink, path: Path) -> None:
    stored: list[list[str]] = []

    def look() -> None:
        stored.append(in_outbox(path))
        sender.stop()

    link.when_published = look
    connect(sender, link)
    put(sender, 1, 2)
    run(sender)
    assert stored == [["1", "2"]] * 2
    assert link.sent == ["t 1", "t 2"]


def test_a_reading_is_stored_without_a_connection_too(
    sender: OutboxSender, link: FakeLink, path: Path
) -> None:
    link.up = False
    put(sender, 1)
    sender.stop()
    run(sender)
    assert (link.sent, in_outbox(path), sender.waiting) == ([], ["1"], 1)


def test_a_reading_is_deleted_when_the_broker_has_taken_it(
    sender: OutboxSender, link: FakeLink, path: Path, log_lines: list[str]
) -> None:
    def take_the_second() -> None:
        if len(link.sent) == 2:
            link.answer(1)
            sender.stop()

    link.when_published = take_the_second
    connect(sender, link)
    put(sender, 1, 2)
    run(sender)
    assert (in_outbox(path), sender.waiting) == (["1"], 1)
    assert log_lines == []


def test_what_the_broker_refuses_stays_and_is_logged_once(
    sender: OutboxSender, link: FakeLink, path: Path, log_lines: list[str]
) -> None:
    def refuse() -> None:
        link.answer(-1, REFUSED)
        if len(link.sent) == 3:
            sender.stop()

    link.when_published = refuse
    connect(sender, link)
    put(sender, 1, 2, 3)
    run(sender)
    assert (in_outbox(path), sender.waiting) == (["1", "2", "3"], 3)
    assert link.sent == ["t 1", "t 2", "t 3"]  # not again at once
    assert log_lines == ["ERROR: the broker refuses a reading: Quota exceeded; it stays in the outbox"]


def test_what_the_broker_has_refused_is_sent_again_after_a_pause(
    sender: OutboxSender, link: FakeLink, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_sender, "_REFUSED_PAUSE", 0.0)

    def answer() -> None:
        if len(link.sent) == 2:
            link.answer(0, REFUSED)
        elif len(link.sent) == 3:
            link.answer(2)
            sender.stop()

    link.when_published = answer
    connect(sender, link)
    put(sender, 1, 2)
    run(sender)
    assert link.sent == ["t 1", "t 2", "t 1"]  # the second is still on its way
    assert in_outbox(path) == ["2"]


def test_what_was_not_answered_is_sent_in_order_on_a_new_connection(
    sender: OutboxSender, link: FakeLink, path: Path
) -> None:
    """What was answered a moment before too: the broker may have been killed before it saved it."""

    def lose_the_connection() -> None:
        if len(link.sent) == 3:
            link.answer(1)
            connect(sender, link)
            put(sender, 4)
        elif len(link.sent) == 6:
            sender.stop()

    link.when_published = lose_the_connection
    connect(sender, link)
    put(sender, 1, 2, 3)
    run(sender)
    assert link.sent == ["t 1", "t 2", "t 3", "t 1", "t 2", "t 3", "t 4"]
    assert in_outbox(path) == ["1", "2", "3", "4"]


def test_what_an_earlier_run_has_left_is_sent_first(outbox: Outbox, link: FakeLink, path: Path) -> None:
    outbox.add([("t", "1"), ("u", "2")])
    sender = OutboxSender(outbox, link, 2)
    put(sender, 3)
    connect(sender, link)

    def take() -> None:
        link.answer(-1)
        if len(link.sent) == 3:
            sender.stop()

    link.when_published = take
    run(sender)
    assert link.sent == ["t 1", "u 2", "t 3"]
    assert (in_outbox(path), sender.waiting) == ([], 0)


def test_nothing_is_published_before_the_new_connection_is_noted(
    sender: OutboxSender, link: FakeLink, path: Path
) -> None:
    """It would be sent again when it is."""

    def connect_anew() -> None:
        link.number += 1

    connect(sender, link)
    sender._notes.put(connect_anew)
    put(sender, 1)
    sender.stop()
    run(sender)
    assert (link.sent, in_outbox(path)) == ([], ["1"])


def test_what_could_not_be_published_is_sent_with_the_next_connection(
    sender: OutboxSender, link: FakeLink
) -> None:
    def lose_the_connection() -> None:
        if len(link.sent) == 1:
            link.up = False
            sender._notes.put(come_back)
        elif len(link.sent) == 4:
            sender.stop()

    def come_back() -> None:
        link.up = True
        connect(sender, link)

    link.when_published = lose_the_connection
    connect(sender, link)
    put(sender, 1, 2, 3)
    run(sender)
    assert link.sent == ["t 1", "t 1", "t 2", "t 3"]


def test_no_more_than_a_window_is_sent_without_answers(
    sender: OutboxSender, link: FakeLink, path: Path
) -> None:
    link.when_published = sender.stop
    connect(sender, link)
    put(sender, *range(250))
    run(sender)
    assert link.sent == [f"t {number}" for number in range(WINDOW)]
    assert len(in_outbox(path)) == 250


@pytest.mark.parametrize(
    "answered_at_once",
    [
        1,
        7,
        WINDOW,
    ],
)
def test_no_more_than_a_window_is_on_its_way_and_everything_is_sent_once(
    sender: OutboxSender, link: FakeLink, path: Path, answered_at_once: int
) -> None:
    answered, most, asleep = 0, 0, True

    def count() -> None:
        nonlocal most, asleep
        most = max(most, len(link.sent) - answered)
        if asleep and (len(link.sent) - answered >= WINDOW or len(link.sent) == 350):
            asleep = False
            sender._notes.put(answer_some)

    def answer_some() -> None:
        """Answer when the sender waits, as a broker does."""
        nonlocal answered, asleep
        asleep = True
        all_sent = len(link.sent) == 350
        until = len(link.sent) if all_sent else answered + answered_at_once
        for place in range(answered, until):
            link.answer(place)
        answered = until
        if all_sent:
            sender.stop()
        elif len(link.sent) - answered >= WINDOW:
            asleep = False
            sender._notes.put(answer_some)

    link.when_published = count
    connect(sender, link)
    put(sender, *range(350))
    run(sender)
    assert link.sent == [f"t {number}" for number in range(350)]
    assert (in_outbox(path), sender.waiting) == ([], 0)
    assert most == WINDOW


def test_answers_of_an_earlier_connection_are_ignored(
    sender: OutboxSender, link: FakeLink, path: Path, log_lines: list[str]
) -> None:
    def answer_late() -> None:
        if len(link.sent) == 2:
            connect(sender, link)
        elif len(link.sent) == 4:
            link.answer(0)
            link.answer(1, REFUSED)
            link.answer(3)
            sender.stop()

    link.when_published = answer_late
    connect(sender, link)
    put(sender, 1, 2)
    run(sender)
    assert link.sent == ["t 1", "t 2"] * 2
    assert (in_outbox(path), sender.waiting) == (["1"], 1)
    assert log_lines == []


def test_a_reading_that_nobody_has_subscribed_to_is_taken_with_one_warning(
    sender: OutboxSender, link: FakeLink, path: Path, log_lines: list[str]
) -> None:
    def answer() -> None:
        link.answer(-1, UNHEARD)
        if len(link.sent) == 3:
            sender.stop()

    link.when_published = answer
    connect(sender, link)
    put(sender, 1, 2, 3)
    run(sender)
    assert (in_outbox(path), sender.waiting) == ([], 0)
    assert log_lines == [
        "WARNING: the broker took a reading that nobody has subscribed to: is a subscriber running?"
    ]


def test_a_locked_outbox_is_tried_again_and_nothing_is_published_before(
    sender: OutboxSender,
    link: FakeLink,
    path: Path,
    log_lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox_sender, "_STORE_PAUSE", 0.0)
    sent_while_locked: list[str] = []
    link.when_published = sender.stop
    connect(sender, link)
    put(sender, 1, 2)
    with ExitStack() as lock:
        lock.enter_context(locked(path))

        def unlock() -> None:
            sent_while_locked.extend(link.sent)
            lock.close()

        with at_an_error(unlock):
            run(sender)
    assert sent_while_locked == []
    assert link.sent == ["t 1", "t 2"]
    assert (in_outbox(path), sender.waiting) == (["1", "2"], 2)
    assert log_lines == [
        "ERROR: the outbox cannot be written (database is locked); trying again",
        "INFO: the outbox can be written again; what was held is stored",
    ]


def test_what_was_acknowledged_while_the_outbox_is_locked_is_deleted_later_and_not_sent_again(
    sender: OutboxSender, link: FakeLink, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_sender, "_STORE_PAUSE", 0.0)
    monkeypatch.setattr(outbox_sender, "_SETTLING", 0.0)
    waiting_while_locked: list[int] = []
    connect(sender, link)
    put(sender, 1)
    with ExitStack() as lock:

        def acknowledge() -> None:
            link.answer(0)
            lock.enter_context(locked(path))

        def unlock() -> None:
            waiting_while_locked.append(sender.waiting)
            lock.close()
            sender.stop()

        link.when_published = acknowledge
        with at_an_error(unlock):
            run(sender)
    assert waiting_while_locked == [0]
    assert link.sent == ["t 1"]
    assert (in_outbox(path), sender.waiting) == ([], 0)


def test_what_could_not_be_stored_before_the_stop_is_told(
    sender: OutboxSender, path: Path, log_lines: list[str]
) -> None:
    put(sender, 1, 2)
    sender.stop()
    with locked(path):
        run(sender)
    assert in_outbox(path) == []
    assert log_lines[-1] == "ERROR: 2 readings could not be stored in the outbox and are lost"


def test_waiting_counts_what_no_broker_has_acknowledged(outbox: Outbox, link: FakeLink, path: Path) -> None:
    outbox.add([("t", "1"), ("t", "2")])
    sender = OutboxSender(outbox, link, 2)
    counts = [sender.waiting]

    def answer() -> None:
        counts.append(sender.waiting)
        if len(link.sent) == 4:
            link.answer(0)
            link.answer(1, REFUSED)
            link.answer(2)
            put(sender, 5)
        elif len(link.sent) == 5:
            link.answer(3)
            link.answer(4)
            sender.stop()

    link.when_published = answer
    put(sender, 3, 4)
    counts.append(sender.waiting)
    connect(sender, link)
    run(sender)
    assert link.sent == ["t 1", "t 2", "t 3", "t 4", "t 5"]
    assert counts == [2, 4, 4, 4, 4, 4, 3]
    assert (sender.waiting, in_outbox(path)) == (1, ["2"])


class Waits(SimpleQueue[Callable[[], None]]):
    """Notes of the sender that tell when it has nothing to do, and for how long it would wait then."""

    def __init__(self) -> None:
        # Seconds, or None for ever; the tests put in what happens then.
        self.when_idle: Callable[[float | None], object] = lambda timeout: None

    def get(self, block: bool = True, timeout: float | None = None) -> Callable[[], None]:
        if block and self.empty():
            self.when_idle(timeout)
        return super().get(block, timeout)


@pytest.fixture
def waits(sender: OutboxSender) -> Waits:
    sender._notes = Waits()
    return sender._notes


def failing(outbox: Outbox, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the next `times` attempts to write to the outbox fail."""
    add, left = outbox.add, times

    def add_at_last(readings: Sequence[tuple[str, str]]) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise StoreUnavailable("no space left")
        add(readings)

    monkeypatch.setattr(outbox, "add", add_at_last)


def test_an_acknowledged_reading_is_deleted_when_its_time_has_come_with_nothing_else_to_do(
    sender: OutboxSender, outbox: Outbox, link: FakeLink, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only with the next reading, or at the end."""
    monkeypatch.setattr(outbox_sender, "_SETTLING", 0.0)
    remove = outbox.remove

    def remove_and_stop(readings: Iterable[int]) -> None:
        remove(readings)
        sender.stop()

    monkeypatch.setattr(outbox, "remove", remove_and_stop)
    link.when_published = lambda: link.answer(0)
    connect(sender, link)
    put(sender, 1)
    run(sender)
    assert (in_outbox(path), sender.waiting) == ([], 0)


def test_a_reading_that_was_deleted_is_not_taken_back_with_the_next_connection(
    sender: OutboxSender, outbox: Outbox, link: FakeLink, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_sender, "_SETTLING", 0.0)
    removed: list[list[int]] = []
    remove = outbox.remove

    def remove_and_connect_anew(readings: Iterable[int]) -> None:
        removed.append(list(readings))
        remove(removed[-1])
        connect(sender, link)
        sender.stop()

    monkeypatch.setattr(outbox, "remove", remove_and_connect_anew)
    link.when_published = lambda: link.answer(0)
    connect(sender, link)
    put(sender, 1)
    run(sender)
    assert removed == [[1]]
    assert (link.sent, in_outbox(path), sender.waiting) == (["t 1"], [], 0)


def test_an_acknowledged_reading_is_kept_for_a_while(
    sender: OutboxSender, link: FakeLink, path: Path, waits: Waits
) -> None:
    """The broker may be killed before it has saved it."""
    kept: list[list[str]] = []

    def look(timeout: float | None) -> None:
        assert timeout is not None
        assert timeout <= outbox_sender._SETTLING
        kept.append(in_outbox(path))
        sender.stop()

    waits.when_idle = look
    link.when_published = lambda: link.answer(0)
    connect(sender, link)
    put(sender, 1)
    run(sender)
    assert kept == [["1"]]


def test_an_outbox_that_cannot_be_written_is_told_at_once_and_only_once_and_so_is_its_end(
    sender: OutboxSender,
    outbox: Outbox,
    link: FakeLink,
    log_lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox_sender, "_STORE_PAUSE", 0.0)
    failing(outbox, 3, monkeypatch)
    seen: list[bool] = []

    def look() -> None:
        seen.append(sender.stores)
        sender.stop()

    link.when_published = look
    connect(sender, link)
    put(sender, 1)
    assert sender.stores
    run(sender)
    assert link.sent == ["t 1"]
    assert seen == [False]  # until the whole round has worked
    assert sender.stores
    assert log_lines == [
        "ERROR: the outbox cannot be written (no space left); trying again",
        "INFO: the outbox can be written again; what was held is stored",
    ]


def test_an_outbox_that_could_always_be_written_is_nothing_to_tell(
    sender: OutboxSender, link: FakeLink, log_lines: list[str]
) -> None:
    link.when_published = sender.stop
    connect(sender, link)
    put(sender, 1)
    run(sender)
    assert log_lines == []


HOUR = 3600.0


def test_between_two_tries_to_write_the_sender_waits(
    sender: OutboxSender, outbox: Outbox, link: FakeLink, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a full disk would cost a whole core."""
    monkeypatch.setattr(outbox_sender, "_STORE_PAUSE", HOUR)
    failing(outbox, 1, monkeypatch)
    timeouts: list[float | None] = []

    def stop(timeout: float | None) -> None:
        timeouts.append(timeout)
        sender.stop()

    waits.when_idle = stop
    connect(sender, link)
    put(sender, 1)
    run(sender)
    [timeout] = timeouts
    assert timeout is not None
    assert HOUR / 2 < timeout <= HOUR


def test_what_is_refused_is_not_tried_again_before_its_pause_is_over(
    sender: OutboxSender, link: FakeLink, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_sender, "_REFUSED_PAUSE", HOUR)
    timeouts: list[float | None] = []

    def stop(timeout: float | None) -> None:
        timeouts.append(timeout)
        sender.stop()

    waits.when_idle = stop
    link.when_published = lambda: link.answer(0, REFUSED)
    connect(sender, link)
    put(sender, 1)
    run(sender)
    [timeout] = timeouts
    assert timeout is not None
    assert HOUR / 2 < timeout <= HOUR
    assert link.sent == ["t 1"]


def test_after_a_second_try_the_sender_waits_as_before(
    sender: OutboxSender, link: FakeLink, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_sender, "_REFUSED_PAUSE", 0.0)
    monkeypatch.setattr(outbox_sender, "_SETTLING", HOUR)
    timeouts: list[float | None] = []

    def stop(timeout: float | None) -> None:
        timeouts.append(timeout)
        sender.stop()

    waits.when_idle = stop
    link.when_published = lambda: link.answer(-1, REFUSED if len(link.sent) == 1 else ACCEPTED)
    connect(sender, link)
    put(sender, 1)
    run(sender)
    assert link.sent == ["t 1", "t 1"]
    [timeout] = timeouts
    assert timeout is not None
    assert timeout > HOUR / 2


def test_what_was_acknowledged_is_not_sent_again_with_what_was_refused(
    sender: OutboxSender, link: FakeLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays in the outbox for a while, as the other does."""
    monkeypatch.setattr(outbox_sender, "_REFUSED_PAUSE", 0.0)

    def answer() -> None:
        if len(link.sent) == 2:
            link.answer(0)
            link.answer(1, REFUSED)
        elif len(link.sent) == 3:
            sender.stop()

    link.when_published = answer
    connect(sender, link)
    put(sender, 1, 2)
    run(sender)
    assert link.sent == ["t 1", "t 2", "t 2"]


def test_what_was_refused_is_found_behind_a_window_of_others_that_are_on_their_way(
    sender: OutboxSender, link: FakeLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_sender, "_REFUSED_PAUSE", 0.0)
    last = WINDOW - 1

    def answer() -> None:
        if len(link.sent) == WINDOW:
            link.answer(last, REFUSED)
        elif len(link.sent) > WINDOW:
            sender.stop()

    link.when_published = answer
    connect(sender, link)
    put(sender, *range(WINDOW))
    run(sender)
    assert link.sent[WINDOW:] == [f"t {last}"]


def test_the_outbox_is_closed_at_the_end(
    sender: OutboxSender, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that SQLite writes its log back, and one file can be copied."""
    close, closed = outbox.close, []

    def note() -> None:
        closed.append(True)
        close()

    monkeypatch.setattr(outbox, "close", note)
    sender.stop()
    run(sender)
    assert closed
