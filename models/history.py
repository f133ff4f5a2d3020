"""What is asked of the stored readings, through a reading connection."""

from collections.abc import Iterator
from typing import NamedTuple

from peewee import SqliteDatabase, fn

from models.tables import Counter, Reading, RejectedMessage

# Small enough for the processor's cache.
_CHUNK = 1000


# Of a reading: series, time (UTC epoch seconds), value.
TimedValue = tuple[int, float, float]


def readings(database: SqliteDatabase) -> Iterator[list[TimedValue]]:
    """Yield all readings in the order of time, and of arrival where that is equal; in chunks."""
    query = Reading.select(Reading.series, Reading.time, Reading.value).order_by(
        Reading.time, Reading.sequence
    )
    cursor = database.execute(query)
    while rows := cursor.fetchmany(_CHUNK):
        yield rows


def latest_sequence(database: SqliteDatabase) -> int:
    """Return the sequence of the reading that was stored last, 0 if there was none."""
    return counters(database).get("sequence", 0)


def counters(database: SqliteDatabase) -> dict[str, int]:
    """Return how many messages came to which end, since the database was created."""
    return dict(database.execute(Counter.select(Counter.name, Counter.value)).fetchall())


def reading_count(database: SqliteDatabase) -> int:
    """Return how many readings are stored."""
    return int(Reading.select().count(database))


class RejectedRow(NamedTuple):
    """A rejected message. `payload` is the beginning of it, `size` the length of the whole in bytes."""

    arrived: float
    topic: str
    payload: bytes
    size: int
    reason: str
    detail: str


def rejected_counts(database: SqliteDatabase) -> list[tuple[int, str, str]]:
    """Return (how many, reason, topic) of the rejected messages that are kept, most first."""
    number = fn.COUNT(RejectedMessage.id)
    query = (
        RejectedMessage.select(number, RejectedMessage.reason, RejectedMessage.topic)
        .group_by(RejectedMessage.reason, RejectedMessage.topic)
        .order_by(number.desc(), RejectedMessage.reason, RejectedMessage.topic)
    )
    return list(database.execute(query).fetchall())


def rejected_messages(database: SqliteDatabase, newest: int | None = None) -> Iterator[RejectedRow]:
    """Yield the rejected messages, oldest first; or the `newest` so many, newest first."""
    order = RejectedMessage.id if newest is None else RejectedMessage.id.desc()
    query = RejectedMessage.select(
        RejectedMessage.arrived,
        RejectedMessage.topic,
        RejectedMessage.payload,
        RejectedMessage.size,
        RejectedMessage.reason,
        RejectedMessage.detail,
    )
    for row in database.execute(query.order_by(order).limit(newest)):
        yield RejectedRow(*row)


def newest_time(database: SqliteDatabase) -> float | None:
    """Return the largest event time of the stored readings, in UTC epoch seconds."""
    time: float | None = Reading.select(fn.MAX(Reading.time)).scalar(database)
    return time
