"""What is asked of the stored readings series by series, through a reading connection."""

import math
from collections import defaultdict
from collections.abc import Iterator

from peewee import SqliteDatabase, fn

from models.catalog import SeriesRow
from models.storage.records import Columns, SeriesSummary, Snapshot
from models.storage.sqlite.columns import pack_series
from models.storage.sqlite.queries import delayed_readings, latest_sequence
from models.storage.sqlite.tables import Delayed, Reading, Series, Stretch

# More readings than there ever are.
_ALL = 2**62


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

    The newest comes first. Of time that is summed up it reads only the stretches that have the series, and
    what was delayed; of the rest the readings of all series.
    """
    of_series = Reading.select(Reading.time, Reading.sequence, Reading.value).where(Reading.series == series)
    delayed = delayed_readings(Reading.time, Reading.sequence, Reading.value).where(
        Reading.series == series, Delayed.time > after, Delayed.time <= until
    )
    # Written once: for a short span, peewee would take longer for that than SQLite for the answer.
    inside = of_series.where(Reading.time > 0.0, Reading.time <= 0.0)
    select, _ = inside.order_by(Reading.time.desc(), Reading.sequence.desc()).limit(1).sql()
    with database.atomic():  # all queries see the same rows
        found = set(database.execute(delayed))
        left = limit
        for begin, end in list(_spans_of(database, series, after, until)):
            rows = database.execute_sql(select, (series, begin, end, left)).fetchall()
            found.update(rows)
            left -= len(rows)
            if left <= 0:
                break
    return sorted(found, reverse=True)[:limit]


def readings_of(database: SqliteDatabase, series: int, after: float) -> list[tuple[float, float]]:
    """Return (time, value) of the readings of a series with `after` < time, in order."""
    found = readings_between(database, series, after, math.inf, _ALL)
    return [(time, value) for time, _, value in reversed(found)]


def _spans_of(
    database: SqliteDatabase, series: int, after: float, until: float
) -> Iterator[tuple[float, float]]:
    """Yield the spans of time in which a series may have readings between two times, the latest first."""
    has_it = fn.INSTR(Stretch.series, pack_series((series,))) > 0
    query = Stretch.select(Stretch.after, Stretch.until, has_it).where(Stretch.after < until)
    # The span that has been found so far ends there; None: there is none. All later than `looked_at` is done.
    end: float | None = None
    looked_at = until
    for begins, ends, may_be_there in database.execute(query.order_by(Stretch.after.desc())):
        if ends <= after:
            break
        if ends < looked_at and end is None:  # what lies between two stretches is not summed up
            end = looked_at
        if may_be_there and end is None:
            end = min(ends, until)
        elif not may_be_there and end is not None:
            yield ends, end
            end = None
        looked_at = begins
    if end is None and looked_at > after:
        end = looked_at
    if end is not None:
        yield after, end


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
