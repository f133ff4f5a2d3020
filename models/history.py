"""What is asked of the stored readings, through a reading connection."""

from collections.abc import Iterator

from peewee import SqliteDatabase, fn

from models.tables import Counter, Reading

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
