import json
from queue import Empty
from typing import Any

import pytest

from config.settings import load_settings
from scheduler_app.console import series_view
from scheduler_app.console.order import Order
from scheduler_app.console.series_table import SeriesTable
from scheduler_app.console.series_view import JsonLines, Rhythm, SeriesView, Tables
from scheduler_app.mqtt.message import Message
from scheduler_app.publishing.messages import parse_series
from tests.unit.messages import message
from tests.unit.series_messages import AT, content, payload

NEVER = float("inf")


class Inbox:
    """Hands out what has been put in at its time, and moves the clock instead of waiting."""

    def __init__(self, clock: "Clock") -> None:
        self.clock = clock
        self._messages: list[tuple[float, Message | type[Empty] | None]] = []

    def put(self, at: float, *messages: Message | type[Empty] | None) -> None:
        """Hand out messages at a time, None at the end, and Empty where somebody nudges."""
        self._messages += [(at, each) for each in messages]

    def get(self, timeout: float | None = None) -> Message | None:
        at, each = self._messages[0] if self._messages else (NEVER, None)
        if timeout is not None and at > self.clock.seconds + timeout:
            self.clock.seconds += timeout
            raise Empty
        self.clock.seconds = max(at, self.clock.seconds)
        del self._messages[0]
        if each is Empty:
            raise Empty
        return each  # type: ignore[return-value]


class Clock:
    """The two clocks, which go together here; one from 0, the other from AT."""

    seconds = 0.0

    def elapsed(self) -> float:
        return self.seconds

    def now(self) -> float:
        return AT + self.seconds


class Shown:
    """A display that notes when what was shown."""

    def __init__(self, clock: Clock, *, moves: bool = False) -> None:
        self.moves = moves
        self.ended = False
        self._clock = clock
        self.shows: list[tuple[float, list[str]]] = []

    def show(self, series_table: SeriesTable, now: float) -> None:
        self.shows.append((round(self._clock.seconds, 3), [row[0] for row in series_table.table(now).rows]))

    def react(self, series_table: SeriesTable) -> bool:
        return False


def published(series: str, *, retained: bool = False, **changes: Any) -> Message:
    return message(payload(series, **changes), f"STATS/{series}", retained=retained)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def inbox(clock: Clock) -> Inbox:
    return Inbox(clock)


def run(inbox: Inbox, display: Shown, **options: Any) -> list[tuple[float, list[str]]]:
    messages: Any = inbox
    clocks: dict[str, Any] = {"now": inbox.clock.now, "elapsed": inbox.clock.elapsed}
    SeriesView(load_settings(), messages, SeriesTable(Order("name")), display, **clocks, **options).run()
    return display.shows


def test_what_is_retained_is_waited_for(clock: Clock, inbox: Inbox) -> None:
    for number in range(5):
        inbox.put(1 + number * 0.4, published(f"{number}", retained=True))
    inbox.put(9, None)
    assert run(inbox, Shown(clock)) == [(3.1, ["0", "1", "2", "3", "4"])]


def test_a_tick_is_one_table(clock: Clock, inbox: Inbox) -> None:
    for tick in (10, 20):
        for number in range(3):
            inbox.put(tick + number * 0.1, published(f"{number}", at=AT + tick))
    inbox.put(30, None)
    assert [when for when, _ in run(inbox, Shown(clock))] == [10.5, 20.7]


def test_what_never_pauses_is_shown_every_two_seconds(clock: Clock, inbox: Inbox) -> None:
    for number in range(100):
        inbox.put(number * 0.1, published("a", at=AT + number))
    inbox.put(9.95, None)
    assert [when for when, _ in run(inbox, Shown(clock))] == [0.5, 2.6, 4.7, 6.8, 8.9]


def test_a_live_page_is_there_at_once_and_drawn_every_second(clock: Clock, inbox: Inbox) -> None:
    inbox.put(0.2, published("a", retained=True))
    inbox.put(3.5, None)
    assert run(inbox, Shown(clock, moves=True)) == [(0, []), (0.7, ["a"]), (1.7, ["a"]), (2.7, ["a"])]


def test_a_live_page_on_which_nothing_comes_is_drawn_all_the_same(clock: Clock, inbox: Inbox) -> None:
    """Why nothing comes is in the log, whose last line is on the page."""
    inbox.put(2.5, None)
    assert run(inbox, Shown(clock, moves=True)) == [(0, []), (1, []), (2, [])]
    inbox.put(9, None)
    assert run(inbox, Shown(clock)) == []


def test_once_ends_after_the_first_table(clock: Clock, inbox: Inbox) -> None:
    inbox.put(1, published("a", retained=True))
    assert run(inbox, Shown(clock), once=True) == [(1.5, ["a"])]


@pytest.mark.parametrize(
    ("states", "ended"), [(["online"], 1.5), (["offline"], 3.0), (["offline", "online"], 2.9), ([], 2.5)]
)
def test_once_tells_of_a_subscriber_that_is_gone(
    clock: Clock, inbox: Inbox, log_lines: list[str], states: list[str], ended: float
) -> None:
    """What it has left at the broker may be old. One that follows in a moment was away with the broker."""
    inbox.put(1, published("a", retained=True))
    for number, state in enumerate(states):
        inbox.put(1 + number * 1.9, message(state.encode(), "STATS/$state", retained=True))
    assert run(inbox, Shown(clock), once=True) == [(1.5, ["a"])]
    assert clock.seconds == pytest.approx(ended)
    line = "WARNING: the subscriber is offline: nothing newer is shown until it is back"
    assert log_lines == ([line] if states == ["offline"] else [])


