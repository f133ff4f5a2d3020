"""The messages that a subscriber publishes: the one file that writes and reads their JSON.

There are four: the averages over all readings, the statistics of each series, the metrics, and the
state. What is read comes from a broker, to which others may publish too. So it is bounded before it is
taken apart, each value is looked at, and what is no such message is an InvalidMessage.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeGuard

from config.quantities import Window
from config.text import printable
from models.statistics.plan import AGE, ALWAYS, Plan
from models.statistics.tick import SeriesResult, WindowAverage
from models.storage.records import COUNTERS
from scheduler_app.publishing.records import Metrics, SeriesMessage, TickMark

ONLINE, OFFLINE = "online", "offline"
# The largest payload of each, in bytes: several times what a subscriber with many windows publishes.
AVERAGES_BYTES = 16_384
SERIES_BYTES = 262_144
METRICS_BYTES = 65_536
# As many windows a message may have, and statistics a window.
MAX_WINDOWS, MAX_STATISTICS = 100, 200
# As many entries the metrics may have, those of objects in them too, which may be so deep.
_MAX_ENTRIES, _MAX_DEPTH = 1000, 3
_MAX_NAME, _MAX_TEXT = 64, 1000
# SQLite's own numbers of rows and the counters end here.
_MAX_COUNT = 2**63
# UTC epoch seconds of the years that a calendar has: 1 to 9999.
_EARLIEST, _LATEST = -62_135_596_800.0, 253_402_300_800.0
_STATISTIC = re.compile(r"[a-z][a-z_]{0,31}|p\d{1,2}(\.\d{1,6})?", re.ASCII)
# In each window, beside the statistics that the stream asks for.
_NO_STATISTICS = (*ALWAYS, AGE)

# What the averages are called: this, and the name of the window.
AVERAGE_PREFIX = "avg_"
_COUNTS = {*COUNTERS, "series", "in_flight", "database_bytes", "short_connections", "unmatched"}
_TIMES = {"last_commit", "session_lost_at", "session_lost_since"}
_TEXTS = {"trouble"}
_METRICS = _COUNTS | _TIMES | _TEXTS | {"oldest_unacknowledged"}

Statistics = Mapping[str, float | int | None]


class InvalidMessage(Exception):
    """It is no message of a subscriber. The text says why, in one line.

    `reason` is the same without what came with the message: one of few, to be told once a minute.
    """

    def __init__(self, reason: str, shown: str = "") -> None:
        """`shown`: what the reason speaks of, put before it."""
        super().__init__(f"{printable(repr(shown[:_MAX_NAME]))} {reason}" if shown else reason)
        self.reason = reason


def write_averages(averages: Iterable[WindowAverage]) -> str:
    """Return the message with the mean of each window, by the window's name; null for an empty one.

    A whole number is written without a point: `{"avg_1min": 46, "avg_5min": null}`.
    """
    return json.dumps({f"{AVERAGE_PREFIX}{average.window}": _plain(average.mean) for average in averages})


def write_series(message: SeriesMessage) -> str:
    """Return the message with the statistics of a series."""
    series, at, sequence, last, last_time, windows = message
    template = _template(tuple((window, tuple(statistics)) for window, statistics in windows.items()))
    numbers = [number for statistics in windows.values() for number in statistics.values()]
    return _filled(template, series, (at, sequence, last, last_time, *numbers))


def write_result(result: SeriesResult, at: float, sequence: int) -> str:
    """Return the same message with a result of the tick `at` (UTC epoch seconds), up to `sequence`."""
    name, (last_time, last), plan, numbers = result
    return _filled(_template_of(plan), name, (at, sequence, last, last_time, *numbers))


def write_metrics(metrics: Metrics) -> str:
    """Return the message with what a subscriber tells of itself, by its names."""
    return json.dumps(metrics_content(metrics))


def metrics_content(metrics: Metrics) -> dict[str, object]:
    """Return what is in the message with the metrics, by the names on the wire and in their order."""
    content = metrics._asdict()
    others = content.pop("others")
    tick = metrics.tick
    content["tick"] = None if tick is None else _tick_content(tick)
    return {**content, **others}


def _tick_content(tick: TickMark) -> dict[str, object]:
    content: dict[str, object] = {"at": tick.at, "sequence": tick.sequence}
    return content if tick.members is None else {**content, "members": dict(tick.members)}


def parse_averages(payload: bytes) -> dict[str, float | int | None]:
    """Return the averages in `payload` by their names on the wire, such as `avg_5min`."""
    content = _read(payload, AVERAGES_BYTES)
    if not isinstance(content, dict) or not content:
        raise InvalidMessage("it is no JSON object with a value for each window")
    if len(content) > MAX_WINDOWS:
        raise InvalidMessage(f"it has more than {MAX_WINDOWS} windows")
    for name, value in content.items():
        if len(name) > _MAX_NAME or printable(name) != name:
            raise InvalidMessage("is no name of a window", name)
        if value is not None and not is_number(value):
            raise InvalidMessage("is neither a number nor null", name)
    return content


def parse_series(payload: bytes, name: str) -> SeriesMessage:
    """Return what is in the payload of a message on the topic of the series `name`."""
    content = _read(payload, SERIES_BYTES)
    if not isinstance(content, dict) or content.get("series") != name:
        raise InvalidMessage("it is no JSON object with the name of the series")
    sequence, last = content.get("sequence"), content.get("last")
    if not _is_count(sequence):
        raise InvalidMessage("it has no sequence")
    if not isinstance(last, dict):
        raise InvalidMessage("it has no last reading")
    at, value, time = content.get("at"), last.get("value"), last.get("time")
    if not (is_time(at) and is_number(value) and is_time(time)):
        raise InvalidMessage("it lacks a time or the value of the last reading")
    windows = content.get("windows")
    if not isinstance(windows, dict) or not windows:
        raise InvalidMessage("it has no windows")
    if len(windows) > MAX_WINDOWS:
        raise InvalidMessage(f"it has more than {MAX_WINDOWS} windows")
    for window, statistics in windows.items():
        if window_length(window) is None:
            raise InvalidMessage("is no window", window)
        _check_statistics(statistics)
    return SeriesMessage(name, at, sequence, value, time, windows)


def parse_metrics(payload: bytes) -> Metrics:
    """Return what a subscriber tells of itself; what it may tell beyond that stays as it is."""
    content = _read(payload, METRICS_BYTES)
    if not isinstance(content, dict):
        raise InvalidMessage("it is no JSON object with metrics")
    if _entries(content, _MAX_DEPTH) > _MAX_ENTRIES:
        raise InvalidMessage(f"it has more than {_MAX_ENTRIES} entries")
    values = dict(content)
    at, since = values.pop("at", None), values.pop("since", None)
    if not (is_time(at) and is_time(since)):
        raise InvalidMessage("it lacks the time, or since when is counted")
    tick = _tick(values.pop("tick", None))
    known = {name: _checked(name, values.pop(name)) for name in tuple(values) if name in _METRICS}
    return Metrics(at, since, tick=tick, **known, others=values)


def parse_state(payload: bytes) -> str:
    """Return `online` or `offline`."""
    for state in (ONLINE, OFFLINE):
        if payload == state.encode():
            return state
    raise InvalidMessage(f"it is neither {ONLINE} nor {OFFLINE}")


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number that a float can hold, as JSON gives it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that is no float
        return False


def is_time(value: object) -> TypeGuard[float]:
    """Whether it is a time in UTC epoch seconds that a calendar has."""
    return is_number(value) and _EARLIEST <= value < _LATEST


@lru_cache
def window_length(name: str) -> float | None:
    """Return the seconds that a window of that name lasts, None if it is no window's."""
    if len(name) > _MAX_NAME:
        return None
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


