"""Rolling statistics that cost what arrived and what left, not what is stored."""

import math
import threading
from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from models.catalog import Catalog, SeriesRow
from models.reading import Reading
from models.statistics.exact import expansion
from models.statistics.formulas import Content, accumulators, compute, needs_order
from models.statistics.grid import Edges, Grid
from models.statistics.ordered import At, Ordered, TimeEdges
from models.statistics.sums import Sums
from models.storage import queries as history
from models.storage.connection import Database
from models.storage.transaction import reading

# So many readings of a series are taken apart at once: Python's own numbers take several times their memory.
_CHUNK = 10_000


@dataclass(frozen=True)
class WindowAverage:
    """The average of one window; None with count 0."""

    mean: float | None
    count: int


class Plan(NamedTuple):
    """What is computed of a series: for each window (name, length in milliseconds) these statistics."""

    windows: tuple[tuple[str, int], ...]
    statistics: tuple[str, ...]


class _Frame:
    """The edges of windows of the same lengths, which all series that have such windows share."""

    def __init__(self, grid: Grid, lengths: Sequence[int], ahead: int) -> None:
        """`lengths` and `ahead`: milliseconds; windows reach so far ahead of the clock."""
        self._grid = grid
        self._lengths = tuple(grid.steps(length) for length in lengths)
        self._ahead = grid.steps(ahead)
        self.move(0)

    def move(self, at: int) -> None:
        """Move to the windows at the end of step `at`; those before stay known as `old`."""
        self.edges = Edges(tuple(at - length for length in self._lengths), at + self._ahead)
        # What is not after it is in no window.
        self.first = min(self.edges.afters)
        edge = self._grid.edge
        self.times = TimeEdges(tuple(edge(after) for after in self.edges.afters), edge(self.edges.until))


class SeriesStatistics:
    """The windows of one series at the latest tick."""

    __slots__ = ("_ordered", "_plan", "_sums", "frame", "newest", "row")

    def __init__(self, row: SeriesRow, plan: Plan, frame: _Frame) -> None:
        self.row = row
        # The latest of all its readings, also of those that no window holds any more.
        self.newest = At(float("-inf"), 0.0)
        self._plan = plan
        self.frame = frame
        self._sums = Sums(len(plan.windows))
        self._ordered: Ordered | None = None
        if needs_order(plan.statistics):
            self._ordered = Ordered([accumulators(plan.statistics) for _ in plan.windows])

    @property
    def ordered(self) -> bool:
        """Whether it needs each reading, not only sums."""
        return self._ordered is not None

    def add(self, step: int, values: Sequence[float]) -> Sequence[float]:
        """Add readings that lie in one step of time; return few floats that have the same sum."""
        return self._sums.add(step, len(values), values, self.frame.edges)

    def insert(self, times: Sequence[float], values: Sequence[float], latest: float) -> None:
        """Put the same readings in order, if that is needed; note the newest. `latest` is of the times."""
        if latest >= self.newest.time:
            place = len(times) - 1
            while times[place] != latest:
                place -= 1
            self.newest = At(latest, values[place])
        if self._ordered is not None:
            for time, value in zip(times, values, strict=True):
                self._ordered.insert(time, value, self.frame.times)

    def remember(self, step: int, values: Sequence[float]) -> Sequence[float]:
        """Take readings that lie in one step, the latest so far; then `fill`.

        Returns few floats that have the same sum.
        """
        parts = expansion(values)
        if step > self.frame.first:
            self._sums.remember(step, len(values), parts)
        return parts

    def append(self, time: float, value: float) -> None:
        """Take the next reading in the order of time, if order is needed; then `fill`."""
        if self._ordered is not None:
            self._ordered.append(time, value)

    def fill(self) -> None:
        """Fill the windows with all that has been taken."""
        self._sums.fill(self.frame.edges)
        if self._ordered is not None:
            self._ordered.fill(self.frame.times)

    def move(self, old: Edges, old_times: TimeEdges) -> None:
        """Move from the edges given to those of the frame."""
        self._sums.move(old, self.frame.edges)
        if self._ordered is not None:
            self._ordered.move(old_times, self.frame.times)

    def windows(self, at: float) -> Iterator[tuple[str, dict[str, float | int | None]]]:
        """Yield each window's name and statistics at the tick `at` (UTC epoch seconds).

        Beside those of the plan each has its `count`, and as `coverage` the part of it for which
        there is history: 1 if the first reading of the series is older than the window.
        """
        age = at - self.row.since
        for window, (name, milliseconds) in enumerate(self._plan.windows):
            count = self._sums.counts[window]
            covered = age / (milliseconds / 1000)
            result: dict[str, float | int | None] = {
                "count": count,
                "coverage": 1.0 if covered >= 1.0 else max(0.0, covered),
            }
            content = self._content(window, at) if count else None
            for statistic in self._plan.statistics:
                if statistic != "count":
                    result[statistic] = None if content is None else compute(statistic, content)
            yield name, result

    def _content(self, window: int, at: float) -> Content:
        total, count = self._sums.totals[window], self._sums.counts[window]
        if self._ordered is None:
            return Content(at, count, total)
        times = self.frame.times
        ends = self._ordered.inside(times.afters[window], times.until)
        return Content(at, count, total, ends, self._ordered.windows[window])


