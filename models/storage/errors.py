"""What goes wrong with a database, whichever it is, as the rest of the project knows it."""


class LockedDatabase(Exception):
    """Another program holds a lock on the database file; it can be used when that is over."""


class UnusableDatabase(Exception):
    """The database file cannot be used; the text says which file and why, in one line."""


class DatabaseGone(UnusableDatabase):
    """The file that is open is no longer the one at its path: what is committed now would be lost."""


class StoreUnavailable(Exception):
    """The database cannot be written now: locked, disk full, I/O error. Nothing was changed."""


class DamagedStore(StoreUnavailable):
    """The file is damaged: somebody must replace it. Nothing was changed."""


class NotStored(Exception):
    """What it was to write cannot be written, whatever state the database is in. Nothing was changed."""


class UnreadableDatabase(Exception):
    """The database cannot be read now; the text says which file and why, in one line."""
