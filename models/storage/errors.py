"""What goes wrong with a database, whichever it is, as the rest of the project knows it."""

from collections.abc import Sequence

from models.catalog import SeriesRow


class LockedDatabase(Exception):
    """The database cannot be used now: it is locked, its disk is full, or its server does not answer."""


class UnusableDatabase(Exception):
    """The database file cannot be used; the text says which file and why, in one line."""


class DatabaseGone(UnusableDatabase):
    """The file that is open is no longer the one at its path: what is committed now would be lost."""


class TakenOver(DatabaseGone):
    """Another process owns the database, or the slot in it, that we had: what it stores would be undone."""


class SeriesBegun(Exception):
    """Another member has begun series of these names otherwise than we would. Nothing was changed.

    `rows` are theirs: what belongs to which series is to be found out anew.
    """

    def __init__(self, rows: Sequence[SeriesRow]) -> None:
        super().__init__(", ".join(row.name for row in rows))
        self.rows = rows


class StoreUnavailable(Exception):
    """The database cannot be written now: locked, disk full, I/O error, no answer.

    Nothing was changed; or where that is in doubt, it is found out when the same is tried again.
    """


class DamagedStore(StoreUnavailable):
    """The file is damaged: somebody must replace it. Nothing was changed."""


class NotStored(Exception):
    """What it was to write cannot be written, whatever state the database is in. Nothing was changed."""


class UnreadableDatabase(Exception):
    """The database cannot be read now; the text says which file and why, in one line."""
