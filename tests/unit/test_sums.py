"""What is kept of many series in slots of time: all that their windows need, to the last bit, and no more."""

import math
from collections import defaultdict
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.statistics.all_series import AllSeries, Layout
from models.statistics.exact import expansion
from models.statistics.grid import Frame, Grid
from models.statistics.plan import Plan
from models.statistics.slot_columns import SlotColumns
from models.statistics.sums import Sums

# Windows of 50 and 100 slots of a second, and 10 slots ahead.
LENGTHS, AHEAD = (50_000, 100_000), 10_000
SECOND = Grid([1000])
VALUES = st.floats(-1e6, 1e6) | st.sampled_from(
    [0.1, 1e17, -1e17, 5e-324, -5e-324, 1e-300, 1e300, 1.7976931348623157e308, -1e308, 0.0, -0.0]
)


PLAN = Plan([("50s", 50_000), ("100s", 100_000)], ["avg"])


class Known:
    name, since, retention = "home/a", 0.0, 1000.0


def sums_at(slot: int, *series: int) -> Sums:
    sums = Sums(Frame(SECOND, LENGTHS, AHEAD, slot))
    for number in series:
        sums.begin(number)
    return sums


def add(sums: Sums, series: int, slot: int, *values: float) -> None:
    sums.add(series, slot, len(values), expansion(values))


def counts(sums: Sums, series: int) -> list[int]:
    return [by_series[series] for by_series in sums.counts]


def fraction(sums: Sums, series: int, window: int) -> Fraction:
    numerator, bits = sums.total(series, window).ratio()
    return Fraction(numerator, 2**bits)


def rows_kept(sums: Sums) -> int:
    return sum(len(columns.series) for columns in sums._slots.values())


def test_the_sum_of_a_slot_is_kept_until_it_has_left_the_longest_window() -> None:
    """Or memory would grow for as long as the service runs."""
    sums = sums_at(100, 7)
    for slot in range(1, 101):
        add(sums, 7, slot, 1.0)
    sums.enter()
    assert counts(sums, 7) == [50, 100]
    sums.move(130)
    assert counts(sums, 7) == [20, 70]
    assert rows_kept(sums) == 70
    sums.move(200)
    assert counts(sums, 7) == [0, 0]
    assert rows_kept(sums) == 0


def test_what_is_ahead_of_the_windows_comes_into_them_when_they_reach_it() -> None:
    sums = sums_at(100, 7)
    add(sums, 7, 110, 1.0)
    add(sums, 7, 111, 2.0)
    assert sorted(sums.enter()) == [110, 111]
    assert counts(sums, 7) == [1, 1]
    add(sums, 7, 111, 4.0)
    # only what is new is told
    assert [list(columns.highs) for columns in sums.enter().values()] == [[4.0]]
    assert counts(sums, 7) == [1, 1]
    sums.move(101)
    assert (counts(sums, 7), sums.mean(7, 0, 3)) == ([3, 3], 7 / 3)
    sums.move(161)
    assert counts(sums, 7) == [0, 3]


@pytest.mark.parametrize("filled", [True, False], ids=["filled", "entered"])
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
@pytest.mark.parametrize("late", [True, False], ids=["late", "in time"])
def test_a_sum_that_two_floats_cannot_hold_comes_and_goes_to_the_last_bit(
    *, filled: bool, at_once: bool, late: bool
) -> None:
    sums = sums_at(100, 7)
    values = [1e300, 1.0, 1e-300, 5e-324]
    if late:
        add(sums, 7, 60, 0.25)
    for some in [values] if at_once else [[value] for value in values]:
        add(sums, 7, 55, *some)
    if filled:
        sums.fill()
    else:
        sums.enter()
    assert counts(sums, 7) == [4 + late, 4 + late]
    assert fraction(sums, 7, 0) == sum(map(Fraction, values)) + late * Fraction(1, 4)
    sums.move(105)
    assert counts(sums, 7) == [late, 4 + late]
    assert fraction(sums, 7, 0) == late * Fraction(1, 4)


def test_as_many_values_as_come_at_once_may_have_a_sum_that_is_no_float() -> None:
    sums = sums_at(100, 7)
    add(sums, 7, 100, *[1.7976931348623157e308] * 10_001)
    sums.enter()
    assert fraction(sums, 7, 1) == 10_001 * Fraction(1.7976931348623157e308)
    assert sums.mean(7, 1, 10_001) == 1.7976931348623157e308


def test_what_comes_bit_by_bit_takes_no_more_memory_than_what_comes_at_once() -> None:
    sums = sums_at(100, 7, 8)
    for _ in range(1000):
        add(sums, 7, 90, 0.1)
        add(sums, 8, 90, 0.3)
        sums.enter()
    assert rows_kept(sums) < 30
    assert counts(sums, 7) == [1000, 1000]
    assert sums.total(7, 0).rounded() == math.fsum([0.1] * 1000)
    rows = sums.rows_of(90)
    assert (list(rows.series), list(rows.counts)) == ([7, 8], [1000, 1000])
    sums.move(140)
    assert counts(sums, 7) == [0, 1000]
    assert fraction(sums, 7, 0) == 0


