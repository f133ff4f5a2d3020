"""Time, cut into slots, so that the edges of all windows fall between two of them."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from models.statistics.ordered import TimeEdges

# No slot is longer (milliseconds), so that a tick out of turn is not far behind the clock.
_LONGEST_SLOT = 10_000


class Edges(NamedTuple):
    """Where windows are at one moment: each holds the slots `after` < slot <= `until`."""

    afters: tuple[int, ...]
    until: int


class Grid:
    """Slots of so many milliseconds: slot k holds the times `edge(k - 1)` < time <= `edge(k)`.

    Times are UTC epoch seconds. Statistics are taken at edges, and windows begin at edges, so that
    of all the readings of one slot each window holds all or none: their sum is all it needs.
    """

    def __init__(self, durations: Sequence[int]) -> None:
        """`durations`: milliseconds; each becomes a whole number of slots."""
        self.milliseconds = math.gcd(_LONGEST_SLOT, *durations)

    def edge(self, slot: int) -> float:
        """Return the end of a slot."""
        return slot * self.milliseconds / 1000

    def slot(self, time: float) -> int:
        """Return the slot that holds `time`."""
        slot = math.ceil(time * 1000 / self.milliseconds)
        # the division has rounded
        while time > self.edge(slot):
            slot += 1
        while time <= self.edge(slot - 1):
            slot -= 1
        return slot

    def last_slot(self, now: float) -> int:
        """Return the slot that has ended last at `now`."""
        slot = self.slot(now)
        return slot if self.edge(slot) == now else slot - 1

    def slots(self, milliseconds: int) -> int:
        """Return how many slots a duration is."""
        return milliseconds // self.milliseconds


class Frame:
    """The edges of windows of the same lengths, which all series that have such windows share."""

    def __init__(self, grid: Grid, lengths: Sequence[int], ahead: int, slot: int) -> None:
        """Begin with the windows at the end of `slot`.

        `lengths` and `ahead`: milliseconds; the windows reach `ahead` of the clock.
        """
        self._grid = grid
        self._lengths = tuple(grid.slots(length) for length in lengths)
        self._ahead = grid.slots(ahead)
        self.move(slot)

    def move(self, slot: int) -> None:
        """Move to the windows at the end of a slot."""
        self.edges = Edges(tuple(slot - length for length in self._lengths), slot + self._ahead)
        # The last slot that is in no window any more.
        self.first = min(self.edges.afters)
        edge = self._grid.edge
        self.times = TimeEdges(tuple(edge(after) for after in self.edges.afters), edge(self.edges.until))
