"""What was published of each series, so that only what has changed is published again."""

import math
from array import array
from collections.abc import Sequence
from itertools import cycle
from typing import cast

from models.statistics.content import Number
from models.statistics.plan import AGE
from models.statistics.tick import SeriesResult

# Seconds. What has not changed is published again all the same, so that its readers know it is alive.
_AT_LEAST_EVERY = 60.0
_NEVER = (float("-inf"), 0)


class Published:
    """Remembers of each series when it was published (UTC epoch seconds), and a hash of what."""

    def __init__(self, interval: float) -> None:
        """`interval`: seconds between two ticks. What the next one would publish too late is due now."""
        self._silence = _AT_LEAST_EVERY - interval
        self._by_name: dict[str, tuple[float, int]] = {}

    def knows(self, name: str) -> bool:
        """Whether anything counts as published of a series."""
        return name in self._by_name

    def note_if_due(self, result: SeriesResult, at: float) -> bool:
        """Whether a result of the tick `at` is new or soon a minute old; then it counts as published."""
        when, what = self._by_name.get(result.series, _NEVER)
        present = _hash(result)
        if present == what and 0 <= at - when <= self._silence:
            return False
        self._by_name[result.series] = at, present
        return True

    def forget(self, name: str) -> None:
        """Have a series published at its next tick, whether it has changed or not."""
        self._by_name.pop(name, None)

    def forget_all(self) -> None:
        """Have every series published at the next tick."""
        self._by_name.clear()


def _hash(result: SeriesResult) -> int:
    """Return a hash of what is published of a series, whose windows and statistics are always the same.

    Of the bytes: the hash of a float is the same for -1 and -2, and for 0 and -0. No statistic is NaN.
    The age of a value that is held is left out: it changes at every tick, and nothing else may.
    """
    found: Sequence[Number] = result.numbers
    names = result.plan.names
    if AGE in names:
        found = [number for name, number in zip(cycle(names), found, strict=False) if name != AGE]
    numbers: array[float]
    try:
        numbers = array("d", cast(Sequence[float], found))
    except TypeError:  # one is None
        numbers = array("d", [math.nan if number is None else number for number in found])
    numbers.extend(result.newest)
    return hash(numbers.tobytes())
