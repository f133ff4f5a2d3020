"""Streams: which topics are read, what in their messages is a reading, and which statistics are computed."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from config.conversion import AS_IT_STANDS
from config.field_path import FieldPath, topic_level
from config.formats import FORMATS
from config.quantities import Window
from config.stream import DEFAULT_STATISTICS, RETENTION_MARGIN, Stream, Streams, Value
from config.stream_checks import check_together, hidden, hidden_by
from config.stream_keys import CONVERSION_KEYS, KEYS, WrongKey, as_values, read_keys, read_windows
from config.stream_values import TIME_FORMATS
from config.text import printable
from config.toml_lines import line_of, lines_of_keys
from config.topics import has_wildcards, is_at_or_below, matches
from models.statistics.registry import looks_before

__all__ = [
    "DEFAULT_STATISTICS",
    "RETENTION_MARGIN",
    "TIME_FORMATS",
    "FieldPath",
    "InvalidStreams",
    "Stream",
    "Streams",
    "Value",
    "load_streams",
    "not_below",
    "read_windows",
    "stream_of_name",
    "stream_of_series",
    "topic_level",
]


class InvalidStreams(ValueError):
    """The stream file is wrong. The text says where, and what is allowed."""


def load_streams(path: Path, windows: tuple[Window, ...], retention: float, stats_topic: str) -> Streams:
    """Read a stream file. InvalidStreams if it is wrong.

    `windows` are used for streams that name none. The readings of a stream are kept for at least `retention`
    seconds, since the averages over all readings need them. No stream may be at or below `stats_topic`.
    """
    text, document = _read(path)

    def line(number: int, name: str) -> int:
        return line_of(lines_of_keys(text), number, name)  # it takes long for a long file, and few need it

    for name in document:
        if name != "stream":
            raise InvalidStreams(
                f"{path}, line {line(0, name)}: {printable(name)} must not stand here: "
                "a stream file holds [[stream]] tables only"
            )
    tables = document.get("stream")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise InvalidStreams(f"{path} needs at least one [[stream]] table")
    streams: list[Stream] = []
    # In which stream each filter stands.
    earlier: dict[str, int] = {}
    wild: list[str] = []
    for number, table in enumerate(tables, start=1):
        try:
            added = _streams(table, windows, retention)
            for stream in added:
                if is_at_or_below(stream.topic, stats_topic):
                    raise WrongKey("topic", f"topic = {printable(stream.topic)} {not_below(stats_topic)}")
                if (by := hidden_by(stream.topic, earlier, wild)) is not None:
                    raise WrongKey("topic", hidden(stream.topic, by, line(earlier[by], "topic")))
        except WrongKey as error:
            raise InvalidStreams(f"{path}, line {line(number, error.name)}: {error}") from None
        streams += added
        earlier |= dict.fromkeys((stream.topic for stream in added), number)
        wild += [stream.topic for stream in added if has_wildcards(stream.topic)]
    return Streams(streams)


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    """Return the text of a stream file, and what it says. Raises InvalidStreams."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        return text, tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidStreams(f"{path} cannot be read: {error}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidStreams(f"{path} is not valid TOML: {error}") from None


def stream_of_series(streams: Streams, name: str, topic: str, field: str) -> Stream | None:
    """Return the stream that a series belongs to, which began with a message on `topic`.

    Where the stream names its series, that topic may be read by none any more: another one has taken its
    place. Then it belongs to the one stream that names its series, if there are not several.
    """
    found = streams.of_topic(topic)
    if found is not None or name == (f"{topic}/{field}" if field else topic):
        return found
    return streams.naming


def stream_of_name(streams: Streams, name: str) -> Stream | None:
    """Return the stream that a series most likely belongs to, where no more is known than its name."""
    levels = name.split("/")
    for stream in streams.near("/".join(levels[:number]) for number in range(1, len(levels) + 1)):
        if stream.series is None and any(matches(stream.topic, topic) for topic in _topics(stream, name)):
            return stream
    return streams.naming


def _topics(stream: Stream, name: str) -> Iterator[str]:
    """Yield the topics on which a series of that name may come, if it is of this stream."""
    if stream.every_number:
        levels = name.split("/")
        yield from ("/".join(levels[:number]) for number in range(1, len(levels)))
    elif (value := stream.value_of(name)) is not None and value.name:
        yield name.removesuffix(f"/{value.name}")
    elif value is not None or not stream.values:
        yield name


def not_below(stats_topic: str) -> str:
    """Say why a topic is wrong that is at or below `stats_topic`."""
    return (
        f"must not be at or below STATS_TOPIC={stats_topic}: what is published there is never taken as input"
    )


def _streams(table: Mapping[str, Any], windows: tuple[Window, ...], retention: float) -> list[Stream]:
    """Return what one [[stream]] says: a stream for each of its topics. Raises WrongKey."""
    given = read_keys(table, KEYS, "a stream")
    read = FORMATS[given.get("format", "json")].defaults | given
    check_together(given, read)
    conversion = AS_IT_STANDS.but({name: read.pop(name) for name in CONVERSION_KEYS if name in read})
    values = read.pop("value", ())
    own_windows = read.pop("windows", windows)
    longest = max(window.seconds for window in own_windows)
    # what was there when the longest window began must be known
    before = max(read.get("hold", 0.0), RETENTION_MARGIN if looks_before(read.get("statistics", ())) else 0.0)
    topics = read.pop("topic")
    return [
        Stream(
            topic=topic,
            windows=own_windows,
            retention=max(retention, longest + before + RETENTION_MARGIN),
            values=as_values(values or (), conversion),
            every_number=values is None,
            conversion=conversion,
            **read,
        )
        for topic in topics
    ]
