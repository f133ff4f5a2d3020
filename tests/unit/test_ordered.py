"""What is kept in memory of a series: all that a window needs, and no more."""

import math

from models.grid import Edges
from models.ordered import At, Ordered, Squares, TimeEdges
from models.sums import Sums


def test_a_reading_is_kept_until_it_has_left_the_longest_window() -> None:
    """Or memory would grow for as long as the service runs."""
    ordered = Ordered([[Squares()], [Squares()]])
    edges = TimeEdges((0.0, 50.0), 100.0)
    for second in range(1, 101):
        ordered.insert(float(second), -1.0 * second, edges)
    moved = TimeEdges((30.0, 80.0), 130.0)
    ordered.move(edges, moved)
    assert ordered.inside(-math.inf, math.inf) == (At(31.0, -31.0), At(100.0, -100.0))
    ordered.move(moved, TimeEdges((100.0, 150.0), 200.0))
    assert ordered.inside(-math.inf, math.inf) is None


def test_the_sum_of_a_step_is_kept_until_it_has_left_the_longest_window() -> None:
    sums = Sums(2)
    edges = Edges((0, 50), 100)
    for step in range(1, 101):
        sums.add(step, 1, [1.0], edges)
    moved = Edges((30, 80), 130)
    sums.move(edges, moved)
    assert sums.counts == [70, 20]
    assert remembered(sums) == 70
    sums.move(moved, Edges((100, 150), 200))
    assert remembered(sums) == 0


def remembered(sums: Sums) -> int:
    """Return how many readings are in the steps that are remembered, in whatever window they are."""
    sums.fill(Edges((-1, -1), 1000))
    return sums.counts[0]
