import math
from fractions import Fraction
from itertools import accumulate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.statistics.accumulators import percentile
from models.statistics.registry import NAMES
from models.statistics.rules import Rules
from scheduler_app.checks.recomputation import (
    EXACT,
    Given,
    Result,
    UnknownStatistic,
    difference,
    is_off,
    recompute,
    recompute_age,
)
from tests.support.reference import Stream, age, agrees, reference
from tests.unit.one_window import ALL, NOW, REACH, taken

STATISTICS = (*NAMES, "p5")
VALUES = st.lists(
    st.floats(-1e6, 1e6) | st.integers(-5, 5).map(float) | st.sampled_from([100.0, 95.0]), max_size=30
)
STREAMS = st.builds(
    Stream,
    hold=st.none() | st.sampled_from([0.25, 1.0, 100.0]),
    reset_below=st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    per=st.sampled_from([0.125, 1.0, 3600.0]),
)


@given(
    values=VALUES,
    gaps=st.lists(st.integers(0, 3), min_size=30, max_size=30),
    ahead=st.sampled_from([0.0, 0.5, 60.0]),
    outside=st.integers(0, 2),
    stream=STREAMS,
)
@pytest.mark.parametrize("name", STATISTICS)
def test_each_is_what_numpy_and_the_statistics_module_say(
    name: str, *, values: list[float], gaps: list[int], ahead: float, outside: int, stream: Stream
) -> None:
    times = [1_700_000_000 + gap / 4 for gap in accumulate(gaps)][: len(values)]
    readings = list(zip(times, values, strict=True))
    known, inside = readings[:outside], readings[outside:]
    begin = known[-1][0] if known else 1_699_999_999.0
    before = known[-1] if known else None
    at = (times[-1] if times else 0.0) + ahead
    window = Given(at, [time for time, _ in inside], [value for _, value in inside], begin, before, *stream)
    result = recompute(name, window)
    scale = max(map(abs, values), default=0.0)
    expected = reference(name, at, inside, begin=begin, before=before, stream=stream)
    if name == "stddev" and result.value is not None and expected is not None:
        assert math.isclose(result.value, expected, rel_tol=1e-12)
    else:
        assert agrees(name, result.value, expected, max(scale, result.scale))
    if stream.hold is not None:
        assert recompute_age(window).value == age(at, inside, before, stream.hold)


def plain(times: list[float], values: list[float]) -> Given:
    return Given(1.0, times, values)


def test_the_average_of_what_has_no_sum_is_there() -> None:
    window = plain([0.0, 0.0], [1.5e308, 1.5e308])
    assert recompute("avg", window) == Result(1.5e308)
    assert recompute("sum", window) == Result(None)
    assert recompute("range", plain([0.0, 0.0], [1.5e308, -1.5e308])) == Result(None)


@pytest.mark.parametrize("value", [5e-324, 1e-250, 1e-249, 1e249, 1e250, 1.5e308])
def test_an_average_over_time_is_there_whatever_the_size_of_the_values(value: float) -> None:
    window = Given(4.0, [1.0, 3.5], [value, 0.0], hold=0.5)
    result = recompute("time_weighted_avg", window)
    assert result.value == value / 2
    window = Given(4.0, [1.0, 3.5], [value, value], hold=0.5)
    assert difference("time_weighted_avg", value, recompute("time_weighted_avg", window)) == 0.0


@pytest.mark.parametrize("name", ["", "p", "pp", "p1.2.3", "mean", "__class__", "p-5", "p1e5"])
def test_other_names_are_no_statistics(name: str) -> None:
    with pytest.raises(UnknownStatistic):
        recompute(name, plain([0.0], [1.0]))


@pytest.mark.parametrize(
    ("name", "published", "result", "expected"),
    [
        ("avg", 1.0, Result(1.0), 0.0),
        ("avg", 46, Result(46.0), 0.0),
        ("avg", None, Result(None), 0.0),
        ("avg", None, Result(1.0), math.inf),
        ("stddev", 1.0, Result(None), math.inf),
        ("p95", 1.5, Result(1.0), 0.5),
        ("p95", 0.0, Result(-1e-18, scale=1.0), 1e-18),
        ("count", 1, Result(0), math.inf),
        ("circular_avg", 359.5, Result(0.5), 2.0),
        ("circular_avg", 0.5, Result(359.5, scale=400.0), 1 / 400),
        ("circular_avg", 360.0, Result(0.0), math.inf),
        ("circular_avg", -1.0, Result(359.0), math.inf),
    ],
)
def test_a_difference_is_relative_to_the_size(
    name: str, published: float | None, result: Result, expected: float
) -> None:
    assert difference(name, published, result) == expected