def test_what_is_older_than_all_windows_is_not_kept() -> None:
    """A backlog of months would take more memory than there is."""
    layout = Layout(SECOND, (("100s", 100_000),), AHEAD, lambda series: (Known(), PLAN))
    everything = AllSeries(layout, 1000)
    series = everything.find(7)
    assert series is not None
    everything.add(series, [850.0, 901.0, 900.0, 899.0], [1.0, 2.0, 4.0, 8.0])
    assert series.newest == (901.0, 2.0)
    assert list(series.sums._arrived) == [901]


def test_the_smallest_float_makes_no_sum_slower_than_it_is_in_a_window() -> None:
    sums = sums_at(100, 7, 8)
    add(sums, 7, 100, 0.1)
    add(sums, 8, 101, 5e-324)
    add(sums, 8, 102, 2.0**-300)
    add(sums, 8, 110, 4.0)
    sums.enter()
    smallest, small = Fraction(5e-324), Fraction(1, 2**300)
    steps = [(200, 1074, smallest + small + 4), (201, 300, small + 4), (202, 0, 4), (210, 0, 0)]
    for slot, bits, total in steps:
        sums.move(slot)
        assert sums._bits == bits
        assert fraction(sums, 8, 1) == total
    add(sums, 7, 211, 0.1)
    sums.enter()
    assert sums._bits == 55
    assert sums.mean(7, 1, 1) == 0.1


def test_nothing_is_left_of_a_series_that_was_removed_when_its_readings_have_left() -> None:
    """It may have some in a window, and ahead of it."""
    sums = sums_at(100, 7, 8)
    for number in (7, 8):
        add(sums, number, 100, 1.0)
        add(sums, number, 115, 1.0)
    sums.enter()
    sums.remove(7)
    for slot in (120, 214):
        sums.move(slot)
        assert 7 in sums.counts[0]
    sums.move(215)
    assert all(list(by_series) == [8] for by_series in (*sums.counts, *sums._numerators))
    assert sums._removed == {}


def test_a_series_that_was_removed_may_begin_again_and_stays() -> None:
    """As one that has readings again on PostgreSQL, or had none yet when all was loaded."""
    sums = sums_at(100, 7)
    add(sums, 7, 100, 1.0)
    sums.enter()
    sums.remove(7)
    sums.begin(7)
    add(sums, 7, 105, 4.0)
    sums.enter()
    assert (counts(sums, 7), sums.mean(7, 0, 2)) == ([2, 2], 2.5)
    for slot in (150, 205, 400):
        sums.move(slot)
    add(sums, 7, 400, 3.0)
    sums.enter()
    assert (counts(sums, 7), sums.mean(7, 1, 1)) == ([1, 1], 3.0)


def test_what_is_told_of_a_slot_later_readings_leave_as_it_is() -> None:
    sums = sums_at(100, 7)
    add(sums, 7, 90, 1.0)
    sums.enter()
    rows = sums.rows_of(90)
    add(sums, 7, 90, 2.0)
    sums.enter()
    assert (list(rows.counts), list(sums.rows_of(90).counts)) == ([1], [2])
    assert sums.rows_of(91) == SlotColumns.empty()


ADDITIONS = st.lists(st.tuples(st.sampled_from([1, 2, 3]), st.integers(-110, 15), VALUES), max_size=8)


@pytest.mark.parametrize("filled", [True, False], ids=["filled", "entered"])
@given(steps=st.lists(st.tuples(st.sampled_from([0, 1, 1, 7, 60, 200]), ADDITIONS), min_size=1, max_size=6))
@example(steps=[(0, [(1, 0, 1.0), (1, -1, 0.1), (1, -2, 5e-324), (1, -3, 0.1)])])
@example(steps=[(0, [(1, 0, 1e17), (2, 0, 5e-324)]), (1, [(1, 0, 1e308), (1, 0, 1e308), (3, -50, 0.1)])])
def test_windows_hold_what_lies_in_them_whatever_has_come_and_gone(
    steps: list[tuple[int, list[tuple[int, int, float]]]], *, filled: bool
) -> None:
    slot = 1000
    sums = sums_at(slot, 1, 2, 3)
    come: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
    for number, (move, additions) in enumerate(steps):
        if number:
            slot += move
            sums.move(slot)
        for series, offset, value in additions:
            add(sums, series, slot + offset, value)
            come[series].append((slot + offset, value))
        if filled and number == 0:
            sums.fill()
        else:
            sums.enter()
        for series in (1, 2, 3):
            for window, length in enumerate((50, 100)):
                inside = [value for at, value in come[series] if slot - length < at <= slot + 10]
                assert sums.counts[window][series] == len(inside)
                assert fraction(sums, series, window) == sum(map(Fraction, inside))
