"""What is asked of the stored readings, through a reading connection."""

from collections.abc import Iterator
from typing import NamedTuple

from peewee import SqliteDatabase, fn

from models.tables import Counter, Reading, RejectedMessage

_CHUNK = 10_000


def newest_id(database: SqliteDatabase) -> int:
    """Return the id of the reading stored last, 0 if there is none. Ids only grow."""
    return int(Reading.select(fn.COALESCE(fn.MAX(Reading.id), 0)).scalar(database))


def values_between(database: SqliteDatabase, after: float, until: float, newest: int) -> list[float]:
    """Return the values of readings with `after` < time <= `until` and id <= `newest`."""
    query = Reading.select(Reading.value).where(
        Reading.time > after, Reading.time <= until, Reading.id <= newest
    )
    return [value for (value,) in database.execute(query)]


def arrivals(database: SqliteDatabase, after: int, newest: int) -> Iterator[list[tuple[float, float]]]:
    """Yield (time, value) of the readings with `after` < id <= `newest`, in chunks."""
    query = Reading.select(Reading.time, Reading.value).where(Reading.id > after, Reading.id <= newest)
    cursor = database.execute(query)
    while rows := cursor.fetchmany(_CHUNK):
        yield rows


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
