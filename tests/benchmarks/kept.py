"""Database files with many readings, as a subscriber leaves them."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from models.catalog import SeriesRow
from models.reading import Reading
from models.storage.sqlite import tables
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.tables import NOBODY, Counter, Series
from models.storage.sqlite.transaction import insert_sql

# Seconds that readings are kept by default.
RETENTION = 2100.0


class Kept(NamedTuple):
    """So many readings without ids, spread evenly over the series and over `seconds`, up to `now`."""

    rows: int
    series: int
    seconds: float
    # UTC epoch seconds
    now: float

    def catalog(self) -> list[SeriesRow]:
        begin = self.now - self.seconds
        return [
            SeriesRow(number, f"bench/{number - 1}", f"bench/{number - 1}", "", begin, self.seconds)
            for number in range(1, self.series + 1)
        ]

    def readings(self, begin: int, count: int) -> Iterator[Reading]:
        """Yield `count` readings from the one numbered `begin`; after the last that is kept come new ones."""
        pause = self.seconds / self.rows
        first = self.now - self.seconds
        values = random.Random(begin)
        for number in range(begin, begin + count):
            value = round(values.uniform(1, 100), 1)
            yield Reading(number % self.series + 1, first + (number + 1) * pause, value)

    def write(self, path: Path) -> None:
        """Write them to a new database file."""
        prepare(path)
        database = writing_database(path)
        table = tables.Reading
        insert_series = insert_sql(database, Series, *(getattr(Series, name) for name in SeriesRow._fields))
        insert_reading = insert_sql(database, table, table.time, table.sequence, table.series, table.value)
        insert_counter = insert_sql(database, Counter, Counter.member, Counter.name, Counter.value)
        with database.connection_context(), database.atomic():
            connection: sqlite3.Connection = database.connection()
            connection.executemany(insert_series, self.catalog())
            rows = (
                (time, sequence, series, value)
                for sequence, (series, time, value, _) in enumerate(self.readings(0, self.rows), start=1)
            )
            connection.executemany(insert_reading, rows)
            connection.execute(insert_counter, (NOBODY, "sequence", self.rows))


def bytes_each(path: Path, rows: int) -> float:
    """Return how many bytes of a database file each of its `rows` readings takes."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size / rows
