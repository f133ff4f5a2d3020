"""Streams: which topics are read, what in their messages is a reading, and which statistics are computed."""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from config.field_path import FieldPath, topic_level
from config.quantities import Window
from config.stream import DEFAULT_STATISTICS, RETENTION_MARGIN, Stream
from config.stream_keys import KEYS, TIME_FORMATS, read_windows
from config.text import complaint, printable
from config.toml_lines import lines_of_keys
from config.topics import is_at_or_below, matches
from models.statistics.registry import looks_before

__all__ = [
    "DEFAULT_STATISTICS",
    "RETENTION_MARGIN",
    "TIME_FORMATS",
    "FieldPath",
    "InvalidStreams",
    "Stream",
    "load_streams",
    "not_below",
    "read_windows",
    "stream_of",
    "topic_level",
]


class InvalidStreams(ValueError):
    """The stream file is wrong. The text says where, and what is allowed."""


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
    lines = lines_of_keys(text)
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


def stream_of(streams: Iterable[Stream], topic: str) -> Stream | None:
    """Return the stream that a topic belongs to: the first whose filter matches it."""
    return next((stream for stream in streams if matches(stream.topic, topic)), None)


def not_below(stats_topic: str) -> str:
    """Say why a topic is wrong that is at or below `stats_topic`."""
    return (
        f"must not be at or below STATS_TOPIC={stats_topic}: what is published there is never taken as input"
    )


def _stream(
    table: Mapping[str, Any], windows: tuple[Window, ...], retention: float, where: Callable[[str], str]
) -> Stream:
    read: dict[str, Any] = {}
    for name, value in table.items():
        if name not in KEYS:
            raise InvalidStreams(
                f"{where(name)}: {printable(name)} is no key of a stream: its keys are {', '.join(KEYS)}"
            )
        try:
            read[name] = KEYS[name].read(value)
        except ValueError as error:
            shown = printable(str(value))
            raise InvalidStreams(f"{where(name)}: {complaint(f'{name} = {shown}', str(error))}") from None
    if "topic" not in read:
        raise InvalidStreams(f"{where('')}: this stream needs a topic")
    for key in map(KEYS.__getitem__, read):
        if key.needs is not None and key.needs not in read:
            raise InvalidStreams(f"{where(key.name)}: {key.name} needs {key.needs}, {key.for_what}")
        if key.statistic is not None and key.statistic not in read.get("statistics", DEFAULT_STATISTICS):
            raise InvalidStreams(f"{where(key.name)}: {key.name} needs {key.statistic} among the statistics")
    if "value" in read:
        fields = read.pop("value")
        read |= {"every_number": True} if fields is None else {"fields": fields}
    read.setdefault("windows", windows)
    longest = max(window.seconds for window in read["windows"])
    # what was there when the longest window began must be known
    before = max(read.get("hold", 0.0), RETENTION_MARGIN if looks_before(read.get("statistics", ())) else 0.0)
    return Stream(**read, retention=max(retention, longest + before + RETENTION_MARGIN))


def _where(path: Path, lines: Mapping[tuple[int, str], int], table: int, name: str) -> str:
    return f"{path}, line {lines.get((table, name), lines.get((table, ''), 1))}"
