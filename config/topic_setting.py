"""TOPIC and VALUE: what is read where there is no stream file."""

from collections.abc import Sequence

from config.conversion import AS_IT_STANDS
from config.quantities import Window
from config.stream import Stream, Streams
from config.stream_keys import KEYS, as_values
from config.topics import covers, unshared


def check_value(value: object) -> str:
    """Return what VALUE says, without spaces around its commas; ValueError says what is allowed."""
    paths = [path.strip() for path in str(value).split(",")]
    KEYS["value"].read(paths[0] if len(paths) == 1 else paths)
    return ",".join(paths)


def streams_of_topics(
    topics: Sequence[str], value: str | None, windows: tuple[Window, ...], retention: float
) -> Streams:
    """Return a stream for each topic filter; `value` is what VALUE says, None if it says nothing."""
    if value is None:
        return Streams(Stream(topic, windows, retention) for topic in topics)
    paths = value.split(",")
    tables = KEYS["value"].read(paths[0] if len(paths) == 1 else paths)
    assert tables is None or isinstance(tables, tuple)
    values = as_values(tables or (), AS_IT_STANDS)
    return Streams(
        Stream(topic, windows, retention, values=values, every_number=tables is None) for topic in topics
    )


def not_read(topics: Sequence[str], streams: Sequence[Stream]) -> list[str]:
    """Return those of the topic filters of which no stream reads everything."""
    return [
        topic
        for topic in topics
        if not any(covers(unshared(stream.topic), unshared(topic)) for stream in streams)
    ]