def test_exact_ones_must_be_right_to_the_last_bit() -> None:
    off_by_one_bit = difference("avg", math.nextafter(0.1, 1), Result(0.1))
    assert 0 < off_by_one_bit < 1e-15
    for name in STATISTICS:
        assert is_off(name, off_by_one_bit) == (name in EXACT)
        assert is_off(name, 1.1e-12)
        assert not is_off(name, 0.0)


EXTREME = st.sampled_from(
    [5e-324, -5e-324, 1e-323, 2.5e-308, 1e249, -1e250, 8e307, 1.7e308, -1.7e308, 0.0, 0.1, 1e9]
)


@given(
    st.lists(st.tuples(st.integers(-200, 0), EXTREME), min_size=1, max_size=9),
    st.sampled_from([5, 30, 60]),
    STREAMS,
)
@example([(-10, -1.7e308), (-5, 8e307)], 60, Stream())
@example(
    [(-9, -1.7e308), (-8, 8e307), (-7, -1.7e308), (-6, 8e307), (-5, -1.7e308), (-4, 1.7e308)], 30, Stream()
)
@example([(-60, 5e-324), (-11, 5e-324)], 30, Stream(hold=0.5))
@example([(-80, -1.7e308), (-40, 1.7e308)], 30, Stream())
@example([(-40, 0.0), (-36, 1.7e308)], 30, Stream(per=3600.0))
def test_an_audit_agrees_with_a_tick_on_the_smallest_and_the_largest_numbers(
    moments: list[tuple[int, float]], seconds: int, stream: Stream
) -> None:
    """Neither says null where there is a number, nor 0 where it is the smallest."""
    readings = sorted(((moment / 4, value) for moment, value in moments), key=lambda reading: reading[0])
    found = taken(readings, seconds, rules=Rules(*stream, reach=REACH))
    inside = [reading for reading in readings if reading[0] > -seconds]
    known = [reading for reading in readings if -REACH < reading[0] <= -seconds]
    before = (NOW + known[-1][0], known[-1][1]) if known else None
    times, values = [NOW + time for time, _ in inside], [value for _, value in inside]
    window = Given(NOW, times, values, NOW - seconds, before, *stream)
    for name in ALL:
        result = recompute(name, window)
        off = difference(name, found[name], result)
        assert not is_off(name, off), (name, found[name], result)


def test_a_percentile_between_numbers_that_lie_further_apart_than_a_float_is_there() -> None:
    found = taken([(-10, -1.5e308), (-5, 1e308)], 60)
    assert found["median"] == pytest.approx(-0.25e308)
    assert found["p95"] == pytest.approx(0.875e308)
    assert found["range"] is None


@pytest.mark.parametrize(
    ("name", "count", "below"),
    [("p7", 101, 8), ("p99.9", 1001, 1000), ("p99.99", 10001, 10000), ("p57", 101, 58), ("p95", 101, 96)],
)
@pytest.mark.parametrize(("usual", "huge"), [(1.0, 1e300), (-1.0, 1e300), (0.0, 5e-324)])
def test_a_percentile_with_a_whole_rank_is_the_value_of_that_rank(
    name: str, count: int, below: int, usual: float, huge: float
) -> None:
    """Nothing of the next value is in it, though the rank as a float is 999.0000000000001."""
    share = Fraction(name[1:]) / 100
    high = [usual] * below + [huge] * (count - below)
    low = [-huge] * (below - 1) + [usual] * (count - below + 1)
    for values in (high, low):
        assert percentile(values, share) == usual
        assert recompute(name, plain([0.0] * count, values)) == Result(usual)


@given(st.lists(st.floats(-1e6, 1e6) | EXTREME, min_size=1, max_size=9), st.integers(0, 10**8 - 1))
@example([-1.0, 1.0000000000000002], 5 * 10**7)
@example([-1e300, 1.0], 10**8 - 1)
@example([-1e300, -1.0], 10**8 - 1)
def test_a_percentile_is_right_to_its_own_size_and_not_to_that_of_its_neighbours(
    values: list[float], parts: int
) -> None:
    share = Fraction(parts, 10**8)
    ranked = sorted(values)
    below = math.floor((len(ranked) - 1) * share)
    low, high = Fraction(ranked[below]), Fraction(ranked[min(below + 1, len(ranked) - 1)])
    expected = float(low + (high - low) * ((len(ranked) - 1) * share - below))
    assert percentile(ranked, share) == pytest.approx(expected, rel=1e-15, abs=1e-323)


@pytest.mark.parametrize(
    ("name", "values", "right"),
    [("median", [1.0, 1.0, 1e300], 1.0), ("time_weighted_avg", [1e16, 1.0, -1e16], 1 / 3)],
)
def test_a_huge_value_in_a_window_lets_no_wrong_number_pass(
    name: str, values: list[float], right: float
) -> None:
    result = recompute(name, Given(3.0, [0.0, 1.0, 2.0], values, 0.0))
    assert not is_off(name, difference(name, right, result))
    assert is_off(name, difference(name, right * (1 + 1e-11), result))
