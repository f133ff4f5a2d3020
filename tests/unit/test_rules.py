"""What a stream says about how its statistics are computed: values that hold, counters, directions."""

import math
from collections.abc import Sequence

import pytest

from models.statistics.all_series import AllSeries, Layout
from models.statistics.grid import Grid
from models.statistics.plan import Plan
from models.statistics.results import results
from models.statistics.rules import Rules
from models.statistics.tick import WindowAverage
from tests.unit.one_window import ALL, NOW, REACH, Known, taken
from tests.unit.rolling import fail


def test_the_value_at_the_beginning_of_a_window_is_that_of_the_reading_before_it() -> None:
    assert taken([(-50, 100), (-10, 0)], 30)["time_weighted_avg"] == pytest.approx(200 / 3)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0)])
def test_the_reading_before_a_window_may_come_late(order: Sequence[int]) -> None:
    readings = [(-70, 5000), (-50, 100), (-10, 0)]
    found = taken([readings[place] for place in order], 30)
    assert found["time_weighted_avg"] == pytest.approx(200 / 3)


def test_a_window_that_nothing_is_known_before_begins_with_its_first_reading() -> None:
    assert taken([(-20, 100), (-10, 0)], 30)["time_weighted_avg"] == 50


@pytest.mark.parametrize(("before", "expected"), [(-REACH, 0.0), (math.nextafter(-REACH, 0), 200 / 3)])
def test_a_reading_that_may_be_deleted_by_now_is_known_no_more(before: float, expected: float) -> None:
    time = math.nextafter(NOW - REACH, NOW) - NOW if before != -REACH else before
    assert taken([(time, 100), (-10, 0)], 30)["time_weighted_avg"] == pytest.approx(expected)


def test_an_empty_window_has_nothing_without_hold() -> None:
    found = taken([(-6, 21.5)], 3)
    assert found.pop("count") == 0
    assert found.pop("coverage") == 1.0
    assert set(found.values()) == {None}
    assert "age" not in found


def test_a_held_value_is_what_an_empty_window_has_with_its_age() -> None:
    found = taken([(-60, 3), (-6, 21.5)], 3, rules=Rules(hold=3600.0, reach=REACH))
    held = {name: 21.5 for name in (*ALL, "p50") if name in found}
    nothing = dict.fromkeys(("sum", "range", "stddev", "rate"))
    assert found == {"count": 0, "coverage": 1.0, "age": 6.0} | held | nothing


def test_a_window_with_readings_has_theirs_and_no_age() -> None:
    found = taken([(-60, 3), (-2, 21.5)], 3, rules=Rules(hold=3600.0, reach=REACH))
    assert (found["count"], found["age"], found["avg"], found["min"]) == (1, None, 21.5, 21.5)
    assert found["time_weighted_avg"] == pytest.approx((3 * 1 + 21.5 * 2) / 3)


@pytest.mark.parametrize(("at", "age"), [(60.0, 60.0), (61.0, None)])
def test_a_value_holds_for_as_long_as_the_stream_says(at: float, age: float | None) -> None:
    found = taken([(0, 7)], 3, at=at, rules=Rules(hold=60.0, reach=REACH))
    assert found["age"] == age
    assert found["last"] == found["time_weighted_avg"] == (None if age is None else 7)


def test_time_in_which_no_value_holds_does_not_count() -> None:
    """Of the 60 seconds the value was 10 for five, then 30 for ten; then 50 for five and 0 for ten."""
    readings = [(-65, 10), (-50, 30), (-20, 50), (-15, 0)]
    found = taken(readings, 60, rules=Rules(hold=10.0, reach=REACH))
    assert found["time_weighted_avg"] == pytest.approx((10 * 5 + 30 * 10 + 50 * 5 + 0 * 10) / 30)


@pytest.mark.parametrize(("value", "hold"), [(5e-324, 0.5), (1.5e308, 60.0)])
def test_no_value_is_too_small_or_too_large_for_its_average_over_time(value: float, hold: float) -> None:
    """Its area may be no float: half a second of the smallest, and a minute of the largest."""
    assert taken([(-60, value)], 300, rules=Rules(hold=hold, reach=REACH))["time_weighted_avg"] == value


def test_readings_that_are_left_out_of_the_whole_have_their_own_statistics() -> None:
    grid = Grid([60_000])
    plans = {number: Plan([("1min", 60_000)], ["avg"], overall=number == 1) for number in (1, 2)}
    layout = Layout(grid, (("1min", 60_000),), 0, lambda number: (Known(), plans[number]))
    everything = AllSeries(layout, grid.last_slot(NOW))
    for number, value in ((1, 20.0), (2, 900.0)):
        series = everything.find(number)
        assert series is not None
        everything.add(series, [NOW - 30], [value])  # late
        everything.add(series, [NOW + 5], [value + 1.0])
    everything.enter()
    assert everything.overall.averages() == (WindowAverage("1min", 20.0, 1),)
    everything.move(everything.slot + 1)
    assert everything.overall.averages() == (WindowAverage("1min", 20.5, 2),)
    at = everything.grid.edge(everything.slot)
    _, result = results(everything.by_id.values(), at, fail)
    assert result.windows()["1min"]["avg"] == 900.5


def rate(values: Sequence[float], rules: Rules | None = None, window: float = 60.0) -> float | None:
    """Return the rate of a counter that is read every 10 seconds, the last time at NOW."""
    readings = [(10.0 * (place + 1 - len(values)), value) for place, value in enumerate(values)]
    found = taken(readings, window, rules=rules)["rate"]
    assert taken(readings[::-1], window, rules=rules)["rate"] == found
    return found


