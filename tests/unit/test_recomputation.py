import math
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.statistics.registry import NAMES
from scheduler_app.checks.recomputation import EXACT, Result, UnknownStatistic, difference, is_off, recompute
from tests.support.reference import agrees, reference

STATISTICS = (*NAMES, "p5")
VALUES = st.lists(st.floats(-1e6, 1e6) | st.integers(-5, 5).map(float), max_size=30)


@given(VALUES, st.lists(st.integers(0, 3), min_size=30, max_size=30), st.sampled_from([0.0, 0.5, 60.0]))
@pytest.mark.parametrize("name", STATISTICS)
def test_each_is_what_numpy_and_the_statistics_module_say(
    name: str, values: list[float], gaps: list[int], ahead: float
) -> None:
    times = [1_700_000_000 + gap / 4 for gap in accumulate(gaps)][: len(values)]
    at = (times[-1] if times else 0.0) + ahead
    result = recompute(name, at, times, values)
    scale = max(map(abs, values), default=0.0)
    expected = reference(name, at, list(zip(times, values, strict=True)))
    if name == "stddev" and result.value is not None and expected is not None:
        assert math.isclose(result.value, expected, rel_tol=1e-12)
    else:
        # the slope of a rate is the larger, the shorter the time
        assert agrees(name, result.value, expected, max(scale, result.scale))


def test_the_average_of_what_has_no_sum_is_there() -> None:
    values = [1.5e308, 1.5e308]
    assert recompute("avg", 1.0, [0.0, 0.0], values) == Result(1.5e308)
    assert recompute("sum", 1.0, [0.0, 0.0], values) == Result(None)
    assert recompute("range", 1.0, [0.0, 0.0], [1.5e308, -1.5e308]) == Result(None)


@pytest.mark.parametrize("name", ["", "p", "pp", "p1.2.3", "mean", "__class__", "p-5", "p1e5"])
def test_other_names_are_no_statistics(name: str) -> None:
    with pytest.raises(UnknownStatistic):
        recompute(name, 1.0, [0.0], [1.0])


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
