"""The stored readings of one series in a span of time, and how they were averaged."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from config.quantities import Window
from models.catalog import SeriesRow
from models.statistics.rolling_average import averages_at, rolling_averages
from models.storage.interface import ReadingStore
from models.storage.records import RejectedRow

# So many readings of a series are read at most, and so many rejected messages.
MOST_READINGS = 100_000
MOST_REJECTED = 1000
# Seconds that reading may take. Then the answer is the newest part of what was asked for.
PATIENCE = 3.0
LEAST_PATIENCE, MOST_PATIENCE = 0.05, 10.0
# Seconds of event time that are read first; from there on as much at once as takes about so long to read.
# While a transaction reads, the write-ahead log cannot be emptied: so each is short.
_FIRST_PIECE = 10.0
_ONE_PIECE = 0.05
# Seconds between two points of a curve.
_STEPS = (
    *(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0),
    *(60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0, 43200.0),
)


class Span(NamedTuple):
    """The times with `after` < time <= `until`, in UTC epoch seconds."""

    after: float
    until: float


# A reading: time, sequence, value.
Row = tuple[float, int, float]


@dataclass(frozen=True)
class SeriesHistory:
    """What is stored of a series in `span`, and before it as much as the windows need."""

    series: SeriesRow
    span: Span
    # In the order of time, from before the span.
    rows: Sequence[Row]
    # Behind which time all readings were read; later than was asked for if that would have been too much.
    read_after: float
    # From which time on no readings have been deleted yet.
    kept_after: float
    rejected: Sequence[RejectedRow]
    # Seconds that reading it took.
    took: float = 0.0

    @property
    def inside(self) -> list[Row]:
        return [row for row in self.rows if self.begins < row[0] <= self.span.until]

    @property
    def begins(self) -> float:
        """Behind which time the answer has all readings of the span."""
        return max(self.span.after, self.read_after)

    @property
    def complete(self) -> bool:
        """Whether all readings of the span are in the answer."""
        return self.begins <= self.span.after

    def complete_from(self, window: Window) -> float:
        """Return from which time on all readings of a window are there to be averaged."""
        return max(self.read_after, self.kept_after) + window.seconds


class HistoryReader:
    """Reads histories in pieces, each in a transaction of its own."""

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
        most: int = MOST_READINGS,
    ) -> None:
        """`now` tells UTC epoch seconds, `elapsed` the seconds of a clock that never jumps."""
        self._now = now
        self._elapsed = elapsed
        self._most = most

    def read(
        self,
        stored: ReadingStore,
        series: SeriesRow,
        span: Span,
        longest: float,
        patience: float = PATIENCE,
    ) -> SeriesHistory:
        """Read what is stored of a series, from `longest` seconds before the span to its end.

        The newest comes first; after `patience` seconds there is no more.
        """
        kept = self._now() - series.retention
        # a series that began since then has lost none of its readings
        kept_after = -math.inf if series.since > kept else kept
        begin = span.after - longest
        newest_first: list[Row] = []
        until, width, start = span.until, _FIRST_PIECE, self._elapsed()
        while until > begin:
            after = max(begin, until - width)
            before = self._elapsed()
            wanted = self._most - len(newest_first)
            found = stored.readings_between(series.id, after, until, wanted)
            newest_first += found
            if len(found) == wanted:
                # of what came at the time of the oldest one there may be more
                until = newest_first[-1][0]
                break
            until = after
            now = self._elapsed()
            if now - start > patience:
                break
            width *= min(4.0, max(0.25, _ONE_PIECE / max(now - before, 1e-6)))
        rejected = stored.rejected_on(series.topic, span.after, span.until, MOST_REJECTED)
        took = self._elapsed() - start
        return SeriesHistory(series, span, newest_first[::-1], until, kept_after, rejected[::-1], took)


def moments_of(history: SeriesHistory, most: int, now: float) -> list[float]:
    """Return at which times (UTC epoch seconds) the averages are shown: evenly spaced, `most` at most.

    None is later than `now`. They are whole multiples of their distance, so that they stay where they are
    when the span moves on.
    """
    begin, until = history.begins, min(history.span.until, now)
    step = nice_step((history.span.until - begin) / most)
    first, last = math.floor(begin / step) + 1, math.floor(until / step)
    return [number * step for number in range(first, last + 1)][-most:]


def curve(history: SeriesHistory, window: Window, moments: Sequence[float]) -> list[float | None]:
    """Return the rolling average of a window at each moment; None where the window was empty."""
    return averages_at([(time, value) for time, _, value in history.rows], window.seconds, moments)


def at_readings(history: SeriesHistory, window: Window) -> list[float | None]:
    """Return the rolling average at each reading inside the span; None where its window is not whole."""
    readings = [(time, value) for time, _, value in history.rows]
    complete = history.complete_from(window)
    averages = rolling_averages(readings, window.seconds)
    return [
        average if at >= complete else None
        for (at, _), average in zip(readings, averages, strict=True)
        if history.begins < at <= history.span.until
    ]


def nice_step(least: float) -> float:
    """Return the smallest step of at least so many seconds that divides a day evenly; whole days above."""
    return next((step for step in _STEPS if step >= least), 86400.0 * math.ceil(least / 86400.0))


def thinned(rows: Sequence[Row], most: int) -> list[Row]:
    """Return at most `most` of the rows: of those in one part of the time the lowest and the highest."""
    if len(rows) <= most:
        return list(rows)
    begin, length = rows[0][0], rows[-1][0] - rows[0][0]
    parts = max(1, most // 2)
    kept: list[Row] = []
    part: list[Row] = []
    place = 0
    for row in rows:
        here = min(parts - 1, int((row[0] - begin) / length * parts)) if length else 0
        if here != place:
            kept += _extremes(part)
            part, place = [], here
        part.append(row)
    return kept + _extremes(part)


def delayed(rows: Sequence[Row]) -> list[float]:
    """Return the times of the readings that were taken in after a later one, in order."""
    found = []
    # going back in time, the smallest sequence that a later reading has
    smallest = float("inf")
    for time_, sequence, _ in reversed(rows):
        if sequence > smallest:
            found.append(time_)
        smallest = min(smallest, sequence)
    return found[::-1]


def _extremes(part: Sequence[Row]) -> list[Row]:
    if len(part) < 2:
        return list(part)
    return sorted({min(part, key=lambda row: row[2]), max(part, key=lambda row: row[2])})
