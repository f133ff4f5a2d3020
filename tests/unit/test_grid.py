import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.statistics.grid import Grid

# From 1677 to 2262, as many formats of time have it; and some nonsense that a payload may hold.
SANE = st.floats(-9.3e9, 9.3e9)
NOW = 1_700_000_000.0
# Milliseconds of windows.
DURATIONS = st.lists(st.integers(1000, 366 * 86_400_000), max_size=4)


@given(DURATIONS, SANE)
@example([60_000], NOW)
@example([60_000], math.nextafter(NOW, math.inf))
@example([1001], 1_700_000_000.001)
@example([1001], 0.1)
@example([1001], -0.001)
@example([1001], 0.0)
@example([1001], 0.043000000000000003)  # the division rounds down to a slot that has ended
@example([1010], 4.03)  # and here up, to one that has not begun
def test_a_time_lies_in_the_slot_between_its_two_edges(durations: list[int], time: float) -> None:
    grid = Grid(durations)
    slot = grid.slot(time)
    assert grid.edge(slot - 1) < time <= grid.edge(slot)


@given(DURATIONS, st.integers(-(10**9), 10**10))
def test_an_edge_belongs_to_the_slot_that_it_ends(durations: list[int], slot: int) -> None:
    grid = Grid(durations)
    slot = slot * 10 // grid.milliseconds
    edge = grid.edge(slot)
    assert grid.slot(edge) == grid.last_slot(edge) == slot
    assert grid.slot(math.nextafter(edge, math.inf)) == slot + 1
    assert grid.last_slot(math.nextafter(edge, -math.inf)) == slot - 1


@given(DURATIONS, SANE)
def test_the_last_slot_is_at_or_before_now_and_the_next_one_after_it(
    durations: list[int], now: float
) -> None:
    grid = Grid(durations)
    last = grid.last_slot(now)
    assert grid.edge(last) <= now < grid.edge(last + 1)


@given(DURATIONS.filter(bool))
def test_every_duration_is_a_whole_number_of_slots(durations: list[int]) -> None:
    """So windows begin at edges, and each slot is all in a window or not at all."""
    grid = Grid(durations)
    assert 1 <= grid.milliseconds <= 10_000
    for duration in durations:
        assert grid.slots(duration) * grid.milliseconds == duration


@pytest.mark.parametrize(
    ("durations", "milliseconds"),
    [
        ([], 10_000),
        ([60_000, 300_000, 1_800_000, 30_000, 10_000], 10_000),
        ([60_000, 200], 200),
        ([90_000, 7_000], 1000),
        ([366 * 86_400_000], 10_000),
        ([0, 60_000], 10_000),  # no clock may be ahead
        ([1001], 1),
    ],
)
def test_slots_are_as_long_as_they_can_be_and_ten_seconds_at_most(
    durations: list[int], milliseconds: int
) -> None:
    assert Grid(durations).milliseconds == milliseconds


@given(st.integers(-(10**10), 10**10))
def test_an_edge_is_the_float_nearest_to_its_time(slot: int) -> None:
    """A reading that says so is at the edge, whoever has computed it."""
    assert Grid([200]).edge(slot) == float(Fraction(slot * 200, 1000))
    assert float(f"{slot * 200 / 1000:.3f}") == Grid([200]).edge(slot)


@pytest.mark.parametrize("time", [1e-300, 1e14, -1e14, 5e-324])
def test_a_time_that_is_hardly_sane_lies_in_a_slot_all_the_same(time: float) -> None:
    grid = Grid([60_000])
    slot = grid.slot(time)
    assert grid.edge(slot - 1) < time <= grid.edge(slot)
