import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.formatting import (
    age_text,
    counted_text,
    local_text,
    moment_text,
    number_text,
    rate_text,
    size_text,
    sparkline,
    time_text,
    zone_text,
)


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
    ("zone", "local", "offset", "name"),
    [
        ("UTC", "2023-11-14 22:13:20", "+00:00", "UTC"),
        ("Asia/Kolkata", "2023-11-15 03:43:20", "+05:30", "UTC+05:30"),
        ("America/Phoenix", "2023-11-14 15:13:20", "-07:00", "UTC-07:00"),
    ],
)
def test_a_local_time_is_in_the_zone_of_this_machine_which_is_named(
    in_zone: Callable[[str], None], zone: str, local: str, offset: str, name: str
) -> None:
    in_zone(zone)
    assert local_text(1_700_000_000.9) == local
    assert moment_text(1_700_000_000.9) == f"{local} {offset}"
    assert zone_text() == name


@pytest.mark.parametrize(("time", "text"), [(None, "-"), (1e300, "1e+300"), (-1e12, "-1000000000000")])
def test_what_no_calendar_has_stands_without_a_zone(time: float | None, text: str) -> None:
    assert local_text(time) == moment_text(time) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 messages"), (1, "1 message"), (2, "2 messages"), (12345, "12,345 messages")]
)
def test_things_are_counted(number: int, text: str) -> None:
    assert counted_text(number, "message") == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (12345.6, "12,346 a second"),
        (100, "100 a second"),
        (99.94, "99.9 a second"),
        (10, "10.0 a second"),
        (1, "1.00 a second"),
        (0.5, "30.0 a minute"),
        (1 / 60, "1.00 a minute"),
        (0.001, "3.60 an hour"),
        (0, "0.00 an hour"),
    ],
)
def test_a_rate_has_the_unit_in_which_it_is_at_least_one(rate: float, text: str) -> None:
    assert rate_text(rate) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (5_074_592, "5.07 MB"),
        (123_456_789, "123 MB"),
        (2e12, "2,000 GB"),
    ],
)
def test_a_size_has_its_unit(size: float, text: str) -> None:
    assert size_text(size) == text


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
