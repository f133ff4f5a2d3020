"""What the readings of a slot of time add up to, of many series."""

from array import array
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from models.statistics.exact import expansion


class SlotColumns(NamedTuple):
    """The sums of a slot of time, in columns with a row for each series that has readings in it.

    Its id, how many readings, and two floats whose sum is theirs. Some series may have several rows, as one
    has whose sum two floats cannot hold: then all but the first are without readings.
    """

    series: "array[int]"
    counts: "array[int]"
    highs: "array[float]"
    lows: "array[float]"

    @classmethod
    def empty(cls) -> "SlotColumns":
        return cls(array("Q"), array("I"), array("d"), array("d"))

    def add(self, series: int, count: int, parts: Sequence[float]) -> None:
        """Add `count` readings of a series with the same sum as `parts`, two floats or more."""
        self.series.append(series)
        self.counts.append(count)
        self.highs.append(parts[0])
        self.lows.append(parts[1])
        if len(parts) > 2:
            for place in range(2, len(parts), 2):
                high, low = (*parts[place : place + 2], 0.0)[:2]
                self.extend([series], [0], [high], [low])

    def extend(
        self,
        series: Sequence[int],
        counts: Sequence[int],
        highs: Sequence[float],
        lows: Sequence[float],
    ) -> None:
        """Add many rows."""
        self.series.extend(array("Q", series))
        self.counts.extend(array("I", counts))
        self.highs.extend(array("d", highs))
        self.lows.extend(array("d", lows))

    def put_together(self) -> "SlotColumns":
        """Return new columns with the same sums, where no series has more rows than its sum takes."""
        if len(set(self.series)) == len(self.series):  # as mostly
            return SlotColumns(self.series[:], self.counts[:], self.highs[:], self.lows[:])
        counts: dict[int, int] = dict.fromkeys(self.series, 0)
        parts: dict[int, list[float]] = {series: [] for series in counts}
        for series, count, high, low in zip(*self, strict=True):
            counts[series] += count
            parts[series] += (high, low)
        columns = SlotColumns.empty()
        for series, count in counts.items():
            columns.add(series, count, expansion(parts[series]))
        return columns

    def by(self, group_of: Mapping[int, float]) -> dict[float, "SlotColumns"]:
        """Return the rows apart by the group that each series is of; without those of series in no group."""
        groups = {group: SlotColumns.empty() for group in group_of.values()}
        if len(groups) == 1:  # as mostly
            return dict.fromkeys(groups, self)
        for series, count, high, low in zip(*self, strict=True):
            if series in group_of:
                groups[group_of[series]].add(series, count, (high, low))
        return groups
