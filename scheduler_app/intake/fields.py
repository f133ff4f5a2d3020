"""A message with several readings in it, or with one that has to be looked for: what a stream file names."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from config.streams import FieldPath, Stream, topic_level
from models.catalog import LONGEST_NAME
from scheduler_app.intake.payload import (
    EPOCHTIME,
    NUMBER,
    Decoded,
    Reason,
    Rejected,
    event_time,
    number,
    parse,
)

# So many readings may one message hold, where all its numbers are taken.
_MOST_NUMBERS = 256
_NUMBER, _EPOCHTIME = FieldPath((NUMBER,)), FieldPath((EPOCHTIME,))
# Of each so many are a second.
_UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


def decode_fields(
    payload: bytes, stream: Stream, arrived: float, latest: float
) -> tuple[list[Decoded], list[Rejected]]:
    """Return the readings in `payload`, and why others of its fields are none.

    A field that is not there, or null, is nothing; but there must be one at least. Times are UTC
    epoch seconds: without one of its own a message has the time it `arrived`, and its time may be
    up to `latest`. Raises Rejected if there is no reading at all for a reason that all fields share.
    """
    content = parse(payload)
    time = _event_time(content, stream, arrived, latest)
    several = stream.every_number or len(stream.fields) > 1
    readings: list[Decoded] = []
    rejections: list[Rejected] = []
    for name, found in _find(content, stream):
        try:
            readings.append(Decoded(name if several else "", time, number(found)))
        except Rejected as rejection:
            rejections.append(Rejected(rejection.reason, f"{name} {rejection.detail}".strip()))
    if not readings and not rejections:
        wanted = "any number" if stream.every_number else ", ".join(map(str, stream.fields)) or NUMBER
        raise Rejected(Reason.NO_NUMBER, f"looked for {wanted}")
    return readings, rejections


def _find(content: object, stream: Stream) -> Iterable[tuple[str, object]]:
    """Return the names of the fields that are there, and what stands in them."""
    if stream.every_number:
        return _every_number(content, str(stream.time or _EPOCHTIME))
    if not stream.fields and not isinstance(content, dict):
        return [] if content is None else [("", content)]
    paths = stream.fields or (_NUMBER,)
    return [(str(path), found) for path in paths if (found := path.find(content)) is not None]


def _every_number(content: object, time: str) -> Iterator[tuple[str, object]]:
    """Yield all numbers but the one that is named `time`, in the order they stand in. Raises Rejected."""
    inside = [iter([("", content)])]
    numbers = 0
    while inside:
        name, found = next(inside[-1], (None, None))
        if name is None:
            inside.pop()
        elif isinstance(found, dict | list):
            inside.append(_inside(name, found))
        elif _is_number(found) and name != time:
            numbers += 1
            if numbers > _MOST_NUMBERS:
                raise Rejected(Reason.TOO_MANY_NUMBERS, f"{_MOST_NUMBERS} are allowed")
            yield name, found


def _inside(name: str, content: dict[str, object] | list[object]) -> Iterator[tuple[str, object]]:
    """Yield the names of what stands in `content`, as far as there may be numbers in it.

    Of a name that is too long for any series there is only so much that it is seen to be; else one
    message of 64 KiB could keep us busy for seconds.
    """
    items = content.items() if isinstance(content, dict) else enumerate(content)
    for key, found in items:
        if isinstance(found, dict | list) or _is_number(found):
            level = topic_level(str(key)[:LONGEST_NAME])
            yield (f"{name}/{level}" if name else level)[:LONGEST_NAME], found


def _is_number(content: object) -> bool:
    return isinstance(content, int | float) and not isinstance(content, bool)


def _event_time(content: object, stream: Stream, arrived: float, latest: float) -> float:
    found = (stream.time or _EPOCHTIME).find(content)
    if found is not None and stream.time_format == "iso8601":
        found = _iso8601(found)
    return event_time(found, arrived, latest, _UNITS.get(stream.time_format, 1.0))


def _iso8601(found: object) -> float:
    """Return a date and time of ISO 8601 in UTC epoch seconds; without an offset it is UTC."""
    try:
        time = datetime.fromisoformat(found)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise Rejected(Reason.BAD_TIME, "not ISO 8601, such as 2026-11-23T10:00:00Z") from None
    try:
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except OverflowError:  # at the edges of the calendar
        raise Rejected(Reason.BAD_TIME) from None
