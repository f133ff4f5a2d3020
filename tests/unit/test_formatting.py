import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.formatting import age_text, number_text, sparkline, time_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (46.0, "46"),
        (46, "46"),
        (-0.0, "0"),
        (47.177777777, "47.1778"),
        (1234567.0, "1234567"),
        (1234567.25, "1.23457e+06"),
        (1e20, "1e+20"),
        (1e-7, "1e-07"),
    ],
)
def test_a_number_has_six_digits_and_a_whole_one_all(value: float | None, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0s"), (0.4, "0s"), (119.9, "120s"), (120, "2min"), (7199, "119min"), (7200, "2h"), (172800, "2d")],
)
def test_an_age_is_in_one_unit(seconds: float, text: str) -> None:
    assert age_text(seconds) == text


@pytest.mark.parametrize(
    ("time", "text"),
    [(1_700_000_000.9, "2023-11-14 22:13:20"), (None, "-"), (1e300, "1e+300"), (-1e12, "-1000000000000")],
)
def test_a_time_is_in_utc(time: float | None, text: str) -> None:
    assert time_text(time) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], ""),
        ([None], " "),
        ([5.0], "▅"),
        ([5.0, 5.0], "▅▅"),
        ([0.0, None, 7.0], "▁ █"),
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([-1e308, 0.0, 1e308], "▁▅█"),
    ],
)
def test_a_sparkline_reaches_from_the_lowest_to_the_highest(values: list[float | None], text: str) -> None:
    assert sparkline(values) == text


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False)))
def test_a_sparkline_has_a_character_for_each_value(values: list[float | None]) -> None:
    line = sparkline(values)
    assert len(line) == len(values)
    if any(value is not None for value in values):
        lowest = min(value for value in values if value is not None)
        highest = max(value for value in values if value is not None)
        if highest / 2 - lowest / 2 > 0 and not math.isclose(highest, lowest):
            assert {"▁", "█"} <= set(line)
