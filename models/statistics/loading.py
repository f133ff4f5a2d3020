"""How the statistics begin: from all readings that are stored, or from what is noted of them."""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import compress
from typing import Protocol, runtime_checkable

from models.statistics.all_series import AllSeries
from models.statistics.series import SeriesStatistics
from models.statistics.span import At
from models.statistics.sums import Sums

# It is looked whether to go on after so many readings.
_LOOK_AFTER = 4096
# So many readings of a slot are held at once.
_PART = 100_000
# The times `after` < time <= `until`, in UTC epoch seconds.
Span = tuple[float, float]


class StoredReadings(Protocol):
    """All readings that are stored, as they are at one moment.

    They are asked for by spans of time: the times `after` < time <= `until`, in UTC epoch seconds.
    """

    @property
    def series(self) -> Sequence[int]:
        """The ids of all series."""

    def latest_sequence(self) -> int:
        """Return the sequence of the reading that was stored last, 0 if there was none."""

    def timed(self, after: float, until: float = math.inf) -> Iterator[tuple[int, float, float]]:
        """Yield (series, time, value) of a span in the order of time, then of arrival."""


# Columns with a row for each series, sometimes more: its id, how many readings, and two floats with the same
# sum; and floats that have the same sum as the readings of all these series.
SumsOfSeries = tuple[Sequence[int], Sequence[int], Sequence[float], Sequence[float], Sequence[float]]


class SummedSlot(Protocol):
    """What the readings of a slot of time add up to: `after` < time <= `until`, in UTC epoch seconds."""

    @property
    def after(self) -> float: ...
    @property
    def until(self) -> float: ...
    @property
    def sums(self) -> Sequence[SumsOfSeries]: ...
    @property
    def rest(self) -> Mapping[int, Sequence[float]]:
        """The values that are not in the sums, by the ids of their series."""


@runtime_checkable
class SummedReadings(StoredReadings, Protocol):
    """What readings are beside that if it may be noted what those of ended slots add up to."""

    def next_time(self, after: float) -> float | None:
        """Return the time of the first reading later than `after`, None if there is none."""

    def values(self, after: float, until: float) -> Iterator[Mapping[int, list[float]]]:
        """Yield the values of a span by the ids of the series, in parts."""

    def summed(self, slot_length: int, after: float) -> Iterator[SummedSlot]:
        """Yield what is noted of slots of so many milliseconds that begin at `after` or later, in order."""

    def timed_of(
        self, series: Collection[int], after: float, until: float = math.inf
    ) -> Iterator[tuple[int, float, float]]:
        """Yield as `timed` does what is of these series: quicker than all, where they are few."""


class Source(Protocol):
    """Where readings are stored."""

    def snapshot(self) -> AbstractContextManager[StoredReadings]:
        """Have one moment's readings while inside; what is committed meanwhile is not among them."""


class UnknownSeries(Exception):
    """A stored reading is of a series that nobody knows, perhaps because it has begun this moment."""


def load(everything: AllSeries, stored: StoredReadings, look: Callable[[], object]) -> None:
    """Take all stored readings into `everything`, which is empty. Raises UnknownSeries.

    It may take long. `look` is called several times a second, and ends it by what it raises.
    """
    for number in stored.series:
        everything.find(number)  # or it has just been removed
    if isinstance(stored, SummedReadings):
        newest = _take_newest(stored, _take_sums(everything, stored, look), look)
    else:
        newest = _take_each(everything, stored, look)
    for number in everything.by_id.keys() - newest.keys():
        everything.remove(number)
    _take_readings_before(everything, stored, look)
    in_order = {number for number, series in everything.by_id.items() if series.in_order}
    for number, time, value in _timed(stored, look, in_order, everything.grid.edge(everything.first)):
        everything.by_id[number].append(time, value)
    for number, series in everything.by_id.items():
        series.newest = newest[number]
    everything.fill(look)


