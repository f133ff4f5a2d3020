import math

from hypothesis import given
from hypothesis import strategies as st

from models.statistics.rolling_average import averages_at, rolling_averages

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.lists(st.tuples(st.integers(0, 100).map(lambda tenths: tenths / 10), NUMBERS)).map(sorted),
    st.integers(1, 40).map(lambda tenths: tenths / 10),
)
def test_each_average_is_that_of_the_plain_way(readings: list[tuple[float, float]], seconds: float) -> None:
    expected = []
    for time, _ in readings:
        inside = [value for other, value in readings if time - seconds < other <= time]
        try:
            expected.append(math.fsum(inside) / len(inside))
        except OverflowError:
            expected.append(math.nan)
    for average, plain in zip(rolling_averages(readings, seconds), expected, strict=True):
        assert average == plain or math.isnan(plain)


def test_a_huge_value_leaves_no_trace() -> None:
    readings = [(0.0, 1e300), (1.0, 1.0), (2.0, 1.0), (3.0, 4.0)]
    assert rolling_averages(readings, 2.0) == [1e300, 5e299, 1.0, 2.5]


def test_readings_of_one_time_have_one_average() -> None:
    assert rolling_averages([(1.0, 1.0), (1.0, 2.0), (2.0, 9.0)], 1.0) == [1.5, 1.5, 9.0]


@given(
    st.lists(st.tuples(st.integers(0, 100).map(lambda tenths: tenths / 10), NUMBERS)).map(sorted),
    st.integers(1, 40).map(lambda tenths: tenths / 10),
    st.lists(st.integers(0, 150).map(lambda tenths: tenths / 10)).map(sorted),
)
def test_the_average_at_a_moment_is_that_of_the_plain_way(
    readings: list[tuple[float, float]], seconds: float, moments: list[float]
) -> None:
    for moment, average in zip(moments, averages_at(readings, seconds, moments), strict=True):
        inside = [value for time, value in readings if moment - seconds < time <= moment]
        try:
            expected = math.fsum(inside) / len(inside) if inside else None
        except OverflowError:
            continue
        assert average == expected


def test_a_moment_without_readings_has_no_average() -> None:
    assert averages_at([(1.0, 5.0)], 2.0, [0.5, 1.0, 2.9, 3.0]) == [None, 5.0, 5.0, None]
