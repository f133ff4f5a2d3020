"""A message with several readings in it, or with one that has to be looked for: what a stream file names."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from config.streams import FieldPath, Stream
from scheduler_app.payload import Reason, Rejected, not_ahead, number, parse

# So many readings may one message hold, where all its numbers are taken.
_MOST_NUMBERS = 256
_UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


class FieldReading(NamedTuple):
    """A reading: the field it stood in, its number, and its event time in UTC epoch seconds."""

    # As it stands in the name of the series; empty where a stream takes one field.
    field: str
    value: float
    time: float


def decode_fields(
    payload: bytes, stream: Stream, arrived: float, latest: float
) -> tuple[list[FieldReading], list[Rejected]]:
    """Return the readings in `payload`, and why others of its fields are none.

    A field that is not there, or null, is nothing; but there must be one at least. Times are UTC
    epoch seconds: without one of its own a message has the time it `arrived`, and its time may be
    up to `latest`. Raises Rejected if there is no reading at all for a reason that all fields share.
    """
    content = parse(payload)
    time = _event_time(content, stream, arrived, latest)
    several = stream.every_number or len(stream.fields) > 1
    readings: list[FieldReading] = []
    rejections: list[Rejected] = []
    for path, found in _find(content, stream):
        name = str(path)
        try:
            readings.append(FieldReading(name if several else "", number(found), time))
        except Rejected as rejection:
            rejections.append(Rejected(rejection.reason, f"{name} {rejection.detail}".strip()))
    if not readings and not rejections:
        wanted = ", ".join(map(str, stream.fields)) or "any number"
        raise Rejected(Reason.NO_NUMBER, f"looked for {wanted}")
    return readings, rejections


def _find(content: object, stream: Stream) -> Iterable[tuple[FieldPath, object]]:
    if stream.every_number:
        return _every_number(content, stream.time or FieldPath(("epochtime",)))
    paths = stream.fields or (FieldPath(("number",)),)
    return [(path, found) for path in paths if (found := path.find(content)) is not None]


def _every_number(content: object, time: FieldPath) -> Iterator[tuple[FieldPath, object]]:
    """Yield all numbers but the time, in the order they stand in. Raises Rejected."""
    waiting: list[tuple[tuple[str, ...], object]] = [((), content)]
    numbers = 0
    while waiting:
        keys, found = waiting.pop()
        if isinstance(found, dict):
            waiting += reversed([((*keys, key), inner) for key, inner in found.items()])
        elif isinstance(found, list):
            waiting += reversed([((*keys, str(place)), inner) for place, inner in enumerate(found)])
        elif isinstance(found, int | float) and not isinstance(found, bool) and keys != time.keys:
            numbers += 1
            if numbers > _MOST_NUMBERS:
                raise Rejected(Reason.TOO_MANY_NUMBERS, f"{_MOST_NUMBERS} are allowed")
            yield FieldPath(keys), found


def _event_time(content: object, stream: Stream, arrived: float, latest: float) -> float:
    found = (stream.time or FieldPath(("epochtime",))).find(content)
    if found is None:
        return arrived
    if stream.time_format == "iso8601":
        return not_ahead(_iso8601(found), latest)
    seconds = number(found, Reason.BAD_TIME) / _UNITS[stream.time_format]
    return not_ahead(seconds, latest)


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