class _SumsLoader:
    """Takes in counts and sums, in the order of time; what lies before all windows is left out."""

    def __init__(self, everything: AllSeries, stored: SummedReadings, look: Callable[[], object]) -> None:
        self._everything = everything
        self._stored = stored
        self._look = look
        # The span of time in which each series has its newest reading.
        self.spans = dict.fromkeys(everything.by_id, (-math.inf, everything.grid.edge(everything.first)))
        # Whether all series are in the averages over all readings together, as nearly always.
        self._all_together = all(series.plan.overall for series in everything.by_id.values())
        # Columns mostly have the same series as those at their place in the slot before: their ids, and who
        # takes which rows.
        self._takers: dict[int, tuple[Sequence[int], list[tuple[Sums, list[bool]]]]] = {}

    def take_readings(self, after: float, until: float) -> None:
        """Take in the readings of a span. Times are not read: that would take as long as the values."""
        grid = self._everything.grid
        while after < until and (time := self._stored.next_time(after)) is not None and time <= until:
            slot = grid.slot(time)
            span = after, min(until, grid.edge(slot))
            for by_series in self._stored.values(*span):
                self._look()
                _take_values(self._everything, slot, by_series)
                self.spans.update(dict.fromkeys(by_series, span))
            _, after = span

    def take_summed(self, summed: SummedSlot) -> None:
        """Take in a slot of which the sums are noted."""
        self._look()
        slot = self._everything.grid.slot(summed.until)
        span = summed.after, summed.until
        for place, sums in enumerate(summed.sums):
            numbers, counts, highs, lows, _ = sums
            known, takers = self._takers.get(place, ((), []))
            if numbers != known:
                takers = self._find_takers(numbers)
                self._takers[place] = numbers, takers
            for taker, taken in takers:
                if len(takers) == 1:  # as nearly always
                    taker.extend(slot, numbers, counts, highs, lows)
                else:
                    rows = zip(numbers, counts, highs, lows, strict=True)
                    taker.extend(slot, *zip(*compress(rows, taken), strict=True))
            self._take_together(slot, sums)
            self.spans.update(dict.fromkeys(numbers, span))
        if summed.rest:
            _take_values(self._everything, slot, summed.rest)
            self.spans.update(dict.fromkeys(summed.rest, span))

    def _find_takers(self, numbers: Sequence[int]) -> list[tuple[Sums, list[bool]]]:
        """Return which sums take which of the series with these ids."""
        takers = [_known(self._everything, number).sums for number in numbers]
        return [(taker, [each is taker for each in takers]) for taker in dict.fromkeys(takers)]

    def _take_together(self, slot: int, sums: SumsOfSeries) -> None:
        """Take the sums of a slot into those over all series."""
        numbers, counts, highs, lows, parts = sums
        if not self._all_together:
            rows = [
                (count, high, low)
                for number, count, high, low in zip(numbers, counts, highs, lows, strict=True)
                if _known(self._everything, number).plan.overall
            ]
            counts = [count for count, _, _ in rows]
            parts = [part for _, *two in rows for part in two]
        self._everything.overall.add(slot, sum(counts), parts)


def _take_sums(everything: AllSeries, stored: SummedReadings, look: Callable[[], object]) -> dict[int, Span]:
    """Take in counts and sums; return the span of time in which each series has its newest reading."""
    loader = _SumsLoader(everything, stored, look)
    after = everything.grid.edge(everything.first)
    for summed in stored.summed(everything.grid.milliseconds, after):
        loader.take_readings(after, summed.after)
        loader.take_summed(summed)
        after = summed.until
    loader.take_readings(after, math.inf)
    return loader.spans


def _take_each(everything: AllSeries, stored: StoredReadings, look: Callable[[], object]) -> dict[int, At]:
    """Take in the counts and sums of readings that come one by one; return the newest of each series.

    They are asked for all at once, not slot by slot: there may be thousands of slots.
    """
    grid = everything.grid
    slot = everything.first
    begin = end = grid.edge(slot)
    newest: dict[int, tuple[float, float]] = {}
    by_series: defaultdict[int, list[float]] = defaultdict(list)
    held = 0
    for number, time, value in stored.timed(begin):
        if time > end or held == _PART:
            look()
            _take_values(everything, slot, by_series)
            slot = grid.slot(time)
            end = grid.edge(slot)
            by_series.clear()
            held = 0
        by_series[number].append(value)
        newest[number] = time, value
        held += 1
    _take_values(everything, slot, by_series)
    others = everything.by_id.keys() - newest.keys()
    for number, time, value in _timed(stored, look, others, -math.inf, begin):
        newest[number] = time, value
    return {number: At(*reading) for number, reading in newest.items()}


def _take_values(everything: AllSeries, slot: int, by_series: Mapping[int, Sequence[float]]) -> None:
    """Take in readings that lie in one slot."""
    if not by_series:
        return
    parts: list[float] = []
    count = sum(map(len, by_series.values()))
    for number, values in by_series.items():
        series = _known(everything, number)
        of_series = series.add(slot, values)
        if series.plan.overall:  # as nearly always
            parts += of_series
        else:
            count -= len(values)
    everything.overall.add(slot, count, parts)


def _take_readings_before(everything: AllSeries, stored: StoredReadings, look: Callable[[], object]) -> None:
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
    for number, time, value in _timed(stored, look, reaches, begin, everything.grid.edge(everything.first)):
        found[number] = time, value
    for number, reading in found.items():
        everything.by_id[number].append(*reading)


def _take_newest(
    stored: StoredReadings, spans: Mapping[int, Span], look: Callable[[], object]
) -> dict[int, At]:
    """Return the newest reading of each series, which lies in its span."""
    newest: dict[int, tuple[float, float]] = {}
    by_span: defaultdict[Span, set[int]] = defaultdict(set)
    for number, span in spans.items():
        by_span[span].add(number)
    for span, numbers in by_span.items():
        for number, time, value in _timed(stored, look, numbers, *span):
            newest[number] = time, value
    return {number: At(*reading) for number, reading in newest.items()}


def _timed(
    stored: StoredReadings,
    look: Callable[[], object],
    numbers: Collection[int],
    after: float,
    until: float = math.inf,
) -> Iterator[tuple[int, float, float]]:
    """Yield (series, time, value) of these series in a span in the order of time, then of arrival."""
    if not numbers:
        return
    if isinstance(stored, SummedReadings) and len(numbers) < len(stored.series):
        readings = stored.timed_of(numbers, after, until)
    else:
        readings = stored.timed(after, until)
    for place, reading in enumerate(readings):
        if not place % _LOOK_AFTER:
            look()
        if reading[0] in numbers:
            yield reading


def _known(everything: AllSeries, number: int) -> SeriesStatistics:
    series = everything.by_id.get(number) or everything.find(number)
    if series is None:
        raise UnknownSeries(number)
    return series
