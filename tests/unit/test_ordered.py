"""What is kept in memory of a series: all that a window needs, and no more."""

import math

import pytest

from models.statistics.accumulators import Squares
from models.statistics.grid import Edges
from models.statistics.ordered import Ordered, TimeEdges
from models.statistics.rules import DEFAULT_RULES
from models.statistics.span import At
from models.statistics.sums import Sums


@pytest.mark.parametrize("before", [False, True])
def test_a_reading_is_kept_until_it_has_left_the_longest_window(*, before: bool) -> None:
    """Or memory would grow for as long as the service runs. One more is kept where it is needed."""
    ordered = Ordered([[Squares(DEFAULT_RULES)], [Squares(DEFAULT_RULES)]], before=before)
    edges = TimeEdges((0.0, 50.0), 100.0)
    for second in range(1, 101):
        ordered.insert(float(second), -1.0 * second, edges)
    moved = TimeEdges((30.0, 80.0), 130.0)
    ordered.move(edges, moved)
    first = 31.0 - before
    kept = ordered.inside(-math.inf, math.inf)
    assert kept.end == 70 + before
    assert (kept.at(0), kept.at(kept.end - 1)) == (At(first, -first), At(100.0, -100.0))
    ordered.move(moved, TimeEdges((100.0, 150.0), 200.0))
    assert ordered.inside(-math.inf, math.inf).end == before
    ordered.move(moved, TimeEdges((200.0, 250.0), 300.0))
    assert ordered.inside(-math.inf, math.inf).end == before


def test_the_sum_of_a_slot_is_kept_until_it_has_left_the_longest_window() -> None:
    sums = Sums(2)
    edges = Edges((0, 50), 100)
    for slot in range(1, 101):
        sums.add(slot, 1, [1.0], edges)
    moved = Edges((30, 80), 130)
    sums.move(edges, moved)
    assert sums.counts == [70, 20]
    assert remembered(sums) == 70
    sums.move(moved, Edges((100, 150), 200))
    assert remembered(sums) == 0


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
@pytest.mark.parametrize("late", [True, False], ids=["late", "in time"])
def test_a_sum_that_two_floats_cannot_hold_comes_and_goes_to_the_last_bit(
    *, at_once: bool, late: bool
) -> None:
    sums = Sums(1)
    edges, values = Edges((0,), 10), [1e300, 1.0, 1e-300]
    if late:
        sums.add(5, 1, [0.25], edges)
    if at_once:
        sums.add(4, len(values), values, edges)
    else:
        for value in values:
            sums.add(4, 1, [value], edges)
    assert sums.counts == [3 + late]
    moved = Edges((4,), 14)
    sums.move(edges, moved)
    assert (sums.counts, sums.totals[0].rounded()) == ([late], 0.25 * late)


def test_what_comes_bit_by_bit_takes_no_more_memory_than_what_comes_at_once() -> None:
    sums = Sums(1)
    for _ in range(100):
        sums.add(7, 1, [0.1], Edges((0,), 10))
    assert len(sums._slots) == 1
    assert sums.counts == [100]
    assert sums.totals[0].rounded() == math.fsum([0.1] * 100)


def remembered(sums: Sums) -> int:
    """Return how many readings are in the slots that are remembered, in whatever window they are."""
    sums.fill(Edges((-1, -1), 1000))
    return sums.counts[0]
