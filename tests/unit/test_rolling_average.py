import math

from hypothesis import given
from hypothesis import strategies as st

from models.statistics.rolling_average import rolling_averages

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
