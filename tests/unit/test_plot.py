import math
from collections.abc import Callable

import pytest

from scheduler_app.console.plot import Points, plot

NOW = 1_700_000_000.0


def drawn(points: Points, *, colored: bool = False, title: str = "kitchen") -> str:
    curves = [("readings", points), ("avg_5min", points)]
    return plot(curves, title=title, columns=100, lines=20, colored=colored)


def test_a_plot_has_its_title_labels_times_and_size() -> None:
    text = drawn([(NOW + second, math.sin(second / 20)) for second in range(101)])
    assert "\x1b" not in text
    lines = text.rstrip("\n").splitlines()
    assert len(lines) == 20
    assert max(map(len, lines)) <= 100
    assert lines[0].strip() == "kitchen"
    for word in ("readings", "avg_5min", "22:13:20", "22:15:00", "UTC"):
        assert word in text


def test_times_are_those_of_the_zone_that_is_named(in_zone: Callable[[str], None]) -> None:
    in_zone("Asia/Kolkata")
    text = drawn([(NOW, 1.0), (NOW + 100, 2.0)])
    assert "03:43:20" in text
    assert "UTC+05:30" in text


def test_more_than_a_day_has_its_dates() -> None:
    text = drawn([(NOW, 1.0), (NOW + 2 * 86400, 2.0)])
    assert "14 Nov 22:13" in text
    assert "16 Nov 22:13" in text


@pytest.mark.parametrize(
    "points",
    [
        [(NOW, 5.0)],
        [(NOW, 5.0), (NOW, 6.0)],
        [(NOW, 5.0), (NOW + 9, 5.0)],
        [(NOW, 0.0), (NOW + 1e-6, 1e-320)],
        [(NOW, 1.7e308), (NOW + 1, -1.7e308)],
    ],
)
def test_whatever_is_stored_can_be_drawn(points: Points) -> None:
    assert "readings" in drawn(points)


def test_colours_are_for_terminals() -> None:
    assert "\x1b[" in drawn([(NOW, 1.0), (NOW + 9, 5.0)], colored=True)


def test_a_single_peak_among_very_many_readings_is_seen() -> None:
    points = [(NOW + number, 1000.0 if number == 77_777 else 0.0) for number in range(100_000)]
    text = drawn(points)
    top = next(line for line in text.splitlines() if "1000" in line)
    assert any(character not in "1000.┤│ " for character in top)
