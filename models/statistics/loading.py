"""How the statistics begin: from all readings that are stored."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from models.statistics.all_series import AllSeries
from models.statistics.series import SeriesStatistics
from models.statistics.span import At


class StoredReadings(Protocol):
    """All readings that are stored, as they are at one moment.

    They are asked for by spans of time: the times `after` < time <= `until`, in UTC epoch seconds.
    """

    @property
    def series(self) -> Sequence[int]:
        """The ids of all series."""

    def latest_sequence(self) -> int:
        """Return the sequence of the reading that was stored last, 0 if there was none."""

    def next_time(self, after: float) -> float | None:
        """Return the time of the first reading later than `after`, None if there is none."""

    def values(self, after: float, until: float) -> Iterator[Mapping[int, list[float]]]:
        """Yield the values of a span by the ids of the series, in parts."""

    def timed(self, after: float, until: float = math.inf) -> Iterator[tuple[int, float, float]]:
        """Yield (series, time, value) of a span in the order of time, then of arrival."""


class Source(Protocol):
    """Where readings are stored."""

    def snapshot(self) -> AbstractContextManager[StoredReadings]:
        """Have one moment's readings while inside; what is committed meanwhile is not among them."""


class UnknownSeries(Exception):
    """A stored reading is of a series that nobody knows, perhaps because it has begun this moment."""


def load(everything: AllSeries, stored: StoredReadings) -> None:
    """Take all stored readings into `everything`, which is empty. Raises UnknownSeries."""
    for number in stored.series:
        everything.find(number)  # or it has just been removed
    newest = _take_newest(stored, _take_sums(everything, stored))
    everything.by_id = {number: series for number, series in everything.by_id.items() if number in newest}
    _take_readings_before(everything, stored)
    if any(series.in_order for series in everything.by_id.values()):
        for number, time, value in stored.timed(everything.grid.edge(everything.first)):
            everything.by_id[number].append(time, value)
    for number, series in everything.by_id.items():
        series.newest = newest[number]
        series.fill()
    everything.overall.fill()


def _take_sums(everything: AllSeries, stored: StoredReadings) -> dict[int, tuple[float, float]]:
    """Take in counts and sums; return the span of time in which each series has its newest reading.

    What lies before all windows is left out. The times are not read: that would take as long as the values.
    """
    begin = everything.grid.edge(everything.first)
    spans = dict.fromkeys(everything.by_id, (-math.inf, begin))
    after = begin
    while (time := stored.next_time(after)) is not None:
        slot = everything.grid.slot(time)
        span = after, everything.grid.edge(slot)
        for by_series in stored.values(*span):
            parts: list[float] = []
            count = sum(map(len, by_series.values()))
            for number, values in by_series.items():
                series = _known(everything, number)
                of_series = series.remember(slot, values)
                if series.plan.overall:  # as nearly always
                    parts += of_series
                else:
                    count -= len(values)
            everything.overall.remember(slot, count, parts)
            spans.update(dict.fromkeys(by_series, span))
        _, after = span
    return spans


def _take_readings_before(everything: AllSeries, stored: StoredReadings) -> None:
    """Take in of each series the last reading before all windows, where it is needed and still known."""
    reaches = {
        number: series.plan.rules.reach
        for number, series in everything.by_id.items()
        if series.plan.looks_before
    }
    if not reaches:
        return
    begin = everything.grid.edge(everything.slot) - max(reaches.values())
    found: dict[int, tuple[float, float]] = {}
    for number, time, value in stored.timed(begin, everything.grid.edge(everything.first)):
        if number in reaches:
            found[number] = time, value
    for number, reading in found.items():
        everything.by_id[number].append(*reading)


def _take_newest(stored: StoredReadings, spans: Mapping[int, tuple[float, float]]) -> dict[int, At]:
    """Return the newest reading of each series, which lies in its span."""
    newest: dict[int, tuple[float, float]] = {}
    for span in sorted(set(spans.values())):
        for number, time, value in stored.timed(*span):
            newest[number] = time, value
    return {number: At(*reading) for number, reading in newest.items()}


def _known(everything: AllSeries, number: int) -> SeriesStatistics:
    series = everything.by_id.get(number) or everything.find(number)
    if series is None:
        raise UnknownSeries(number)
    return series
