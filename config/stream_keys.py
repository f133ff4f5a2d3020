"""The keys of a stream: what may stand behind each, and what it is read as.

A further key is an entry in KEYS, and an attribute of the same name with its default in `config/stream.py`.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from config.field_path import PATH_FORM, FieldPath
from config.quantities import DURATION_FORM, LONGEST_DURATION, Window, each_of, parse_duration
from config.topics import check_topic_filter
from models.statistics.registry import STATISTICS_FORM, is_statistic

TIME_FORMATS = ("s", "ms", "us", "ns", "iso8601")


class Key(NamedTuple):
    """One key of a stream."""

    name: str
    # Returns what is written there as the stream has it; ValueError says what is allowed.
    read: Callable[[object], object]
    # Another key, without which this one says nothing, and what that says.
    needs: str | None = None
    for_what: str = ""
    # The statistic that it changes, without which it says nothing either.
    statistic: str | None = None


def read_windows(texts: Iterable[str]) -> tuple[Window, ...]:
    """Read one window or more; ValueError says which is none, or that one is there twice."""
    found = tuple(each_of(texts, Window.parse))
    if not found or len({window.name for window in found}) < len(found):
        raise ValueError("must name at least one window, and each only once")
    return found


def _topic(value: object) -> str:
    return check_topic_filter(_text(value, "must be an MQTT topic filter"))


def _fields(value: object) -> tuple[FieldPath, ...] | None:
    """Return the paths, None for every number there is."""
    if value == "*":
        return None
    texts = _texts(value, f'must be {PATH_FORM}, or a list of these, or "*"')
    paths = tuple(FieldPath.parse(text) for text in texts)
    if not paths or len(set(paths)) < len(paths):  # what is written in two ways would count twice
        raise ValueError("must name at least one path, and each only once")
    return paths


def _time(value: object) -> FieldPath:
    return FieldPath.parse(_text(value, f"must be {PATH_FORM}"))


def _time_format(value: object) -> str:
    if value not in TIME_FORMATS:
        raise ValueError(f"must be one of {', '.join(TIME_FORMATS)}")
    return str(value)


def _windows(value: object) -> tuple[Window, ...]:
    return read_windows(_texts(value, "must be a window such as 5min, or a list of windows"))


def _statistics(value: object) -> tuple[str, ...]:
    names = _texts(value, STATISTICS_FORM)
    if not names or not all(map(is_statistic, names)) or len(set(names)) < len(names):
        raise ValueError(STATISTICS_FORM)
    return tuple(names)


def _duration(value: object) -> float:
    """Read a duration that is not 0, in seconds."""
    seconds = parse_duration(_text(value, DURATION_FORM))
    if not 0.001 <= seconds <= LONGEST_DURATION:
        raise ValueError("must be a duration from 1ms to 366d, for example 1h")
    return seconds


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("must be a number from 0 to 1: the share of the reading before")
    return float(value)


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false, without quotation marks")
    return value


def _text(value: object, allowed: str) -> str:
    if not isinstance(value, str):
        raise ValueError(allowed)
    return value


def _texts(value: object, allowed: str) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [_text(each, allowed) for each in values]


KEYS = {
    key.name: key
    for key in (
        Key("topic", _topic),
        Key("value", _fields),
        Key("time", _time),
        Key("time_format", _time_format, needs="time", for_what="which says where the time stands"),
        Key("windows", _windows),
        Key("statistics", _statistics),
        Key("hold", _duration),
        Key("reset_below", _share, statistic="rate"),
        Key("per", _duration, statistic="rate"),
        Key("overall", _switch),
    )
}
