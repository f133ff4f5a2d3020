"""Time, cut into steps, so that the edges of all windows fall between two of them."""

import math
from collections.abc import Sequence
from typing import NamedTuple

# No step is longer (milliseconds), so that a tick out of turn is not far behind the clock.
_LONGEST_STEP = 10_000


class Edges(NamedTuple):
    """Where windows are at one moment: each holds the steps `after` < step <= `until`."""

    afters: tuple[int, ...]
    until: int


class Grid:
    """Steps of so many milliseconds: step k holds the times `edge(k - 1)` < time <= `edge(k)`.

    Times are UTC epoch seconds. Statistics are taken at edges, and windows begin at edges, so that
    of all the readings of one step each window holds all or none: their sum is all it needs.
    """

    def __init__(self, durations: Sequence[int]) -> None:
        """`durations`: milliseconds; each becomes a whole number of steps."""
        self.milliseconds = math.gcd(_LONGEST_STEP, *durations)

    def edge(self, step: int) -> float:
        """Return the end of a step."""
        return step * self.milliseconds / 1000

    def step(self, time: float) -> int:
        """Return the step that holds `time`."""
        step = math.ceil(time * 1000 / self.milliseconds)
        # the division has rounded
        while time > self.edge(step):
            step += 1
        while time <= self.edge(step - 1):
            step -= 1
        return step

    def last_edge(self, now: float) -> int:
        """Return the step that has ended last at `now`."""
        step = self.step(now)
        return step if self.edge(step) == now else step - 1

    def steps(self, milliseconds: int) -> int:
        """Return how many steps a duration is."""
        return milliseconds // self.milliseconds
