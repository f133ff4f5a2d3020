import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.quantities import DURATION_FORM, Window, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("10s", 10.0),
        ("1.5s", 1.5),
        ("5min", 300.0),
        ("1.5h", 5400.0),
        ("24h", 86400.0),
        ("7d", 604800.0),
        ("0s", 0.0),
        (" 10 s ", 10.0),
    ],
)
def test_a_duration_is_a_number_with_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-15)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        "s",
        "-1s",
        "+1s",
        "1e3s",
        "10 sec",
        "10S",
        "1,5s",
        ".5s",
        "1.s",
        "1_0s",
        "5min30s",
        "nans",
        "infs",
        "9999999999s",
    ],
)
def test_any_other_text_is_no_duration_and_the_error_says_what_is_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a number with a unit .*10s, 5min, 24h$") as caught:
        parse_duration(text)
    assert str(caught.value) == DURATION_FORM


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2100.0, "35min"),
        (86400.0, "1d"),
        (7200.0, "2h"),
        (90.0, "90s"),
        (10.0, "10s"),
        (0.25, "0.25s"),
        (0, "0s"),
    ],
)
def test_a_duration_is_shown_in_the_largest_unit_that_keeps_it_whole(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(1, 366 * 86_400_000))
def test_what_is_shown_is_read_back_as_the_same_duration(milliseconds: int) -> None:
    """To the millisecond: an error that rounds would say `30min` of a value just below it."""
    seconds = milliseconds / 1000
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("1min", Window("1min", 60.0)),
        (" 30min", Window("30min", 1800.0)),
        ("90 s", Window("90s", 90.0)),
        ("1s", Window("1s", 1.0)),
    ],
)
def test_a_window_is_named_as_the_user_wrote_it_without_spaces(text: str, window: Window) -> None:
    assert Window.parse(text) == window


@pytest.mark.parametrize("text", ["0s", "0.999s", "999ms", "366.1d", "367d", "1.0001s", "0.0000001d"])
def test_a_window_is_from_a_second_to_a_leap_year_in_whole_milliseconds(text: str) -> None:
    with pytest.raises(ValueError, match="must be a window from 1s to 366d, in whole milliseconds"):
        Window.parse(text)
