"""Streams: which topics are read, what in their messages is a reading, and which statistics are computed."""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from config.quantities import Window, each_of
from config.statistics import STATISTICS_FORM, is_statistic
from config.text import complaint, printable
from config.topics import NOT_IN_TOPICS, check_topic_filter, is_at_or_below, matches

TIME_FORMATS = ("s", "ms", "us", "ns", "iso8601")
DEFAULT_STATISTICS = ("avg",)
# The index of an element in a list. No payload holds more elements than that, and Python refuses to convert
# a number of thousands of digits.
_INDEX = re.compile(r"[0-9]{1,9}")
_PATH_FORM = "a dotted path such as ENERGY.Power, or a JSON Pointer such as /ENERGY/Power"
# Seconds. What is kept beyond the longest window, so that late readings find their place and ticks
# their rows.
RETENTION_MARGIN = 5 * 60.0
# Characters that are escaped in the name of a series: those that no topic may hold, those that end a level,
# and the sign of an escape itself.
_ESCAPED = re.compile(rf"[%/+#{NOT_IN_TOPICS}]")


class InvalidStreams(ValueError):
    """The stream file is wrong. The text says where, and what is allowed."""


@dataclass(frozen=True)
class FieldPath:
    """Where in a JSON payload something stands, as the keys that lead to it."""

    keys: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "FieldPath":
        """Read a dotted path or a JSON Pointer (RFC 6901); ValueError says what is allowed."""
        if text.startswith("/"):
            keys = [key.replace("~1", "/").replace("~0", "~") for key in text[1:].split("/")]
        else:
            keys = text.split(".")
        if not all(keys):
            raise ValueError(f"must be {_PATH_FORM}")
        return cls(tuple(keys))

    def find(self, content: object) -> object:
        """Return what stands there in a decoded payload, None if nothing does."""
        for key in self.keys:
            if isinstance(content, dict):
                content = content.get(key)
            elif isinstance(content, list) and _INDEX.fullmatch(key) and int(key) < len(content):
                content = content[int(key)]
            else:
                return None
        return content

    def __str__(self) -> str:
        """Return it as it stands in the name of a series: a topic level for each key."""
        return "/".join(map(topic_level, self.keys))


@dataclass(frozen=True)
class Stream:
    """Topics that are read in the same way. A topic belongs to the first stream whose filter matches it."""

    # MQTT topic filter
    topic: str
    windows: tuple[Window, ...]
    # For how many seconds its readings are kept.
    retention: float
    statistics: tuple[str, ...] = DEFAULT_STATISTICS
    # Which fields are readings. Empty: the payload is a plain number, or has the field `number`.
    fields: tuple[FieldPath, ...] = ()
    # Every number in a message is a reading.
    every_number: bool = False
    # Where the time of a reading stands. None: in `epochtime`, or else it is the time of arrival.
    time: FieldPath | None = None
    time_format: str = "s"
    # A reading that comes with its own time and no id counts once for that time and its value.
    implied_id: bool = False

    @property
    def plain(self) -> bool:
        """Whether a message is one reading in the form that our own publisher uses."""
        return not (self.fields or self.every_number or self.time)


