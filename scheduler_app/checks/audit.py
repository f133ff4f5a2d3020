"""Compares what was published with what is stored."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from config.quantities import Window
from config.text import printable
from models.storage.records import Columns, Snapshot
from scheduler_app.checks.recomputation import Result, UnknownStatistic, difference, is_off, recompute
from scheduler_app.formatting import time_text
from scheduler_app.publishing.messages import AVERAGE_PREFIX, window_length
from scheduler_app.publishing.records import SeriesMessage

# What is audited beside the statistics.
COVERAGE = "coverage"
OVERALL = "overall avg"
_LATEST = "latest reading"


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

    def __init__(self, stored: Snapshot, read_at: float, ahead: int) -> None:
        """Build it.

        `read_at`: when the snapshot was complete, in UTC epoch seconds. `ahead`: how far ahead of
        the clock a window reaches, in milliseconds.
        """
        self.findings: dict[str, Finding] = {}
        self.skipped: Counter[str] = Counter()
        self._stored = stored
        self._read_at = read_at
        self._ahead = ahead
        self._shortest_retention = min((row.retention for row in stored.series.values()), default=0.0)

    @property
    def compared(self) -> int:
        return sum(finding.compared for finding in self.findings.values())

    @property
    def off(self) -> int:
        """How many statistics are not what they must be."""
        return sum(finding.off for finding in self.findings.values())

    def check_series(self, message: SeriesMessage) -> None:
        """Compare everything in the message of a series."""
        row = self._stored.series.get(message.series)
        if row is None or message.sequence > self._stored.sequence:
            self.skipped["messages of series that are not in DB_FILE"] += 1
            return
        readings = self._stored.readings[row.id]
        horizon = self._read_at - row.retention
        self._check_latest(message, readings, horizon)
        for name, published in message.windows.items():
            seconds = Window.parse(name).seconds
            where = f"{message.series} {name}"
            inside = self._inside(readings, message.at, name, message.sequence, horizon)
            if inside is None:
                continue
            times, values = inside
            for statistic, value in published.items():
                if statistic == COVERAGE:
                    covered = (message.at - row.since) / seconds
                    result = Result(min(1.0, max(0.0, covered)))
                else:
                    try:
                        result = recompute(statistic, message.at, times, values)
                    except UnknownStatistic:
                        self.skipped["values under a name that is not a statistic"] += 1
                        continue
                self._compare(statistic, value, result, where, message.at)

    def check_overall(self, averages: Mapping[str, float | None], at: float, sequence: int) -> None:
        """Compare the averages of all readings at the tick `at`, up to `sequence`."""
        if sequence > self._stored.sequence:
            self.skipped["overall averages that belong to another DB_FILE"] += 1
            return
        horizon = self._read_at - self._shortest_retention
        for key, value in averages.items():
            window = key.removeprefix(AVERAGE_PREFIX)
            if window_length(window) is None:
                self.skipped["overall averages under a name that is not a window"] += 1
                continue
            inside = self._inside(self._stored.overall, at, window, sequence, horizon)
            if inside is not None:
                self._compare(OVERALL, value, recompute("avg", at, *inside), key, at)

    def _inside(
        self, readings: Columns, at: float, window: str, sequence: int, horizon: float
    ) -> tuple[Sequence[float], Sequence[float]] | None:
        """Return times and values of a window, None if some of it may be pruned by now.

        A window of W holds at - W < time <= at + ahead; the edges are whole milliseconds.
        """
        milliseconds = round(at * 1000)
        after = (milliseconds - Window.parse(window).milliseconds) / 1000
        if after < horizon:
            self.skipped["windows that may have lost readings to pruning since then"] += 1
            return None
        begin = bisect_right(readings.times, after)
        end = bisect_right(readings.times, (milliseconds + self._ahead) / 1000)
        known = [place for place in range(begin, end) if readings.sequences[place] <= sequence]
        return [readings.times[place] for place in known], [readings.values[place] for place in known]

    def _check_latest(self, message: SeriesMessage, readings: Columns, horizon: float) -> None:
        if message.last_time < horizon:
            self.skipped["latest readings that may have been pruned since then"] += 1
            return
        place = len(readings.times) - 1
        while place >= 0 and readings.sequences[place] > message.sequence:
            place -= 1
        value, time = (readings.values[place], readings.times[place]) if place >= 0 else (None, None)
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
            finding.where = f"{printable(where)} at {time_text(at)}"
        finding.off += is_off(rule, distance)
