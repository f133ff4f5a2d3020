"""What is kept in memory of a series: all that a window needs, and no more."""

import math

import pytest

from models.statistics.accumulators import Squares
from models.statistics.ordered import Ordered, TimeEdges
from models.statistics.rules import DEFAULT_RULES
from models.statistics.span import At


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
