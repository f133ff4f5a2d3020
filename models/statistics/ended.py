"""What the readings of slots of time that have ended add up to: for whoever keeps it."""

from array import array
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from models.statistics.series import SeriesStatistics


class SlotColumns(NamedTuple):
    """The sums of a slot of time, in columns with a row for each series that has readings in it.

    Its id, how many readings, and two floats whose sum is theirs. A sum that two floats cannot hold goes on
    in a row of its own, with no readings.
    """

    series: "array[int]"
    counts: "array[int]"
    highs: "array[float]"
    lows: "array[float]"

    @classmethod
    def empty(cls) -> "SlotColumns":
        return cls(array("Q"), array("Q"), array("d"), array("d"))

    def by(self, group_of: Mapping[int, float]) -> dict[float, "SlotColumns"]:
        """Return the rows apart by the group that each series is of; without those of series in no group."""
        groups = {group: SlotColumns.empty() for group in group_of.values()}
        if len(groups) == 1:  # as mostly
            return dict.fromkeys(groups, self)
        for number, count, high, low in zip(self.series, self.counts, self.highs, self.lows, strict=True):
            if number in group_of:
                columns = groups[group_of[number]]
                columns.series.append(number)
                columns.counts.append(count)
                columns.highs.append(high)
                columns.lows.append(low)
        return groups


class EndedSlots(NamedTuple):
    """The sums of slots by their numbers, at the tick `at` (UTC epoch seconds).

    A series whose windows do not reach back to a slot may be missing in it.
    """

    at: float
    slots: Mapping[int, SlotColumns]


def columns_of(everything: Iterable[tuple[int, SeriesStatistics]], slots: range) -> dict[int, SlotColumns]:
    """Return the sums of slots."""
    columns = {slot: SlotColumns.empty() for slot in slots}
    for number, series in everything:
        for slot, count, high, low in series.sums_of(slots):
            numbers, counts, highs, lows = columns[slot]
            numbers.append(number)
            counts.append(count)
            highs.append(high)
            lows.append(low)
    return columns