def load_streams(
    path: Path, windows: tuple[Window, ...], retention: float, stats_topic: str
) -> tuple[Stream, ...]:
    """Read a stream file. InvalidStreams if it is wrong.

    `windows` are used for streams that name none. The readings of a stream are kept for at least `retention`
    seconds, since the averages over all readings need them. No stream may be at or below `stats_topic`.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidStreams(f"{path} cannot be read: {error}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidStreams(f"{path} is not valid TOML: {error}") from None
    lines = _lines(text)
    for name in document:
        if name != "stream":
            raise InvalidStreams(
                f"{path}, line {lines.get((0, name), 1)}: {printable(name)} must not stand here: "
                "a stream file holds [[stream]] tables only"
            )
    tables = document.get("stream")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise InvalidStreams(f"{path} needs at least one [[stream]] table")
    streams = []
    for number, table in enumerate(tables, start=1):
        where = partial(_where, path, lines, number)
        stream = _stream(table, windows, retention, where)
        if is_at_or_below(stream.topic, stats_topic):
            shown = printable(stream.topic)
            raise InvalidStreams(f"{where('topic')}: topic = {shown} {not_below(stats_topic)}")
        streams.append(stream)
    return tuple(streams)


def _stream(
    table: Mapping[str, Any], windows: tuple[Window, ...], retention: float, where: Callable[[str], str]
) -> Stream:
    read: dict[str, Any] = {}
    for name, value in table.items():
        if name not in _READERS:
            raise InvalidStreams(
                f"{where(name)}: {printable(name)} is no key of a stream: its keys are {', '.join(_READERS)}"
            )
        try:
            read[name] = _READERS[name](value)
        except ValueError as error:
            shown = printable(str(value))
            raise InvalidStreams(f"{where(name)}: {complaint(f'{name} = {shown}', str(error))}") from None
    if "topic" not in read:
        raise InvalidStreams(f"{where('')}: this stream needs a topic")
    if "time_format" in read and "time" not in read:
        raise InvalidStreams(
            f"{where('time_format')}: time_format needs time, which says where the time stands"
        )
    own_windows = read.get("windows", windows)
    fields = read.get("value", ())
    return Stream(
        topic=read["topic"],
        windows=own_windows,
        retention=max(retention, max(window.seconds for window in own_windows) + RETENTION_MARGIN),
        statistics=read.get("statistics", DEFAULT_STATISTICS),
        fields=() if fields is None else fields,
        every_number=fields is None,
        time=read.get("time"),
        time_format=read.get("time_format", "s"),
        implied_id=read.get("implied_id", False),
    )


def stream_of(streams: Iterable[Stream], topic: str) -> Stream | None:
    """Return the stream that a topic belongs to: the first whose filter matches it."""
    return next((stream for stream in streams if matches(stream.topic, topic)), None)


def read_windows(texts: Iterable[str]) -> tuple[Window, ...]:
    """Read one window or more; ValueError says which is none, or that one is there twice."""
    found = tuple(each_of(texts, Window.parse))
    if not found or len({window.name for window in found}) < len(found):
        raise ValueError("must name at least one window, and each only once")
    return found


def not_below(stats_topic: str) -> str:
    """Say why a topic is wrong that is at or below `stats_topic`."""
    return (
        f"must not be at or below STATS_TOPIC={stats_topic}: what is published there is never taken as input"
    )


def topic_level(key: str) -> str:
    """Return a key as one level of a topic, escaped where no topic may hold it; an empty one is `%`."""
    return _ESCAPED.sub(_escape, key) or "%"


def _escape(found: re.Match[str]) -> str:
    """Return a character as in a URL: each byte of it in hexadecimal."""
    return "".join(f"%{byte:02X}" for byte in found[0].encode(errors="surrogatepass"))


def _topic(value: object) -> str:
    return check_topic_filter(_text(value, "must be an MQTT topic filter"))


def _fields(value: object) -> tuple[FieldPath, ...] | None:
    """Return the paths, None for every number there is."""
    if value == "*":
        return None
    texts = _texts(value, f'must be {_PATH_FORM}, or a list of these, or "*"')
    paths = tuple(FieldPath.parse(text) for text in texts)
    if not paths or len(set(paths)) < len(paths):  # what is written in two ways would count twice
        raise ValueError("must name at least one path, and each only once")
    return paths


def _time(value: object) -> FieldPath:
    return FieldPath.parse(_text(value, f"must be {_PATH_FORM}"))


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


def _yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _text(value: object, allowed: str) -> str:
    if not isinstance(value, str):
        raise ValueError(allowed)
    return value


def _texts(value: object, allowed: str) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [_text(each, allowed) for each in values]


_READERS: dict[str, Callable[[object], object]] = {
    "topic": _topic,
    "value": _fields,
    "time": _time,
    "time_format": _time_format,
    "windows": _windows,
    "statistics": _statistics,
    "implied_id": _yes_or_no,
}


def _lines(text: str) -> dict[tuple[int, str], int]:
    """Return in which line each key stands, by the number of its [[stream]]; `""` is that line itself.

    The text is valid TOML. A statement of one line or several is the shortest piece that is valid alone.
    """
    lines: dict[tuple[int, str], int] = {}
    table = begin = 0
    rows = text.split("\n")
    for end in range(1, len(rows) + 1):
        statement = "\n".join(rows[begin:end])
        try:
            names = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue  # the statement goes on in the next line
        header = statement.lstrip().startswith("[")
        for name, value in names.items():
            if not header:
                lines.setdefault((table, name), begin + 1)
            elif name != "stream":
                lines.setdefault((0, name), begin + 1)
            elif isinstance(value, list):
                table += 1
                lines[table, ""] = begin + 1
            else:  # [stream.name]
                lines.update({(table, inner): begin + 1 for inner in value})
        begin = end
    return lines


def _where(path: Path, lines: Mapping[tuple[int, str], int], table: int, name: str) -> str:
    return f"{path}, line {lines.get((table, name), lines.get((table, ''), 1))}"
