"""A look into the database file, through a connection that only reads."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.catalog import SeriesRow
from models.storage.errors import UnreadableDatabase
from models.storage.records import RejectedRow, SeriesSummary, Snapshot
from models.storage.sqlite import queries, series_queries
from models.storage.sqlite.connection import Database, read_only_database, reading_database
from models.storage.sqlite.damage import first_damage, what_to_do_with_a_damaged
from models.storage.sqlite.schema import READINGS
from models.storage.sqlite.transaction import reading


class StoreReader:
    """A connection that is open: a ReadingStore, which is described in models/storage/interface.py."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def counters(self) -> dict[str, int]:
        return queries.counters(self._database)

    def reading_count(self) -> int:
        return queries.reading_count(self._database)

    def newest_time(self) -> float | None:
        return queries.newest_time(self._database)

    def damage(self) -> str | None:
        found = first_damage(self._database)
        return None if found is None else what_to_do_with_a_damaged(self._database.name, found)

    def rejected_counts(self) -> list[tuple[int, str, str]]:
        return queries.rejected_counts(self._database)

    def rejected_messages(self, newest: int | None = None) -> Iterator[RejectedRow]:
        return queries.rejected_messages(self._database, newest)

    def rejected_on(self, topic: str, after: float, until: float, limit: int) -> list[RejectedRow]:
        return queries.rejected_on(self._database, topic, after, until, limit)

    def series(self) -> list[SeriesRow]:
        return series_queries.all_series(self._database)

    def series_named(self, name: str) -> SeriesRow | None:
        return series_queries.series_named(self._database, name)

    def summaries(self) -> list[SeriesSummary]:
        return series_queries.summaries(self._database)

    def readings_of(self, series: int, after: float) -> list[tuple[float, float]]:
        return series_queries.readings_of(self._database, series, after)

    def readings_between(
        self, series: int, after: float, until: float, limit: int
    ) -> list[tuple[float, int, float]]:
        return series_queries.readings_between(self._database, series, after, until, limit)

    def snapshot(self) -> Snapshot:
        return series_queries.snapshot(self._database)


class ReadingSource:
    """Where the statistics find all stored readings, through a connection of their own."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened before `snapshot`."""
        self._database = reading_database(path)

    @contextmanager
    def snapshot(self) -> Iterator[queries.StoredReadings]:
        """Have one moment's readings while inside. Raises UnreadableDatabase."""
        # one transaction: all queries see the same rows
        with reading(self._database), self._database.atomic():
            yield queries.StoredReadings(self._database)


@contextmanager
def open_reader(path: Path, *, read_only: bool = False) -> Iterator[StoreReader]:
    """Have a reading connection to the file while inside. Raises UnreadableDatabase.

    `read_only` is for a file, or a folder, that we may not write.
    """
    database = read_only_database(path) if read_only else reading_database(path)
    with reading(database):
        yield StoreReader(database)


def check_there(
    path: Path, cure: str = "the subscriber creates it when it first runs", where: str = ""
) -> None:
    """Raise UnreadableDatabase if nothing is at `path`, or if we may not look.

    `cure`, and `where` it is missing, are said of what does not exist.
    """
    name = f"DB_FILE={path}"
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise UnreadableDatabase(f"{name} does not exist{where}: {cure}") from None
    except PermissionError:
        raise UnreadableDatabase(f"{name} cannot be read: we may not enter its folder") from None
    except OSError as error:
        raise UnreadableDatabase(f"{name} cannot be read: {error.strerror}") from None


@contextmanager
def open_as_it_is(path: Path) -> Iterator[StoreReader]:
    """Have a reading connection to a file that may not be there yet, or be of another version.

    Raises UnreadableDatabase then: nothing is created and nothing upgraded.
    """
    check_there(path)
    database = reading_database(path)
    with reading(database):
        if (why := why_unknown(database, f"DB_FILE={path}")) is not None:
            raise UnreadableDatabase(why)
        yield StoreReader(database)


def why_unknown(database: Database, name: str) -> str | None:
    """Say why the tables are not those that this version reads, None if they are."""
    owner, version = database.application_id, database.user_version
    if owner != READINGS.application_id:
        return (
            f"{name} is empty: the subscriber makes its tables when it first runs"
            if owner == 0 and version == 0
            else f"{name} belongs to another program"
        )
    if version == READINGS.version:
        return None
    cure = (
        "the subscriber upgrades it when it starts" if version < READINGS.version else "update this program"
    )
    return (
        f"{name} was written by another version of this program (schema {version}, this one knows "
        f"{READINGS.version}): {cure}"
    )
