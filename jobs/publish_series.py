"""Publish the statistics of each series."""

import json
from collections.abc import Callable

from models.rolling import RollingStatistics, SeriesStatistics

# Seconds. What has not changed is published again all the same, so that its readers know it is alive.
_AT_LEAST_EVERY = 60.0


class SeriesPublisher:
    """Remembers what was published of each series, and publishes what has changed since."""

    def __init__(self, publish: Callable[[str, str], bool], when_failed: Callable[[str], object]) -> None:
        """`publish` gets the name of a series and its message; it returns whether that has gone out.

        `when_failed` gets the name of a series while an error is handled that its statistics or
        `publish` have raised.
        """
        self._publish = publish
        self._when_failed = when_failed
        # By series: when, and the hash of what.
        self._published: dict[int, tuple[float, int]] = {}

    def publish(self, statistics: RollingStatistics) -> None:
        """Publish each series whose statistics at the latest tick are new, or a minute old."""
        for series in statistics.series():
            try:
                self._publish_one(series, statistics)
            except Exception:  # noqa: BLE001 - whatever is wrong with one, the others go out
                self._when_failed(series.row.name)

    def _publish_one(self, series: SeriesStatistics, statistics: RollingStatistics) -> None:
        if series.newest.time <= statistics.at - series.row.retention:
            self._published.pop(series.row.id, None)  # it has aged out, and its message is cleared
            return
        content = _content(series, statistics.at)
        when, what = self._published.get(series.row.id, (float("-inf"), 0))
        present = hash(content)
        if present != what or not 0 <= statistics.at - when < _AT_LEAST_EVERY:
            head = json.dumps({"series": series.row.name, "at": statistics.at})
            message = f'{head[:-1]}, "sequence": {statistics.sequence}, {content[1:]}'
            if self._publish(series.row.name, message):
                self._published[series.row.id] = statistics.at, present

    def publish_all_anew(self) -> None:
        """Have the next call publish all: on a new connection, the broker may have forgotten."""
        self._published.clear()


def _content(series: SeriesStatistics, at: float) -> str:
    last = {"value": series.newest.value, "time": series.newest.time}
    return json.dumps({"last": last, "windows": dict(series.windows(at))})