def test_once_ends_too_if_a_subscriber_has_published_no_series(clock: Clock, inbox: Inbox) -> None:
    inbox.put(1, message(b"online", "STATS/$state", retained=True))
    assert run(inbox, Shown(clock), once=True) == []


def test_rubbish_is_one_warning_a_reason_and_changes_nothing(
    clock: Clock, inbox: Inbox, log_lines: list[str]
) -> None:
    inbox.put(1, published("a", retained=True))
    for number in range(1000):
        for wrong in (b"46", b"\xff", b"[" * 100_000, payload("b"), payload(f"\x1b{number}", at=1e308)):
            inbox.put(1.1, message(wrong, f"STATS/\x1b{number}", retained=True))
        inbox.put(1.1, message(f"hello {number}".encode(), "STATS/$state"))
    inbox.put(2, None)
    assert run(inbox, Shown(clock)) == [(1.5, ["a"])]
    assert log_lines == [
        "WARNING: a message on 'STATS/\\x1b0' is not shown: it is no JSON object with the name of the series",
        "WARNING: a message on 'STATS/\\x1b0' is not shown: it is not JSON",
        "WARNING: a message on 'STATS/\\x1b0' is not shown: it lacks a time or the value of the last reading",
        "WARNING: a message on 'STATS/$state' is not shown: it is neither online nor offline",
    ]


def test_no_more_series_are_kept_than_there_may_be(
    clock: Clock, inbox: Inbox, log_lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_SERIES", "3")
    inbox.put(1, *(published(f"{number}") for number in range(1000)))
    inbox.put(1.1, published("1", at=AT + 5), message(b"", "STATS/2"), published("999"))
    inbox.put(2, None)
    assert run(inbox, Shown(clock)) == [(1.5, ["0", "1", "999"])]
    assert log_lines == [
        (
            "WARNING: a message on 'STATS/3' is not shown: there are already 3 other series, as many as "
            "MAX_SERIES allows"
        )
    ]


def test_no_more_bytes_are_kept_than_there_may_be(
    clock: Clock, inbox: Inbox, log_lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(payload("1")) + 1
    monkeypatch.setattr(series_view, "_MOST_BYTES", 2 * size)
    inbox.put(1, *map(published, "123"), message(b"", "STATS/1"), published("4"), published("2", at=AT + 1))
    inbox.put(2, None)
    assert run(inbox, Shown(clock)) == [(1.5, ["2", "4"])]
    assert log_lines == [
        (
            "WARNING: a message on 'STATS/3' is not shown: all series together would take more than "
            f"{2 * size:,} bytes"
        )
    ]


def test_other_topics_are_no_series(clock: Clock, inbox: Inbox, log_lines: list[str]) -> None:
    inbox.put(1, published("a"), message(b"{}", "STATS"), message(b"{}", "STATS/$metrics"))
    inbox.put(1, message(b"offline", "STATS/$state"), message(b"offline", "STATS/$state"))
    inbox.put(4, None)
    assert run(inbox, Shown(clock)) == [(1.5, ["a"])]
    assert log_lines == ["WARNING: the subscriber is offline: nothing newer is shown until it is back"]


def test_a_cleared_series_is_gone(clock: Clock, inbox: Inbox) -> None:
    inbox.put(1, published("a"), published("b"))
    inbox.put(3, message(b"", "STATS/a"))
    inbox.put(5, None)
    assert run(inbox, Shown(clock)) == [(1.5, ["a", "b"]), (3.5, ["b"])]


def test_a_filter_is_one_of_mqtt(clock: Clock, inbox: Inbox) -> None:
    inbox.put(1, *map(published, ("a/x", "b/x", "$SYS/x")))
    inbox.put(3, None)
    assert run(inbox, Shown(clock), topic_filter="+/x") == [(1.5, ["a/x", "b/x"])]


def test_json_has_every_digit_and_only_what_has_changed(capsys: pytest.CaptureFixture[str]) -> None:
    series_table = SeriesTable(Order("name"))
    for series in "ba":
        series_table.put(parse_series(payload(series), series))
    display = JsonLines()
    display.show(series_table, AT)
    display.show(series_table, AT)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [content("a"), content("b")]


def test_a_table_has_its_numbers_in_line(capsys: pytest.CaptureFixture[str]) -> None:
    series_table = SeriesTable(Order("name"))
    for series in ("a", "long"):
        series_table.put(parse_series(payload(series), series))
    Tables("simple").show(series_table, AT)
    assert capsys.readouterr().out == (
        "series      last    age    count    avg_1min    avg_5min\n"
        "--------  ------  -----  -------  ----------  ----------\n"
        "a           21.5     5s        9       21.25        20.5\n"
        "long        21.5     5s        9       21.25        20.5\n"
    )


class Pressed(Shown):
    """A live display on which a key is pressed at each of some times; the last one is `q`."""

    def __init__(self, clock: Clock, *times: float) -> None:
        super().__init__(clock, moves=True)
        self._times = list(times)

    def react(self, series_table: SeriesTable) -> bool:
        if not self._times or self._clock.seconds < self._times[0]:
            return False
        del self._times[0]
        self.ended = not self._times
        return True


def test_a_key_is_answered_at_once_and_can_end_it_all(clock: Clock, inbox: Inbox) -> None:
    inbox.put(0.1, published("a", retained=True))
    inbox.put(1.1, Empty)
    inbox.put(1.2, Empty)
    assert [when for when, _ in run(inbox, Pressed(clock, 1.1, 1.2))] == [0, 0.6, 1.1, 1.2]


@pytest.mark.parametrize("moves", [False, True])
def test_nothing_is_due_before_something_has_come(moves: bool) -> None:
    assert Rhythm(moves=moves).due() == NEVER
