"""The readings of a window, in the order of time."""

from array import array
from typing import NamedTuple


class At(NamedTuple):
    """A value at a time (UTC epoch seconds)."""

    time: float
    value: float


class Span(NamedTuple):
    """The readings of a window: those with `start` <= place < `end` among all that are kept of a series."""

    times: "array[float]"
    values: "array[float]"
    start: int
    end: int

    def at(self, place: int) -> At:
        return At(self.times[place], self.values[place])


EMPTY = Span(array("d"), array("d"), 0, 0)
