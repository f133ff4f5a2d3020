"""Publish the statistics of each series."""

import math
from array import array
from collections.abc import Callable

from models.series_message import SeriesMessage
from models.statistics.rolling import RollingStatistics, SeriesStatistics

# Seconds. What has not changed is published again all the same, so that its readers know it is alive.
_AT_LEAST_EVERY = 60.0


class SeriesPublisher:
    """Remembers what was published of each series, and publishes what has changed since."""

    def __init__(
        self, publish: Callable[[SeriesMessage], bool], when_failed: Callable[[str], object]
    ) -> None:
        """`publish` returns whether the message has gone out.

        `when_failed` gets the name of a series while an error is handled that its statistics or
        `publish` have raised.
        """
        self._publish = publish
        self._when_failed = when_failed
        # By series: when, and the hash of what.
        self._published: dict[int, tuple[float, int]] = {}

    def publish(self, statistics: RollingStatistics) -> None:
        """Publish each series whose statistics at the latest tick are new, or a minute old."""
        at, sequence = statistics.at, statistics.sequence
        for series in statistics.series():
            try:
                self._publish_one(series, at, sequence)
            except Exception:  # noqa: BLE001 - whatever is wrong with one, the others go out
                self._when_failed(series.row.name)

    def _publish_one(self, series: SeriesStatistics, at: float, sequence: int) -> None:
        row, newest = series.row, series.newest
        if newest.time <= at - row.retention:
            self._published.pop(row.id, None)  # it has aged out, and its message is cleared
            return
        windows = dict(series.windows(at))
        when, what = self._published.get(row.id, (float("-inf"), 0))
        present = _hash(newest.value, newest.time, windows)
        if present != what or not 0 <= at - when < _AT_LEAST_EVERY:
            message = SeriesMessage(row.name, at, sequence, newest.value, newest.time, windows)
            if self._publish(message):
                self._published[row.id] = at, present

    def publish_all_anew(self) -> None:
        """Have the next call publish all: on a new connection, the broker may have forgotten."""
        self._published.clear()


def _hash(value: float, time: float, windows: dict[str, dict[str, float | int | None]]) -> int:
    """Return a hash of what is published of a series, whose windows and statistics are always the same.

    Of the bytes: the hash of a float is the same for -1 and -2, and for 0 and -0. No statistic is NaN.
    """
    numbers = [value, time]
    for statistics in windows.values():
        numbers += [math.nan if number is None else number for number in statistics.values()]
    return hash(array("d", numbers).tobytes())
