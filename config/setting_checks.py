"""What must be so of several settings together. ValueError names those that do not fit."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from config.quantities import Window, format_duration
from config.stream import Streams
from config.streams import load_streams, not_below
from config.text import printable
from config.topic_setting import streams_of_topics
from config.topics import disjoint, is_at_or_below

if TYPE_CHECKING:
    from config.settings import Settings


def streams_of(settings: "Settings") -> Streams:
    """Return what the stream file says, or one stream for each filter in TOPIC."""
    if settings.streams_file is None:
        name, streams = "TOPIC", _streams_of_topics(settings)
    else:
        name, streams = f"STREAMS_FILE={settings.streams_file}", _streams_of_file(settings)
    try:
        disjoint(stream.topic for stream in streams)
    except ValueError as error:
        raise ValueError(f"{name}: {printable(str(error))}") from None
    return streams


def _streams_of_file(settings: "Settings") -> Streams:
    assert settings.streams_file is not None
    if settings.value is not None:
        raise ValueError(
            f"VALUE={printable(settings.value)} must not stand beside STREAMS_FILE={settings.streams_file}, "
            "whose streams say themselves where their numbers stand: leave out one of the two"
        )
    return load_streams(settings.streams_file, settings.windows, settings.retention, settings.stats_topic)


def _streams_of_topics(settings: "Settings") -> Streams:
    topics = settings.topic.split(",")
    for topic in topics:
        if is_at_or_below(topic, settings.stats_topic):
            raise ValueError(f"TOPIC={printable(topic)} {not_below(settings.stats_topic)}")
    return streams_of_topics(topics, settings.value, settings.windows, settings.retention)


def check_certificates(settings: "Settings") -> None:
    """Check that the files fit the broker, and each other."""
    for name in ("broker_cafile", "broker_certfile"):
        if getattr(settings, name) is not None and not settings.broker.tls:
            raise ValueError(
                f"{name.upper()}={getattr(settings, name)} needs a BROKER with mqtts:// or wss://, "
                f"but BROKER is {settings.broker}"
            )
    if (settings.broker_certfile is None) != (settings.broker_keyfile is None):
        given, missing = "BROKER_CERTFILE", "BROKER_KEYFILE"
        if settings.broker_keyfile is not None:
            given, missing = missing, given
        raise ValueError(f"{given} needs {missing} too: set both, or neither")


def check_retention(settings: "Settings") -> None:
    """Check that the readings of the longest window are kept."""
    if settings.retention < longest(settings.windows):
        raise ValueError(
            f"RETENTION={format_duration(settings.retention)} must be at least "
            f"{format_duration(longest(settings.windows))}, the longest of WINDOWS"
        )


def longest(windows: Iterable[Window]) -> float:
    """Return the seconds of the longest window."""
    return max(window.seconds for window in windows)


def check_members(settings: "Settings") -> None:
    """Raise ValueError if several subscribers have no database to share, or share what cannot be shared."""
    for name in ("members", "share"):
        if getattr(settings, name) is not None and settings.db_url is None:
            raise ValueError(
                f"{name.upper()}={printable(str(getattr(settings, name)))} needs DB_URL, a PostgreSQL "
                f"database that several subscribers store in: set it, or leave {name.upper()} out"
            )
    taking = next((stream for stream in settings.streams if stream.retained == "take"), None)
    if settings.share is not None and taking is not None:
        raise ValueError(
            f"SHARE={printable(settings.share)} must not stand beside retained = take, which the stream of "
            f"{printable(taking.topic)} has in STREAMS_FILE: a group that shares messages gets no retained "
            "copies"
        )
