"""The series that other members begin, and those that are removed."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from models.catalog import Catalog, SeriesRow
from models.storage.errors import UnreadableDatabase
from models.storage.interface import Database
from scheduler_app.intake.ingest import Task

# Seconds between two looks.
SERIES_INTERVAL = 10.0


class OtherSeries:
    """Brings the catalog up to date with what is stored, by a task for the thread that changes it.

    Nothing goes wrong before that: a series that another member has begun is found when it is to be begun
    again, and one that was removed is taken back when a reading of it is stored.
    """

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        submit: Callable[[Task], object],
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._submit = submit

    def look(self) -> None:
        """Read which series there are, and have the catalog follow.

        If they cannot be read there is nothing to tell: whoever writes to the database has told it.
        """
        with suppress(UnreadableDatabase), self._database.reader() as stored:
            self._submit(partial(self._follow, stored.series()))

    def _follow(self, rows: Sequence[SeriesRow]) -> bool:
        """Follow, as a task that is done in one go."""
        there = {row.id for row in rows}
        for row in self._catalog:
            if row.id not in there:
                self._catalog.remove(row)
        replace_series(self._catalog, rows)
        return False


def replace_series(catalog: Catalog, rows: Sequence[SeriesRow]) -> None:
    """Take in the series that are not known yet; also where the id was that of another one.

    That may be after a standby was promoted that did not know of it.
    """
    for row in rows:
        known = catalog.row(row.id)
        if known is None or known.name != row.name:
            if known is not None:
                catalog.remove(known)
            catalog.add([row])