class _Null:
    """Is written as JSON writes what is not there."""

    def __repr__(self) -> str:
        return "null"


_NULL = _Null()


# As `json.dumps` with one look-up less.
_quoted = json.JSONEncoder().encode


def _filled(template: str, series: str, numbers: tuple[float | int | None, ...]) -> str:
    """Fill a template with the name of a series and all numbers, in the order of the message."""
    filled: tuple[object, ...] = numbers
    if None in numbers:
        filled = tuple(_NULL if number is None else number for number in numbers)
    return template % (_quoted(series), *filled)


@lru_cache(maxsize=1024)
def _template_of(plan: Plan) -> str:
    return _template(tuple((window, plan.names) for window, _ in plan.windows))


@lru_cache
def _template(windows: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    """Return the message of series with these windows and statistics, to be filled in with %.

    `repr` writes a finite number as `json.dumps` does, which would take almost three times as long in all.
    """
    place = "\0"
    last = {"value": place, "time": place}
    shown = {window: dict.fromkeys(statistics, place) for window, statistics in windows}
    text = json.dumps({"series": place, "at": place, "sequence": place, "last": last, "windows": shown})
    name, *numbers = text.replace("%", "%%").split(json.dumps(place))
    return f"{name}%s{'%r'.join(numbers)}"


def _read(payload: bytes, most: int) -> object:
    """Return the content of a JSON text in UTF-8. What is not even that, or too large, is refused."""
    if len(payload) > most:
        raise InvalidMessage(f"it is larger than {most} bytes")
    try:
        return json.loads(payload.decode())
    except (ValueError, RecursionError):  # too many digits are a ValueError too
        raise InvalidMessage("it is not JSON") from None


def _check_statistics(statistics: object) -> None:
    if not isinstance(statistics, dict) or not _is_count(statistics.get("count")):
        raise InvalidMessage("a window has no count")
    if len(statistics) > MAX_STATISTICS:
        raise InvalidMessage(f"a window has more than {MAX_STATISTICS} statistics")
    for name, value in statistics.items():
        if not _STATISTIC.fullmatch(name):
            raise InvalidMessage("is no statistic", name)
        if value is not None and not is_number(value):
            raise InvalidMessage("is neither a number nor null", name)


def _checked(name: str, value: object) -> Any:
    """Return a metric that may be one of those that are known."""
    if name in _COUNTS and not _is_count(value):
        raise InvalidMessage("is no count", name)
    if name in _TIMES and not (value is None or is_time(value)):
        raise InvalidMessage("is no time", name)
    if name in _TEXTS:
        if not (value is None or isinstance(value, str)):
            raise InvalidMessage("is no text", name)
        return value if value is None else printable(value)
    if name not in _COUNTS and not (value is None or is_number(value)):
        raise InvalidMessage("is no number of seconds", name)
    return value


def _entries(content: object, depth: int) -> int:
    """Return how many values there are in it, each of which can be shown; at most so deep."""
    if isinstance(content, dict | list):
        if not depth:
            raise InvalidMessage(f"it is more than {_MAX_DEPTH} objects deep")
        if isinstance(content, list):
            return sum(1 + _entries(value, depth - 1) for value in content)
        for name in content:
            if len(name) > _MAX_NAME or printable(name) != name:
                raise InvalidMessage("is no name of a metric", name)
        return sum(1 + _entries(value, depth - 1) for value in content.values())
    if content is None or isinstance(content, bool) or is_number(content):
        return 0
    if isinstance(content, str) and len(content) <= _MAX_TEXT:
        return 0
    raise InvalidMessage("one of its values is no number, no text and not null")


def _tick(content: object) -> TickMark | None:
    if content is None:
        return None
    if isinstance(content, dict):
        at, sequence = content.get("at"), content.get("sequence")
        members = content.get("members")
        known = members is None or (isinstance(members, dict) and all(map(_is_count, members.values())))
        if is_time(at) and _is_count(sequence) and known:
            return TickMark(at, sequence, members)
    raise InvalidMessage("its tick has no time, or no sequence")


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_COUNT


def _plain(mean: float | None) -> float | int | None:
    """Return a whole number as an int, so that it is written `46`, as its readers expect."""
    return int(mean) if mean is not None and mean.is_integer() and abs(mean) < 2**53 else mean
