"""A connection to a database file: one that writes, or one that only reads."""

import os
from pathlib import Path

import peewee

from models.storage.errors import DatabaseGone
from models.storage.sqlite.schema import READINGS, Schema

# Seconds one statement waits for a lock. Short, so that whoever waits can ping the broker between.
_LOCK_TIMEOUT = 0.25
# Bytes, of a new file; one that is there keeps its own. A commit writes whole pages, and a reading needs four
# of them, however small it is: with SQLite's usual 4,096 bytes that is more than twice as much to write.
_PAGE_SIZE = 1024


class Database(peewee.SqliteDatabase):
    """A database file, under the name that a user knows it by. A connection never creates the file.

    An empty file in the place of one that is gone would be taken for a database without tables.
    """

    def __init__(
        self,
        path: Path,
        schema: Schema,
        pragmas: dict[str, object],
        lock_type: str | None = None,
        access: str = "mode=rw",
    ) -> None:
        super().__init__(
            f"{path.absolute().as_uri()}?{access}",
            uri=True,
            pragmas=pragmas,
            lock_type=lock_type,
            timeout=_LOCK_TIMEOUT,
        )
        self.name = f"{schema.setting}={path}"
        self.path = path


# Device and inode, which no other file has as long as this one is open.
_Identity = tuple[int, int]


class WritingDatabase(Database):
    """The database for the one connection that writes, which knows the file that it has open.

    SQLite itself goes on writing into a file that was deleted, moved or replaced.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        # `synchronous=FULL` makes a commit survive a power cut, which is what lets us acknowledge;
        # the size of pages is fixed when the journal mode is
        pragmas = {"page_size": _PAGE_SIZE, "journal_mode": "wal", "synchronous": "full"}
        super().__init__(path, schema, pragmas, lock_type="IMMEDIATE")
        self._path = str(path.absolute())
        # SQLite has it beside the file itself, where the path is a symbolic link
        self._log_path = f"{os.path.realpath(path)}-wal"
        # Of the file since it was opened first; of its write-ahead log since it was opened last.
        self._file: _Identity | None = None
        self._log: _Identity | None = None

    @property
    def loss(self) -> str | None:
        """Say in one line that the open files are not those at their paths any more; None if they are.

        Takes about 3 µs. Another thread than the connection's may be told of a loss while that one
        connects.
        """
        if self._file is not None and _identity(self._path) != self._file:
            return _lost(self.name)
        if self._log is not None and _identity(self._log_path, least=0) != self._log:
            return (
                f"{self.name} has lost its write-ahead log: "
                f"{self._log_path} was deleted, moved or replaced while it was in use"
            )
        return None

    def check_files(self) -> None:
        """Raise DatabaseGone if the open files are not those at their paths any more."""
        loss = self.loss
        if loss is not None:
            raise DatabaseGone(loss)

    def connect(self, reuse_if_open: bool = False) -> bool:
        """Connect as peewee does. Raises DatabaseGone if another file is there than at the first time."""
        if not self.is_closed():
            return super().connect(reuse_if_open=reuse_if_open)
        before = _identity(self._path)
        super().connect()
        if self._file is None:
            self._file = before
        # None where the file system allows no such log
        self._log = _identity(self._log_path, least=0)
        if before != self._file or self.loss is not None:
            self.close()
            raise DatabaseGone(_lost(self.name))
        return True

    def close(self) -> bool:
        self._log = None  # the last connection to a file takes the log away with it
        return super().close()


def writing_database(path: Path, schema: Schema = READINGS) -> WritingDatabase:
    """Return the database for the one connection that writes. Nothing is opened yet."""
    return WritingDatabase(path, schema)


def reading_database(path: Path, schema: Schema = READINGS) -> Database:
    """Return the database for a connection that only reads. Nothing is opened yet."""
    return Database(path, schema, {"query_only": 1, "wal_autocheckpoint": 0})


def read_only_database(path: Path, schema: Schema = READINGS) -> Database:
    """Return the same for a file, or a folder, that we may not write. Nothing is opened yet.

    SQLite then needs the files of the write-ahead log to be there. Where there is none, nobody has the
    database open, and it is read as a file that does not change: whoever opens it meanwhile writes into a new
    log first.
    """
    is_open = os.path.exists(f"{os.path.realpath(path)}-wal")  # noqa: PTH110 - as WritingDatabase names it
    return Database(path, schema, {"query_only": 1}, access="mode=ro" if is_open else "mode=ro&immutable=1")


def _lost(name: str) -> str:
    return f"{name} was deleted, moved, replaced or emptied while it was in use"


def _identity(path: str, least: int = 1) -> _Identity | None:
    """Return what tells this file from others, None if none of `least` bytes can be found there."""
    try:
        status = os.stat(path)  # noqa: PTH116 - once a commit, and a Path takes longer
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status.st_size >= least else None