class _Pool:
    """Gathers what series add in one go, for the sums over all of them."""

    def __init__(self, sums: Sums, frame: _Frame) -> None:
        self._sums = sums
        self._frame = frame
        self._counts: defaultdict[int, int] = defaultdict(int)
        self._parts: defaultdict[int, list[float]] = defaultdict(list)

    def add(self, step: int, count: int, parts: Sequence[float]) -> None:
        """Add to a step of time `count` readings with the sum of `parts`."""
        self._counts[step] += count
        self._parts[step] += parts

    def flush(self) -> None:
        for step, count in self._counts.items():
            self._sums.add(step, count, self._parts[step], self._frame.edges)


class RollingStatistics:
    """The statistics of all series, and the average of all readings together, over windows that end now.

    A window of W seconds at time `at` holds the readings with `at - W < time`, up to `ahead`
    milliseconds ahead of `at`. One thread feeds in what it has stored, another ticks. Ticks are
    taken at whole steps of the grid. What is carried from tick to tick is rebuilt from the
    database at the start, and when the clock was set back.
    """

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        *,
        plan_of: Callable[[SeriesRow], Plan],
        pooled: Sequence[int],
        ahead: int,
        grid: Grid,
    ) -> None:
        """`pooled`: the lengths of the windows over all readings, in milliseconds."""
        # Gets the event time of the newest reading of each series, when the database has been read.
        self.when_loaded: Callable[[Mapping[int, float]], object] = lambda newest: None
        self._database = database
        self._catalog = catalog
        self._plan_of = plan_of
        self._grid = grid
        self._ahead = ahead
        self._pooled_frame = _Frame(grid, pooled, ahead)
        self._pooled_lengths = pooled
        self._lock = threading.Lock()
        # What was stored since the last tick, for each series: time, value, time, value …
        self._arrived: dict[int, array[float]] = {}
        self._arrived_sequence = 0
        # What was stored since the database began to be read, with its sequence; None when that is done.
        self._waiting: list[tuple[int, Sequence[Reading]]] | None = []
        self._removed: set[int] = set()
        self._clear()

    def feed(self, readings: Sequence[Reading], sequence: int) -> None:
        """Take in what has been stored, `sequence` being the last one's. Safe in any thread."""
        with self._lock:
            if self._waiting is None:
                self._take(readings, sequence)
            else:
                self._waiting.append((sequence, readings))

    def remove(self, series: int) -> None:
        """Forget a series that has no readings any more. Safe in any thread."""
        with self._lock:
            self._removed.add(series)

    def advance(self, now: float) -> None:
        """Move all windows to the latest whole step before `now` (UTC epoch seconds).

        Raises UnreadableDatabase. If it raises, the next call begins anew, from the database.
        """
        step = self._grid.last_edge(now)
        try:
            if self._waiting is None and step >= self._step:
                self._take_arrived()
                self._move(step)
            else:
                self._load(step)
        except BaseException:
            with self._lock:
                self._waiting = self._waiting or []
            raise

    @property
    def at(self) -> float:
        """The time of the latest tick, in UTC epoch seconds."""
        return self._grid.edge(self._step)

    def pooled(self) -> list[WindowAverage]:
        """Return the average of all readings in each window, in order."""
        return [
            WindowAverage(total.mean(count) if count else None, count)
            for total, count in zip(self._pool.totals, self._pool.counts, strict=True)
        ]

    def series(self) -> Iterable[SeriesStatistics]:
        """Return all series, each as at the latest tick."""
        return self._series.values()

    def _clear(self) -> None:
        self._step = 0
        # The sequence up to which all stored readings are taken in.
        self.sequence = 0
        self._frames: dict[tuple[int, ...], _Frame] = {}
        self._series: dict[int, SeriesStatistics] = {}
        self._pool = Sums(len(self._pooled_lengths))

    def _take(self, readings: Sequence[Reading], sequence: int) -> None:
        arrived = self._arrived
        for series, time, value, _ in readings:
            flat = arrived.get(series)
            if flat is None:
                flat = arrived[series] = array("d")
            flat.append(time)
            flat.append(value)
        self._arrived_sequence = sequence

    def _take_arrived(self) -> None:
        with self._lock:
            arrived, self._arrived = self._arrived, {}
            removed, self._removed = self._removed, set()
            self.sequence = self._arrived_sequence
        pool = _Pool(self._pool, self._pooled_frame)
        for number, flat in arrived.items():
            if number not in self._series and self._catalog.row(number) is None:
                continue  # pruned and removed since it came, so old was it: it is in no window
            series = self._find(number)
            for begin in range(0, len(flat), 2 * _CHUNK):
                mixed = flat[begin : begin + 2 * _CHUNK].tolist()
                self._add(series, mixed[0::2], mixed[1::2], pool)
        pool.flush()
        for number in removed:
            self._series.pop(number, None)

    def _add(
        self, series: SeriesStatistics, times: Sequence[float], values: Sequence[float], pool: _Pool
    ) -> None:
        in_order = sorted(times)  # quicker than min and max, as nearly always they are in order
        present = self._step + 1  # the step that ends with this tick, in which nearly all lie
        if self._grid.edge(self._step) < in_order[0] and in_order[-1] <= self._grid.edge(present):
            pool.add(present, len(values), series.add(present, values))
        else:
            for step, some in self._by_step(in_order, times, values):
                pool.add(step, len(some), series.add(step, some))
        series.insert(times, values, in_order[-1])

    def _by_step(
        self, in_order: Sequence[float], times: Sequence[float], values: Sequence[float]
    ) -> Iterator[tuple[int, Sequence[float]]]:
        """Yield the values apart by the step of time they lie in; `in_order` are their `times`, sorted."""
        if times != in_order:
            values = [value for _, value in sorted(zip(times, values, strict=True))]
        begin = 0
        while begin < len(in_order):
            step = self._grid.step(in_order[begin])
            end = bisect_right(in_order, self._grid.edge(step), begin)
            yield step, values[begin:end]
            begin = end

    def _move(self, step: int) -> None:
        frames = [*self._frames.values(), self._pooled_frame]
        old = {frame: (frame.edges, frame.times) for frame in frames}
        for frame in frames:
            frame.move(step)
        for series in self._series.values():
            series.move(*old[series.frame])
        self._pool.move(old[self._pooled_frame][0], self._pooled_frame.edges)
        self._step = step

    def _load(self, step: int) -> None:
        """Begin anew, from what is stored."""
        with self._lock:
            # what was fed before is stored already, and will be read
            self._waiting = self._waiting or []
            self._arrived = {}
        self._clear()
        self._step = step
        self._pooled_frame.move(step)
        # one transaction: all queries see the same rows
        with reading(self._database), self._database.atomic():
            self.sequence = history.latest_sequence(self._database)
            self._read(history.StoredReadings(self._database))
        with self._lock:
            self._arrived_sequence = self.sequence
            for sequence, readings in self._waiting:
                if sequence > self.sequence:
                    self._take(readings, sequence)
            self._waiting = None
        self._take_arrived()
        self.when_loaded({series.row.id: series.newest.time for series in self._series.values()})

    def _read(self, stored: history.StoredReadings) -> None:
        """Take in all stored readings."""
        for number in stored.series:
            if self._catalog.row(number) is not None:  # or it has just been removed
                self._find(number)
        begin = self._grid.edge(min(frame.first for frame in (self._pooled_frame, *self._frames.values())))
        newest = self._read_newest(stored, self._read_sums(stored, begin))
        self._series = {number: series for number, series in self._series.items() if number in newest}
        if any(series.ordered for series in self._series.values()):
            for number, time, value in stored.timed(begin):
                self._series[number].append(time, value)
        for number, series in self._series.items():
            series.newest = newest[number]
            series.fill()
        self._pool.fill(self._pooled_frame.edges)

    def _read_sums(self, stored: history.StoredReadings, begin: float) -> dict[int, tuple[float, float]]:
        """Take in counts and sums from `begin` on; return the span in which each series has its newest.

        What lies before is in no window. The times are not read: that would take as long as the values.
        """
        spans = dict.fromkeys(self._series, (-math.inf, begin))
        after = begin
        while (time := stored.next_time(after)) is not None:
            step = self._grid.step(time)
            span = after, self._grid.edge(step)
            for by_series in stored.values(*span):
                parts: list[float] = []
                for number, values in by_series.items():
                    parts += self._series[number].remember(step, values)
                self._pool.remember(step, sum(map(len, by_series.values())), expansion(parts))
                spans.update(dict.fromkeys(by_series, span))
            _, after = span
        return spans

    def _read_newest(
        self, stored: history.StoredReadings, spans: Mapping[int, tuple[float, float]]
    ) -> dict[int, At]:
        """Return the newest reading of each series, which lies in its span."""
        newest: dict[int, tuple[float, float]] = {}
        for span in sorted(set(spans.values())):
            for number, time, value in stored.timed(*span):
                newest[number] = time, value
        return {number: At(*reading) for number, reading in newest.items()}

    def _find(self, number: int) -> SeriesStatistics:
        series = self._series.get(number)
        if series is None:
            row = self._catalog.row(number)
            assert row is not None, "a reading of no series"
            plan = self._plan_of(row)
            lengths = tuple(length for _, length in plan.windows)
            frame = self._frames.get(lengths)
            if frame is None:
                frame = self._frames[lengths] = _Frame(self._grid, lengths, self._ahead)
                frame.move(self._step)
            series = self._series[number] = SeriesStatistics(row, plan, frame)
        return series
