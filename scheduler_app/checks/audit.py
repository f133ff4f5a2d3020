"""Compares what was published with what is stored."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from config.quantities import Window
from config.streams import RETENTION_MARGIN, Streams, stream_of_series
from config.text import printable
from models.catalog import SeriesRow
from models.storage.records import Columns, Snapshot
from scheduler_app.checks.recomputation import (
    Given,
    Result,
    UnknownStatistic,
    difference,
    is_off,
    recompute,
    recompute_age,
)
from scheduler_app.formatting import moment_text
from scheduler_app.publishing.messages import AVERAGE_PREFIX, window_length
from scheduler_app.publishing.records import SeriesMessage, TickMark

# What is audited beside the statistics.
COVERAGE = "coverage"
AGE = "age"
OVERALL = "overall avg"
_LATEST = "latest reading"
# What is computed by the keys of the stream, and needs the reading before the window.
_BY_THE_STREAM = frozenset(("rate", "time_weighted_avg"))
_PRUNED = "windows that may have lost readings to pruning since then"
_ELSEWHERE = "messages of series that are not in this database"
_OTHER_STREAM = "values that need the subscriber's STREAMS_FILE, which is not this one"


# Whether the reading of a sequence is in a tick.
Known = Callable[[int], bool]


@dataclass
class Finding:
    """Of one statistic: how many were compared, and where the largest difference was, if there was one."""

    compared: int = 0
    largest: float = 0.0
    where: str = ""
    off: int = 0


class Audit:
    """Recomputes published statistics from a snapshot that was read after they were published.

    Windows that may have lost readings since are skipped, and counted with the reason.
    """

    def __init__(self, stored: Snapshot, read_at: float, ahead: int, streams: Streams) -> None:
        """Build it.

        `read_at`: when the snapshot was complete, in UTC epoch seconds. `ahead`: how far ahead of
        the clock a window reaches, in milliseconds. `streams`: those of the subscriber.
        """
        self.findings: dict[str, Finding] = {}
        self.skipped: Counter[str] = Counter()
        self._stored = stored
        self._read_at = read_at
        self._ahead = ahead
        self._streams = {
            row.id: stream_of_series(streams, row.name, row.topic, row.field)
            for row in stored.series.values()
        }
        # By the time and the sequence of a tick of several members: up to which sequence each of them counts.
        self._marks: dict[tuple[float, int], Mapping[str, int]] = {}
        self._shortest_retention = min((row.retention for row in stored.series.values()), default=0.0)

    @property
    def compared(self) -> int:
        return sum(finding.compared for finding in self.findings.values())

    @property
    def off(self) -> int:
        """How many statistics are not what they must be."""
        return sum(finding.off for finding in self.findings.values())

    def note(self, tick: TickMark) -> None:
        """Take note of a tick before anything of it is compared: of several members it says what is in it."""
        if tick.members is not None:
            self._marks[tick.at, tick.sequence] = tick.members

    def check_series(self, message: SeriesMessage) -> None:
        """Compare everything in the message of a series."""
        row = self._stored.series.get(message.series)
        if row is None:
            self.skipped[_ELSEWHERE] += 1
            return
        known = self._known(message.at, message.sequence, _ELSEWHERE)
        if known is None:
            return
        readings = self._stored.readings[row.id]
        horizon = self._read_at - row.retention
        self._check_latest(message, readings, horizon, known)
        for name, published in message.windows.items():
            given = self._given(message, name, (readings, known), horizon)
            if given is not None:
                self._check_window(message, name, published, row, given)

    def check_overall(self, averages: Mapping[str, float | None], at: float, sequence: int) -> None:
        """Compare the averages of all readings at the tick `at`, up to `sequence`."""
        known = self._known(at, sequence, "overall averages that belong to another database")
        if known is None:
            return
        horizon = self._read_at - self._shortest_retention
        together = [
            readings
            for series, readings in self._stored.readings.items()
            if (stream := self._streams.get(series)) is None or stream.overall
        ]
        for key, value in averages.items():
            window = key.removeprefix(AVERAGE_PREFIX)
            if window_length(window) is None:
                self.skipped["overall averages under a name that is not a window"] += 1
                continue
            begin, end = self._edges(at, window)
            if begin < horizon:
                self.skipped[_PRUNED] += 1
                continue
            values: list[float] = []
            for readings in together:
                values += _inside(readings, begin, end, known)[1]
            self._compare(OVERALL, value, recompute("avg", Given(at, (), values)), key, at)

    def _check_window(
        self,
        message: SeriesMessage,
        name: str,
        published: Mapping[str, float | None],
        row: SeriesRow,
        given: Given,
    ) -> None:
        stream = self._streams[row.id]
        as_asked = stream is not None and set(stream.statistics) <= set(published)
        if (AGE in published) != (given.hold is not None):
            self.skipped[_OTHER_STREAM] += 1
            return
        for statistic, value in published.items():
            if statistic in _BY_THE_STREAM and not as_asked:
                self.skipped[_OTHER_STREAM] += 1
                continue
            if statistic == COVERAGE:
                covered = (message.at - row.since) / Window.parse(name).seconds
                result = Result(min(1.0, max(0.0, covered)))
            elif statistic == AGE:
                result = recompute_age(given)
            else:
                try:
                    result = recompute(statistic, given)
                except UnknownStatistic:
                    self.skipped["values under a name that is not a statistic"] += 1
                    continue
            self._compare(statistic, value, result, f"{message.series} {name}", message.at)

    def _known(self, at: float, sequence: int, elsewhere: str) -> Known | None:
        """Return which readings are in a tick; None if that cannot be told, which is counted.

        `elsewhere` is the reason where the tick is newer than all that is stored.
        """
        batches = self._stored.batches
        if batches is None or not self._marks:
            if sequence <= self._stored.sequence:
                return lambda each: each <= sequence
            self.skipped[elsewhere] += 1
            return None
        members = self._marks.get((at, sequence))
        if members is None:
            self.skipped["messages of ticks whose metrics did not come"] += 1
            return None
        if any(number > batches.latest.get(member, 0) for member, number in members.items()):
            self.skipped[elsewhere] += 1
            return None

        def known(each: int) -> bool:
            member = batches.member_of(each)
            return member is None or each <= members.get(member, 0)

        return known

    def _given(
        self, message: SeriesMessage, window: str, stored: tuple[Columns, Known], horizon: float
    ) -> Given | None:
        """Return what is known of a window, None if some of it may be pruned by now."""
        readings, known = stored
        begin, end = self._edges(message.at, window)
        if begin < horizon:
            self.skipped[_PRUNED] += 1
            return None
        given = Given(message.at, *_inside(readings, begin, end, known), begin)
        stream = self._streams[self._stored.series[message.series].id]
        if stream is None:
            return given
        earliest = message.at - (stream.retention - RETENTION_MARGIN)
        before = _last_until(readings, begin, known)
        if before is not None and before[0] <= earliest:
            before = None
        if before is None and earliest < horizon and (stream.hold or _BY_THE_STREAM & set(stream.statistics)):
            self.skipped[_PRUNED] += 1
            return None
        return given._replace(before=before, hold=stream.hold, reset_below=stream.reset_below, per=stream.per)

    def _edges(self, at: float, window: str) -> tuple[float, float]:
        """Return where a window of W is: it holds at - W < time <= at + ahead, in whole milliseconds."""
        milliseconds = round(at * 1000)
        begin = milliseconds - Window.parse(window).milliseconds
        return begin / 1000, (milliseconds + self._ahead) / 1000

    def _check_latest(self, message: SeriesMessage, readings: Columns, horizon: float, known: Known) -> None:
        if message.last_time < horizon:
            self.skipped["latest readings that may have been pruned since then"] += 1
            return
        time, value = _last_until(readings, math.inf, known) or (None, None)
        where = f"{message.series} latest"
        self._compare(_LATEST, message.last, Result(value), where, message.at)
        self._compare(_LATEST, message.last_time, Result(time), where, message.at)

    def _compare(
        self, statistic: str, published: float | None, result: Result, where: str, at: float
    ) -> None:
        finding = self.findings.setdefault(statistic, Finding())
        finding.compared += 1
        # by the rule of the statistic that it is one of
        rule = {OVERALL: "avg", _LATEST: "last"}.get(statistic, statistic)
        distance = difference(rule, published, result)
        if distance > finding.largest:
            finding.largest = distance
            finding.where = f"{printable(where)} at {moment_text(at)}"
        finding.off += is_off(rule, distance)


def _inside(readings: Columns, begin: float, end: float, known: Known) -> tuple[list[float], list[float]]:
    """Return times and values of the `known` readings with `begin` < time <= `end`."""
    places = range(bisect_right(readings.times, begin), bisect_right(readings.times, end))
    inside = [place for place in places if known(readings.sequences[place])]
    return [readings.times[place] for place in inside], [readings.values[place] for place in inside]


def _last_until(readings: Columns, end: float, known: Known) -> tuple[float, float] | None:
    """Return time and value of the last `known` reading with time <= `end`, None without one."""
    for place in reversed(range(bisect_right(readings.times, end))):
        if known(readings.sequences[place]):
            return readings.times[place], readings.values[place]
    return None
