"""What is asked of the stored readings series by series, through a reading connection."""

from array import array
from collections import defaultdict
from dataclasses import dataclass

from peewee import SqliteDatabase, fn

from models.catalog import SeriesRow
from models.storage.queries import latest_sequence
from models.storage.tables import Reading, Series


@dataclass(frozen=True)
class SeriesSummary:
    """A series and its stored readings: how many, and the event times (UTC epoch seconds) of two.

    Without readings the times are None.
    """

    series: SeriesRow
    count: int
    first: float | None
    last: float | None

    @property
    def per_minute(self) -> float | None:
        """Readings a minute from the first to the last; None unless there are two times."""
        if self.first is None or self.last is None or self.last <= self.first:
            return None
        return (self.count - 1) / (self.last - self.first) * 60


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


def readings_of(database: SqliteDatabase, series: int, after: float) -> list[tuple[float, float]]:
    """Return (time, value) of the readings of a series with `after` < time, in order."""
    query = (
        Reading.select(Reading.time, Reading.value)
        .where(Reading.series == series, Reading.time > after)
        .order_by(Reading.time, Reading.sequence)
    )
    return list(database.execute(query))


class Columns:
    """Readings in the order of time and, where that is equal, of sequence: 24 bytes each."""

    __slots__ = ("sequences", "times", "values")

    def __init__(self) -> None:
        self.times = array("d")
        self.sequences = array("q")
        self.values = array("d")


@dataclass(frozen=True)
class Snapshot:
    """All that is stored at one moment: the series by name, their readings by id, and all readings as one.

    `sequence` is that of the newest reading there ever was.
    """

    series: dict[str, SeriesRow]
    readings: defaultdict[int, Columns]
    pooled: Columns
    sequence: int


def snapshot(database: SqliteDatabase) -> Snapshot:
    """Read everything, once."""
    query = Reading.select(Reading.series, Reading.time, Reading.sequence, Reading.value).order_by(
        Reading.time, Reading.sequence
    )
    with database.atomic():  # all queries see the same rows
        rows = {row.name: row for row in all_series(database)}
        taken = Snapshot(rows, defaultdict(Columns), Columns(), latest_sequence(database))
        pooled = taken.pooled
        for series, time, sequence, value in database.execute(query):
            for columns in (taken.readings[series], pooled):
                columns.times.append(time)
                columns.sequences.append(sequence)
                columns.values.append(value)
    return taken
