import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.exact import exact_sum, mean, rounded

LARGEST = 1.7976931348623157e308
FINITE = st.floats(allow_nan=False, allow_infinity=False)
# Of every size, so that a sum has bits far apart, and what cancels out.
NASTY = st.sampled_from(
    [0.1, -0.1, 1e17, -1e17, 5e-324, -5e-324, 2.5e-308, 1e308, -1e308, LARGEST, -LARGEST, 1.0]
)
VALUES = st.lists(FINITE | NASTY, max_size=30)


def same(one: float, other: float) -> bool:
    """Whether two floats are the same to the last bit; the two zeros are one number."""
    return (one + 0.0).hex() == (other + 0.0).hex()


@given(VALUES)
@example([1e308, 1e308, -1e308])
@example([5e-324] * 3)
@example([1e17, 0.1, -1e17])
def test_a_sum_is_exact(values: list[float]) -> None:
    assert Fraction(exact_sum(values), 2**1074) == sum(map(Fraction, values))


@given(VALUES)
def test_a_sum_is_rounded_as_fsum_does(values: list[float]) -> None:
    try:
        expected = math.fsum(values)
    except OverflowError:  # fsum gives up on what is too large only on the way
        return
    assert same(rounded(exact_sum(values)), expected)


@given(VALUES, VALUES)
def test_what_was_added_and_taken_away_leaves_no_trace(stay: list[float], pass_through: list[float]) -> None:
    total = exact_sum(stay) + exact_sum(pass_through)
    assert total - exact_sum(pass_through) == exact_sum(stay)


def test_one_huge_value_that_has_passed_through_changes_nothing() -> None:
    """Naive running sums still said 12.2 instead of 1.0 long after one 1e17 had passed."""
    total = exact_sum([1.0, 1.0, 1.0])
    total += exact_sum([1e17])
    total += exact_sum([1.0])
    total -= exact_sum([1e17])
    assert mean(total, 4) == 1.0


@given(st.lists(FINITE, min_size=1, max_size=30))
def test_a_mean_is_fsum_divided_by_the_count(values: list[float]) -> None:
    try:
        expected = math.fsum(values) / len(values)
    except OverflowError:
        expected = float(sum(map(Fraction, values)) / len(values))
    assert same(mean(exact_sum(values), len(values)), expected)


@pytest.mark.parametrize("value", [LARGEST, -LARGEST, 1e308])
def test_a_mean_exists_even_where_the_sum_is_no_float(value: float) -> None:
    total = exact_sum([value] * 10)
    with pytest.raises(OverflowError):
        rounded(total)
    assert mean(total, 10) == value
