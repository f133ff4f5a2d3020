"""A message with the statistics of one series, as those read it who subscribe to it."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from config.quantities import Window
from scheduler_app.averages import is_number

Statistics = Mapping[str, float | int | None]
# In each window, beside the statistics that the stream asks for.
_NO_STATISTICS = ("count", "coverage")


class NotSeries(Exception):
    """The message does not hold the statistics of a series; the text says why."""


class SeriesMessage(NamedTuple):
    """The statistics of a series at a tick. Times are UTC epoch seconds.

    `sequence` is that of the newest reading that was known at the tick; `last` and `last_time` tell
    the one of the series that is latest. `windows` are by name, each with its `count`.
    """

    series: str
    at: float
    sequence: int
    last: float
    last_time: float
    windows: dict[str, dict[str, float | int | None]]

    def as_json(self) -> str:
        """Return it as it was published."""
        return json.dumps(
            {
                "series": self.series,
                "at": self.at,
                "sequence": self.sequence,
                "last": {"value": self.last, "time": self.last_time},
                "windows": self.windows,
            }
        )


def parse_series(payload: bytes, name: str) -> SeriesMessage:
    """Return what is in the payload of a message on the topic of the series `name`. Raises NotSeries."""
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        raise NotSeries("it is not JSON") from None
    if not isinstance(content, dict) or content.get("series") != name:
        raise NotSeries("it is no JSON object with the name of the series")
    sequence, last = content.get("sequence"), content.get("last")
    if not isinstance(sequence, int) or isinstance(sequence, bool):
        raise NotSeries("it has no sequence")
    if not isinstance(last, dict):
        raise NotSeries("it has no last reading")
    at, value, time = content.get("at"), last.get("value"), last.get("time")
    if not (is_number(at) and is_number(value) and is_number(time)):
        raise NotSeries("it lacks a time or the value of the last reading")
    windows = content.get("windows")
    if not isinstance(windows, dict) or not windows:
        raise NotSeries("it has no windows")
    for window, statistics in windows.items():
        if window_length(window) is None:
            raise NotSeries(f"{window!r} is no window")
        _check_statistics(statistics)
    return SeriesMessage(name, at, sequence, value, time, windows)


def _check_statistics(statistics: object) -> None:
    if not isinstance(statistics, dict) or not isinstance(statistics.get("count"), int):
        raise NotSeries("a window has no count")
    for name, value in statistics.items():
        if value is not None and not is_number(value):
            raise NotSeries(f"{name!r} is neither a number nor null")


@lru_cache
def window_length(name: str) -> float | None:
    """Return the seconds that a window of that name lasts, None if it is no window's."""
    try:
        window = Window.parse(name)
    except ValueError:
        return None
    return window.seconds if window.name == name else None


def headline(statistics: Statistics) -> str:
    """Return the name of the statistic to be shown if it is only one: avg, or else the first."""
    if "avg" in statistics:
        return "avg"
    return next((name for name in statistics if name not in _NO_STATISTICS), "count")
