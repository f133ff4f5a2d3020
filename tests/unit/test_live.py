from typing import cast

import pytest

from scheduler_app.console.browsing import KEYS, Browsing
from scheduler_app.console.live import Live
from scheduler_app.console.order import Order
from scheduler_app.console.screen import Screen
from scheduler_app.console.series_table import SeriesTable
from scheduler_app.publishing.messages import parse_series
from tests.unit.series_messages import AT, payload


class FakeScreen:
    """A terminal of 8 lines, and what is drawn on it."""

    def __init__(self, columns: int = 80) -> None:
        self.size = (columns, 8)
        self.page: list[str] = []

    def draw(self, lines: list[str]) -> None:
        self.page = lines


def table_of(*names: str) -> SeriesTable:
    made = SeriesTable(Order("name"))
    for name in names:
        made.put(parse_series(payload(name), name))
    return made


ROOMS = [f"room{number}" for number in range(1000)]


class Page:
    """The live page of a thousand series, with 4 rows of them, and keys to press on it."""

    def __init__(self, *names: str, columns: int = 80) -> None:
        self.screen = FakeScreen(columns)
        self.log: list[str] = []
        self.table = table_of(*names or ROOMS)
        self.live = Live(cast("Screen", self.screen), "simple", "STATS/#", self.log)
        self.press()

    def press(self, *keys: str) -> list[str]:
        """Press keys, draw the page, and return the names of the rows."""
        for key in keys:
            self.live.keys.put(key)
        assert self.live.react(self.table) == bool(keys)
        self.live.show(self.table, AT)
        return [line.split()[0] for line in self.screen.page[4:]]


def test_an_empty_page_says_what_keys_there_are() -> None:
    screen = FakeScreen()
    Live(cast("Screen", screen), "simple", "STATS/#", []).show(table_of(), AT)
    assert screen.page == ["STATS/# at 2023-11-14 22:13:20 +00:00: 0 series", KEYS]


def test_a_line_of_the_log_that_is_all_there_is_to_see_is_shown_in_full() -> None:
    screen = FakeScreen(columns=30)
    line = "WARNING: nothing has come on STATS/# from the broker"
    live = Live(cast("Screen", screen), "simple", "STATS/#", [line])
    live.show(table_of(), AT)
    assert screen.page[2:] == ["WARNING: nothing has come on", "STATS/# from the broker"]
    live.show(table_of("a"), AT)
    assert screen.page[-1] == line


def test_a_page_holds_what_there_is_room_for_and_the_end_of_the_log() -> None:
    page = Page()
    page.log += ["one", "two\nTraceback"]
    assert page.press() == ["room0", "room1", "room2", "two"]
    assert len(page.screen.page) == 8
    assert page.screen.page[0] == "STATS/# at 2023-11-14 22:13:20 +00:00: 1-3 of 1,000 series by name"
    assert page.screen.page[4].endswith("▅")


@pytest.mark.parametrize(
    ("keys", "first"),
    [
        (["down"], 1),
        (["j", "j", "k"], 1),
        (["up"], 0),
        (["page down"], 4),
        ([" ", " ", "b"], 4),
        (["end"], 996),
        (["G", "down", "up"], 995),
        (["end", "home"], 0),
        (["G", "g"], 0),
        (["x", "page up"], 0),
    ],
)
def test_keys_scroll_and_never_past_an_end(keys: list[str], first: int) -> None:
    assert Page().press(*keys) == [f"room{first + number}" for number in range(4)]


def test_a_search_shows_the_names_with_that_text_while_it_is_typed() -> None:
    page = Page()
    assert page.press("/", "9", "9") == ["room99", "room199", "room299", "room399"]
    assert page.screen.page[0].endswith(": 1-4 of 19 (of 1,000) series by name")
    assert page.screen.page[1].startswith("search: 99_")
    assert page.press("backspace", "backspace", "O", "M", "1", "q", "backspace", "enter")[:2] == [
        "room1",
        "room10",
    ]
    assert page.screen.page[1].startswith("search: OM1   Esc: all series")
    assert page.press("end")[-1] == "room199"
    assert page.press("escape") == ["room0", "room1", "room2", "room3"]
    assert not page.live.ended


def test_what_no_name_contains_leaves_an_empty_page() -> None:
    page = Page()
    assert page.press("/", *"xyz", "enter") == []
    assert page.screen.page[0].endswith(": 0 (of 1,000) series")


def test_keys_sort_by_the_next_column_and_turn_the_order_around() -> None:
    page = Page()
    page.press("end")
    for key, order in (
        ("s", "last"),
        ("s", "age"),
        ("s", "count"),
        ("s", "1min"),
        ("S", "count"),
        ("r", "-count"),
    ):
        page.press(key)
        assert page.screen.page[0].endswith(f": 1-4 of 1,000 series by {order}"), key
    for _ in range(3):
        page.press("s")
    assert page.press() == ["room999", "room998", "room997", "room996"]


def test_q_ends() -> None:
    page = Page()
    page.press("q")
    assert page.live.ended


def test_the_picture_that_stays_has_no_words_on_keys() -> None:
    page = Page()
    page.log.append("a line")
    page.press()
    assert page.live.picture == [page.screen.page[0], *page.screen.page[2:7]]


def test_where_rows_have_gone_the_page_scrolls_back() -> None:
    page = Page()
    page.press("end")
    for name in ROOMS[2:]:
        page.table.clear(name)
    assert page.press() == ["room0", "room1"]


def test_names_are_cut_short_where_the_numbers_would_not_fit() -> None:
    name = "building/" + "very/" * 10 + "long"
    page = Page(name, columns=80)
    row = page.screen.page[4]
    assert len(row) <= 80
    assert row.startswith("building/ve…y/very/long ")
    assert row.endswith(" ▅")
    # a terminal that is narrower than the numbers shows the beginning of them
    assert Page(name, columns=30).press()[0] == "buildi…/long"


def test_a_key_that_is_typed_while_there_are_no_series_is_no_error() -> None:
    browsing = Browsing()
    for key in ("end", "page down", "s", "r", "/", "x", "enter", "escape", "up"):
        browsing.press(key, table_of())
    assert browsing.first == 0
