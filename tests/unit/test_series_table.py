from typing import Any

import pytest

from scheduler_app.console.order import Order
from scheduler_app.console.series_table import SeriesTable
from scheduler_app.publishing.records import SeriesMessage
from tests.unit.series_messages import AT


def message(series: str, avg: float | None = 1.0, **changes: Any) -> SeriesMessage:
    statistics: dict[str, float | int | None] = {"count": 3, "coverage": 1.0, "avg": avg}
    return SeriesMessage(series, AT, 1, 2.0, AT - 5, {"1min": statistics})._replace(**changes)


def series_table(*messages: SeriesMessage, order: str = "name", descending: bool = False) -> SeriesTable:
    made = SeriesTable(Order(order, descending))
    for each in messages:
        made.put(each)
    return made


def names(made: SeriesTable) -> list[str]:
    return [row[0] for row in made.table(AT).rows]


def test_a_row_tells_name_last_age_count_and_a_value_of_each_window() -> None:
    windows = {"5min": {"count": 9, "avg": None}, "1min": {"count": 2, "avg": 1.5}}
    table = series_table(message("a", windows=windows)).table(AT + 1)
    assert table.headings == ["series", "last", "age", "count", "avg_1min", "avg_5min"]
    assert table.rows == [["a", "2", "6s", "9", "1.5", "-"]]
    assert table.right == {1, 2, 3, 4, 5}


def test_where_the_statistics_differ_each_cell_tells_which() -> None:
    table = series_table(
        message("a", windows={"1min": {"count": 1, "avg": 1.5}, "1h": {"count": 1, "max": 7}}),
        message("b", windows={"1min": {"count": 1, "max": 9.0, "min": 1.0}}),
    ).table(AT)
    assert table.headings[4:] == ["1min", "max_1h"]
    assert [row[4:] for row in table.rows] == [["avg 1.5", "7"], ["max 9", ""]]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("name", "abc"),
        ("last", "bca"),
        ("age", "cab"),
        ("count", "cba"),
        ("1min", "acb"),
        ("7min", "abc"),
    ],
)
def test_rows_are_sorted_and_what_has_no_value_is_last(order: str, expected: str) -> None:
    messages = (
        message("c", 5, last=6, last_time=AT, windows={"1min": {"count": 1, "avg": 5}}),
        message("a", 4, last=7, last_time=AT - 1, windows={"1min": {"count": 3, "avg": 4}}),
        message("b", None, last=5, last_time=AT - 2, windows={"1min": {"count": 2, "avg": None}}),
    )
    assert "".join(names(series_table(*messages, order=order))) == expected
    backwards = "".join(names(series_table(*messages, order=order, descending=True)))
    assert backwards == {"1min": "cab", "7min": "abc"}.get(order, expected[::-1])


def test_the_newest_message_counts_and_a_cleared_series_is_gone() -> None:
    made = series_table(message("a"), message("b"), message("a", last=9.0))
    made.clear("b")
    made.clear("never there")
    assert [row[:2] for row in made.table(AT).rows] == [["a", "9"]]


def test_changes_are_told_once() -> None:
    made = series_table(message("b"), message("a"))
    assert [each.series for each in made.changed(AT)] == ["a", "b"]
    made.put(message("b"))  # as it was
    assert list(made.changed(AT)) == []
    made.put(message("b", last=9.0))
    assert [each.last for each in made.changed(AT)] == [9.0]


def test_a_trend_follows_the_column_that_is_sorted_by_or_the_shortest_window() -> None:
    def windows(short: float, long: float) -> dict[str, Any]:
        return {"5min": {"count": 1, "avg": long}, "1min": {"count": 1, "avg": short}}

    values = [(1, 3), (2, 2), (3, 1)]
    for order, trend in (("name", "▁▅█"), ("5min", "█▅▁")):
        made = series_table(*(message("a", windows=windows(*pair)) for pair in values), order=order)
        table = made.table(AT, trends=True)
        assert (table.headings[-1], table.rows[0][-1]) == ("trend", trend)


def test_numbers_in_names_are_sorted_as_numbers_also_where_values_are_equal() -> None:
    made = series_table(*map(message, ("r10", "r9", "r1")))
    assert names(made) == ["r1", "r9", "r10"]
    made.put(message("r2"))
    made.clear("r9")
    assert names(made) == ["r1", "r2", "r10"]
    made.sort_by(Order("last"))
    assert names(made) == ["r1", "r2", "r10"]


def test_rows_from_any_on_and_only_of_names_with_a_text() -> None:
    made = series_table(*map(message, ("Kitchen/a", "kitchen/b", "hall", "kitchen/c")))
    table = made.table(AT, 2, first=1, containing="KITCHEN")
    assert [row[0] for row in table.rows] == ["kitchen/b", "kitchen/c"]
    assert made.count("KITCHEN") == 3
    assert made.count("") == 4


def test_a_sparkline_begins_again_when_it_is_of_another_window() -> None:
    def windows(short: float, long: float) -> dict[str, Any]:
        return {"5min": {"count": 1, "avg": long}, "1min": {"count": 1, "avg": short}}

    made = series_table(*(message("a", windows=windows(*pair)) for pair in [(1, 3), (2, 2), (3, 1)]))
    made.sort_by(Order("age"))
    assert made.table(AT, trends=True).rows[0][-1] == "▁▅█"
    made.sort_by(Order("5min"))
    assert made.table(AT, trends=True).rows[0][-1] == "▅"
    made.put(message("a", windows=windows(0, 9)))
    assert made.table(AT, trends=True).rows[0][-1] == "▁█"


def test_the_first_rows_are_returned_and_no_name_reaches_the_terminal_as_it_is() -> None:
    made = series_table(*(message(f"{number:05}\x1b[2J") for number in range(10_000)))
    assert [row[0] for row in made.table(AT, 2).rows] == ["00000\\x1b[2J", "00001\\x1b[2J"]
    assert len(made) == 10_000
