"""Reads payloads as a stream does that has the keys of a text, as they stand in a stream file."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.quantities import Window
from config.streams import InvalidStreams, Stream, load_streams
from scheduler_app.intake.fields import decoder_of
from scheduler_app.intake.payload import NothingToRead, Rejected

# 2026-11-26 19:47:30 UTC
ARRIVED = datetime(2026, 11, 26, 19, 47, 30, tzinfo=UTC).timestamp()
LATEST = ARRIVED + 30
WINDOWS = (Window("1min", 60.0),)


def stream_of(path: Path, text: str) -> Stream:
    """Return the one stream that has these keys."""
    topic = "" if "topic" in text.split("=", maxsplit=1)[0] else 'topic = "#"\n'
    path.write_text(f"[[stream]]\n{topic}{text}\n")
    [stream] = load_streams(path, WINDOWS, 2100.0, "STATS")
    return stream


def decoded(
    stream: Stream, payload: object, topic: str = "a/b", arrived: float = ARRIVED
) -> tuple[dict[str, float], list[tuple[str, str]], set[float]]:
    """Return the numbers by the names of their series, what is rejected and why, and the times."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    readings, rejections = decoder_of(stream)(data, topic, arrived, arrived + 30)
    named: dict[str, float] = {}
    for field, _, value, _ in readings:
        name = field if stream.series is not None else f"{topic}/{field}" if field else topic
        assert name not in named
        named[name] = value
    return (
        named,
        [(rejection.reason, rejection.detail) for rejection in rejections],
        {r.time for r in readings},
    )


def values(path: Path, text: str, payload: object, topic: str = "a/b") -> dict[str, float]:
    """Return the numbers by the names of their series; none may be rejected."""
    named, rejections, _ = decoded(stream_of(path, text), payload, topic)
    assert rejections == []
    return named


def time_of(path: Path, text: str, payload: object, arrived: float = ARRIVED) -> float:
    """Return the time of the only reading, in UTC epoch seconds."""
    _, rejections, times = decoded(stream_of(path, text), payload, arrived=arrived)
    assert rejections == []
    [time] = times
    return time


def rejection(path: Path, text: str, payload: object, arrived: float = ARRIVED) -> tuple[str, str]:
    """Return why a message is rejected, or its only field is."""
    try:
        named, [found], _ = decoded(stream_of(path, text), payload, arrived=arrived)
    except Rejected as rejected:
        return rejected.reason, rejected.detail
    assert named == {}
    return found


def says_nothing(path: Path, text: str, payload: object) -> bool:
    with pytest.raises(NothingToRead):
        decoded(stream_of(path, text), payload)
    return True


def refusal(path: Path, text: str) -> str:
    """Return what is said about a stream with these keys."""
    with pytest.raises(InvalidStreams) as caught:
        stream_of(path, text)
    line = str(caught.value).removeprefix(f"{path}, ")
    assert "\n" not in line
    return line


def utc(*numbers: int) -> float:
    return datetime(*numbers, tzinfo=UTC).timestamp()  # type: ignore[misc, arg-type]
