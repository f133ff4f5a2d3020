"""What a store offers that can note what time that has ended holds.

A store need not: then all readings are read when the statistics are loaded.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol


class Piece(NamedTuple):
    """The readings with `after` < time <= `until` (UTC epoch seconds): the series of each, in no order."""

    after: float
    until: float
    series: Sequence[int]


class Whereabouts(NamedTuple):
    """Which series have readings with `after` < time <= `until` (UTC epoch seconds)."""

    after: float
    until: float
    series: Collection[int]


class SlotSums(NamedTuple):
    """What the readings of a slot of time add up to, of all series that are kept for `retention` seconds.

    The slot is `after` < time <= `until` (UTC epoch seconds), and `length` milliseconds long. The columns
    have a row for each series that is there: its id, how many readings, and two floats whose sum is theirs.
    A sum that two floats cannot hold goes on in a row of its own, with no readings. `together`: floats that
    have the same sum as the readings of all these series.
    """

    after: float
    until: float
    length: int
    retention: float
    series: Sequence[int]
    counts: Sequence[int]
    highs: Sequence[float]
    lows: Sequence[float]
    together: Sequence[float]


class SummingStore(Protocol):
    """What a WritingStore offers beside that. Each method is one transaction, and raises what those raise."""

    def begin_summing(self, now: float) -> float:
        """Return up to which time (UTC epoch seconds) something is noted, -inf if nothing is.

        What is noted of times after `now`, since the clock went ahead, is forgotten; and what was read, but
        not noted.
        """

    def nth_time(self, after: float, until: float, number: int) -> float | None:
        """Return the time of a reading by its number, from 1 on, in a span; None if there are fewer."""

    def read_to_sum(self, after: float, until: float, rows: int, pieces: int) -> Sequence[Piece]:
        """Return the first so many `pieces` of a span, each of at least so many `rows`; the last of fewer.

        What comes from now on in that time is delayed: the store itself sees to it that it is not missed.
        """

    def note(self, whereabouts: Collection[Whereabouts], sums: Collection[SlotSums]) -> None:
        """Note what was found in the readings that were read since the summing up began."""