def test_a_small_dip_of_a_counter_is_no_reset() -> None:
    assert rate([100.00, 100.02, 100.01, 100.03]) == pytest.approx(0.001)


def test_one_zero_in_the_total_of_a_meter_is_no_reset() -> None:
    assert rate([13423.7, 0, 13423.8]) == pytest.approx(0.005)


def test_a_zero_is_no_reset_either_when_the_reading_before_it_has_left_the_window() -> None:
    """Or the whole total would be its increase for the moment in which the window begins with the zero."""
    values = [13423.7, 0, 13423.8, 13423.9]
    assert rate(values, window=30.0) == pytest.approx(0.1 / 10)
    assert rate(values[1:], window=30.0) == pytest.approx(13423.9 / 20)  # here nothing shows it


def test_a_counter_that_began_again_goes_on_from_0() -> None:
    assert rate([20, 26, 4, 12]) == pytest.approx((6 + 4 + 8) / 30)
    assert rate([20, 26, 0, 0, 5]) == pytest.approx((6 + 0 + 0 + 5) / 40)


def test_a_reset_at_the_end_or_the_beginning_of_a_window_is_none_of_the_readings_before() -> None:
    assert rate([20, 26, 4]) == pytest.approx((6 + 4) / 20)
    assert rate([26, 4, 12, 14], window=30.0) == pytest.approx(10 / 20)


@pytest.mark.parametrize(
    ("values", "share", "increase"),
    [
        ([100, 90, 91], 0.9, -9),  # no drop
        ([100, 89.9, 89.99], 0.9, 89.99),  # a drop that stays: a reset
        ([100, 89.9, 90], 0.9, -10),  # the old level again: an outlier
        ([100, 49.9, 49.95], 0.5, 49.95),
        ([100, 50, 49.95], 0.5, -50.05),
        ([100, 99.99, 99.991], 1.0, 99.991),
        ([100, 99.99, 100], 1.0, 0),
        ([100, 0, 1], 0.0, -99),  # never
        ([5, -3, -4], 0.9, -4),
        ([5, -3, -4], 0.0, -9),
        ([-5, -6, -5.5], 0.9, -0.5),  # below 0 there is nothing to begin again from
    ],
)
def test_the_stream_says_how_low_a_reading_is_that_is_a_reset(
    values: list[float], share: float, increase: float
) -> None:
    assert rate(values, Rules(reset_below=share, reach=REACH)) == pytest.approx(increase / 20)


def test_a_rate_is_by_the_unit_of_time_that_the_stream_names() -> None:
    rules = Rules(per=3600.0, reach=REACH)
    found = taken([(-60, 13423.70), (0, 13423.75)], 90, rules=rules)
    assert found["rate"] == pytest.approx(3.0)
    assert rate([0.0, 0.05 / 6], rules) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("first", "last", "seconds", "per", "expected"),
    [
        (-1.7e308, 1.7e308, 10.0, 1.0, 3.4e307),
        (0.0, 1.7e308, 10.0, 5.0, 8.5e307),
        (0.0, 1.7e308, 10.0, 15.0, None),
        (0.0, 5e-324, 10.0, 1.0, 0.0),
        (0.0, 5e-324, 0.0078125, 0.125, 8e-323),
    ],
)
def test_a_rate_is_there_also_where_its_increase_is_no_float(
    first: float, last: float, seconds: float, per: float, expected: float | None
) -> None:
    """It is null only if it is none itself, and 0 only if it is smaller than the smallest."""
    found = taken([(-20, first), (seconds - 20, last)], 60, rules=Rules(per=per, reach=REACH))
    assert found["rate"] == expected


def circular(*degrees: float) -> float | None:
    return taken([(place - 20.0, value) for place, value in enumerate(degrees)], 60)["circular_avg"]


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [
        ((355, 5, 15), 5.0),
        ((350, 10), 0.0),
        ((355, 5), 0.0),
        ((90,), 90.0),
        ((360,), 0.0),
        ((-90, -90), 270.0),
        ((-1e-17,), 0.0),
        ((720 + 10, 20), 15.0),
        ((180, 200), 190.0),
    ],
)
def test_directions_have_the_average_of_their_arrows(degrees: Sequence[float], expected: float) -> None:
    found = circular(*degrees)
    assert found is not None
    assert 0 <= found < 360
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_direction_is_as_exact_after_many_turns() -> None:
    assert circular(360 * 1e13 + 90) == 90.0
    assert circular(-360 * 1e13 + 90, 90) == 90.0


@pytest.mark.parametrize("degrees", [(0, 180), (90, 270), (0, 120, 240), (10, 190, 100, 280), (-30, 150)])
def test_directions_that_cancel_out_have_no_average(degrees: Sequence[float]) -> None:
    assert circular(*degrees) is None


def test_it_is_rounding_that_cancels_out_and_nothing_larger() -> None:
    """The mean of two arrows that are x degrees from opposite has the length sin(x / 2)."""
    edge = 2 * math.degrees(1e-9)
    assert circular(0, 180 + 0.999 * edge) is None
    found = circular(0, 180 + 1.001 * edge)
    assert found == pytest.approx(270, abs=1e-3)


def test_a_direction_that_is_held_is_from_0_to_below_360() -> None:
    found = taken([(-6, -90)], 3, rules=Rules(hold=60.0, reach=REACH))
    assert (found["circular_avg"], found["last"]) == (270.0, -90)
