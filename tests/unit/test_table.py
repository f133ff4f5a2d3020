import pytest

from scheduler_app.console.table import (
    FORMATS,
    WIDEST_CELL,
    render,
    render_columns,
    render_pairs,
    render_table,
)

AVERAGES = {"avg_1min": 46, "avg_5min": 45.7, "avg_30min": 47.177777777777777}
EMPTY = {"avg_1min": None, "avg_5min": 5, "avg_30min": None}


def test_the_default_view_is_that_of_the_original() -> None:
    assert render(AVERAGES, "simple") == (
        "  avg_1min    avg_5min    avg_30min\n"
        "----------  ----------  -----------\n"
        "        46        45.7      47.1778"
    )


def test_an_empty_window_is_a_dash() -> None:
    assert render(EMPTY, "simple").splitlines()[2].split() == ["-", "5", "-"]


def test_another_format_is_that_of_tabulate() -> None:
    assert render(AVERAGES, "github").splitlines()[2].split() == ["|", "46", "|", "45.7", "|", "47.1778", "|"]


@pytest.mark.parametrize("table_format", FORMATS)
@pytest.mark.parametrize("averages", [AVERAGES, EMPTY])
def test_every_format_shows_all_windows(table_format: str, averages: dict[str, float | None]) -> None:
    text = render(averages, table_format)
    for name, value in averages.items():
        assert name in text or name.replace("_", "\\_") in text or name.replace("_", "\\\\_") in text
        shown = ["-"] if value is None else [f"{value:g}", str(value)]
        assert any(number in text for number in shown)


HOSTILE = "\x1b[2J\n\u202ea\u2029"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (render({HOSTILE: 1.0}, "simple"), 3),
        (render_table([[HOSTILE, 1]], [HOSTILE, "b"]), 3),
        (render_columns([[HOSTILE, "1"]], [HOSTILE, "b"], {1}, "simple"), 3),
        (render_pairs({HOSTILE: HOSTILE, "a": 1}), 2),
    ],
    ids=["averages", "table", "columns", "pairs"],
)
def test_no_text_in_a_table_gives_orders_to_a_terminal(text: str, lines: int) -> None:
    assert [line.isprintable() for line in text.split("\n")] == [True] * lines
    assert r"\x1b[2J\n\u202ea\u2029" in text


def test_a_text_is_as_wide_as_a_table_may_show_it() -> None:
    assert WIDEST_CELL == 80
    wide, too_wide = "w" * 80, f"{'b' * 40}{'x' * 1000}{'e' * 40}"
    for text in (
        render({wide: 1.0, too_wide: 2.0}, "simple"),
        render_table([[wide, too_wide]], ["a", "b"]),
        render_columns([["1", "2"]], [wide, too_wide], {1}, "github"),
        render_pairs({wide: too_wide}),
    ):
        assert wide in text
        assert f"{'b' * 40}…{'e' * 39}" in text
        assert max(map(len, text.splitlines())) < 200


@pytest.mark.parametrize("hostile", ["\x1b" * 1024, "🌡" * 1024])
def test_one_long_name_does_not_widen_every_row(hostile: str) -> None:
    names = [hostile, *(f"home/{number}" for number in range(100))]
    lines = render_columns([[name, "1"] for name in names], ["series", "count"], {1}, "simple").splitlines()
    assert max(map(len, lines)) < WIDEST_CELL + 20
