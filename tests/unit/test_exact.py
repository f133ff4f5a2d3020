import math
from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from models.statistics.exact import ExactSum, expansion, quotient, ratio, square_root

LARGEST = 1.7976931348623157e308
FINITE = st.floats(allow_nan=False, allow_infinity=False)
# Of every size, so that a sum has bits far apart, and what cancels out.
NASTY = st.sampled_from(
    [0.1, -0.1, 1e17, -1e17, 5e-324, -5e-324, 2.5e-308, 1e308, -1e308, LARGEST, -LARGEST, 1.0]
)
VALUES = st.lists(FINITE | NASTY, max_size=30)


def exact_sum(values: list[float]) -> ExactSum:
    total = ExactSum()
    for value in values:
        total.add_float(value)
    return total


def fraction(total: ExactSum) -> Fraction:
    numerator, bits = total.ratio()
    return Fraction(numerator, 2**bits)


def same(one: float, other: float) -> bool:
    """Whether two floats are the same to the last bit; the two zeros are one number."""
    return (one + 0.0).hex() == (other + 0.0).hex()


@given(VALUES)
@example([1e308, 1e308, -1e308])
@example([5e-324] * 3)
@example([1e17, 0.1, -1e17])
def test_a_sum_is_exact(values: list[float]) -> None:
    assert fraction(exact_sum(values)) == sum(map(Fraction, values))


@given(VALUES)
def test_a_sum_is_rounded_as_fsum_does(values: list[float]) -> None:
    try:
        expected = math.fsum(values)
    except OverflowError:  # fsum gives up on what is too large only on the way
        return
    assert same(exact_sum(values).rounded(), expected)


@given(VALUES, VALUES)
def test_what_was_added_and_taken_away_leaves_no_trace(stay: list[float], pass_through: list[float]) -> None:
    total = exact_sum(stay + pass_through)
    for value in pass_through:
        total.add_float(value, -1)
    assert fraction(total) == fraction(exact_sum(stay))


def test_one_huge_value_that_has_passed_through_changes_nothing() -> None:
    """Naive running sums still said 12.2 instead of 1.0 long after one 1e17 had passed."""
    total = exact_sum([1.0, 1.0, 1.0, 1e17, 1.0])
    total.add_float(1e17, -1)
    assert total.mean(4) == 1.0


@given(st.lists(FINITE, min_size=1, max_size=30))
def test_a_mean_is_fsum_divided_by_the_count(values: list[float]) -> None:
    try:
        expected = math.fsum(values) / len(values)
    except OverflowError:
        expected = float(sum(map(Fraction, values)) / len(values))
    assert same(exact_sum(values).mean(len(values)), expected)


@pytest.mark.parametrize("value", [LARGEST, -LARGEST, 1e308])
def test_a_mean_exists_even_where_the_sum_is_no_float(value: float) -> None:
    total = exact_sum([value] * 10)
    with pytest.raises(OverflowError):
        total.rounded()
    assert total.mean(10) == value


@given(st.lists(st.tuples(st.integers(), st.integers(0, 3000)), max_size=10))
def test_fractions_of_any_size_are_added_exactly(parts: list[tuple[int, int]]) -> None:
    total = ExactSum()
    for numerator, bits in parts:
        total.add(numerator, bits)
    assert fraction(total) == sum(Fraction(numerator, 2**bits) for numerator, bits in parts)


@given(FINITE | NASTY)
def test_a_float_is_a_whole_number_over_a_power_of_two(value: float) -> None:
    numerator, bits = ratio(value)
    assert Fraction(numerator, 2**bits) == Fraction(value)


@given(VALUES)
@example([1e308, 1e308])
@example([LARGEST, LARGEST, -LARGEST, 5e-324])
@example([1e308, 1.0, 1e-20, 5e-324])
def test_an_expansion_has_the_same_sum_to_the_last_bit(values: list[float]) -> None:
    parts = expansion(values)
    assert all(map(math.isfinite, parts))
    assert sum(map(Fraction, parts)) == sum(map(Fraction, values))


@given(
    st.lists(st.floats(-1e6, 1e6), max_size=1000).map(lambda values: [round(value, 3) for value in values])
)
def test_an_expansion_of_what_sensors_send_is_two_floats(values: list[float]) -> None:
    """Two are kept for each step of time; more than that costs memory."""
    assert len(expansion(values)) <= 2


@given(st.integers(0, 2**3000), st.integers(1, 2**3000))
@example(2, 1)
@example(10**600, 10**600)
@example(1, 2**2148)  # of a subnormal's square
def test_a_root_is_right_also_of_a_fraction_that_is_no_float(numerator: int, denominator: int) -> None:
    try:
        root = square_root(numerator, denominator)
    except OverflowError:
        assert numerator > denominator * 2**2047
        return
    scaled = math.isqrt((numerator << 6000) // denominator)  # floor of root * 2**3000
    expected = Fraction(scaled, 2**3000)
    assert abs(Fraction(root) - expected) <= expected * Fraction(1, 2**51) + Fraction(1, 2**1074)


@pytest.mark.parametrize("bits", [0, 52, 1022, 1023, 1024, 1074])
@given(numerator=st.integers(-(2**1100), 2**1100) | st.integers(-(2**60), 2**60))
def test_a_fraction_is_rounded_once(bits: int, numerator: int) -> None:
    """On both sides of the largest denominator that is a float."""
    total = ExactSum()
    total.add(numerator, bits)
    assert total.ratio() == (numerator, bits)
    try:
        expected = numerator / 2**bits
    except OverflowError:
        with pytest.raises(OverflowError):
            total.rounded()
    else:
        assert same(total.rounded(), expected)


@given(VALUES, VALUES)
def test_a_quotient_of_two_sums_is_rounded_once(values: list[float], others: list[float]) -> None:
    dividend, divisor = exact_sum(values), exact_sum(others)
    assume(fraction(divisor))
    try:
        expected = float(fraction(dividend) / fraction(divisor))
    except OverflowError:
        with pytest.raises(OverflowError):
            quotient(dividend, divisor)
    else:
        assert same(quotient(dividend, divisor), expected)
