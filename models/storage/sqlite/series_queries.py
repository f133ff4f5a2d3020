"""What is asked of the stored readings series by series, through a reading connection."""

from collections import defaultdict

from peewee import SqliteDatabase, fn

from models.catalog import SeriesRow
from models.storage.records import Columns, SeriesSummary, Snapshot
from models.storage.sqlite.queries import latest_sequence
from models.storage.sqlite.tables import Reading, Series


def all_series(database: SqliteDatabase) -> list[SeriesRow]:
    """Return all series by name."""
    query = Series.select(*(getattr(Series, name) for name in SeriesRow._fields)).order_by(Series.name)
    return [SeriesRow(*row) for row in database.execute(query)]


def summaries(database: SqliteDatabase) -> list[SeriesSummary]:
    """Return a summary of each series, by name."""
    query = Reading.select(
        Reading.series, fn.COUNT(Reading.sequence), fn.MIN(Reading.time), fn.MAX(Reading.time)
    ).group_by(Reading.series)
    with database.atomic():  # both queries see the same rows
        counts = {series: rest for series, *rest in database.execute(query)}
        return [SeriesSummary(row, *counts.get(row.id, (0, None, None))) for row in all_series(database)]


def series_named(database: SqliteDatabase, name: str) -> SeriesRow | None:
    """Return the series of that name, None if there is none."""
    query = Series.select(*(getattr(Series, column) for column in SeriesRow._fields))
    row = database.execute(query.where(Series.name == name)).fetchone()
    return None if row is None else SeriesRow(*row)


def readings_between(
    database: SqliteDatabase, series: int, after: float, until: float, limit: int
) -> list[tuple[float, int, float]]:
    """Return (time, sequence, value) of the newest `limit` readings with `after` < time <= `until`.

    The newest comes first. It takes as long as it takes to look at the readings of all series in that time.
    """
    query = (
        Reading.select(Reading.time, Reading.sequence, Reading.value)
        .where(Reading.series == series, Reading.time > after, Reading.time <= until)
        .order_by(Reading.time.desc(), Reading.sequence.desc())
        .limit(limit)
    )
    return list(database.execute(query))


def readings_of(database: SqliteDatabase, series: int, after: float) -> list[tuple[float, float]]:
    """Return (time, value) of the readings of a series with `after` < time, in order."""
    query = (
        Reading.select(Reading.time, Reading.value)
        .where(Reading.series == series, Reading.time > after)
        .order_by(Reading.time, Reading.sequence)
    )
    return list(database.execute(query))


def snapshot(database: SqliteDatabase) -> Snapshot:
    """Read everything, once."""
    query = Reading.select(Reading.series, Reading.time, Reading.sequence, Reading.value).order_by(
        Reading.time, Reading.sequence
    )
    with database.atomic():  # all queries see the same rows
        rows = {row.name: row for row in all_series(database)}
        taken = Snapshot(rows, defaultdict(Columns), latest_sequence(database))
        for series, time, sequence, value in database.execute(query):
            columns = taken.readings[series]
            columns.times.append(time)
            columns.sequences.append(sequence)
            columns.values.append(value)
    return taken
