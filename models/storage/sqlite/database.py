"""The database file that DB_FILE names: a Database, which is described in models/storage/interface.py."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from models.storage.errors import LockedDatabase, UnreadableDatabase, UnusableDatabase
from models.storage.interface import Durability
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import check_read_only, may_write, prepare, writing_settings
from models.storage.sqlite.ownership import sole_owner
from models.storage.sqlite.reader import ReadingSource, StoreReader, check_there, open_as_it_is, open_reader
from models.storage.sqlite.store import Store


class SqliteDatabase:
    """Nothing is opened before a method is called."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = f"DB_FILE={path}"

    @property
    def place(self) -> str:
        return str(self._path.absolute())

    def prepare(self) -> None:
        prepare(self._path)

    def sole_owner(self) -> AbstractContextManager[None]:
        return sole_owner(self._path)

    def writing_store(self, member: str) -> Store:
        return Store(writing_database(self._path), member)

    def reader(self) -> AbstractContextManager[StoreReader]:
        return open_reader(self._path)

    @contextmanager
    def reader_for_commands(self) -> Iterator[StoreReader]:
        """Bring the file up to date first, if we may write it."""
        check_there(self._path, where="" if self._path.is_absolute() else f" in {Path.cwd()}")
        read_only = not may_write(self._path)
        try:
            if read_only:
                check_read_only(self._path)
            else:
                prepare(self._path)
        except (LockedDatabase, UnusableDatabase) as error:
            raise UnreadableDatabase(str(error)) from None
        with open_reader(self._path, read_only=read_only) as stored:
            yield stored

    def reader_as_it_is(self) -> AbstractContextManager[StoreReader]:
        return open_as_it_is(self._path)

    def source(self) -> ReadingSource:
        return ReadingSource(self._path)

    def size(self) -> int:
        """Return the bytes of the file and of its write-ahead log."""
        return sum(map(_size, (self._path, self._path.with_name(f"{self._path.name}-wal"))))

    def durability(self) -> Durability:
        found = writing_settings(self._path)
        text = f"SQLite {found.version}, journal {found.journal_mode}"
        safe = found.journal_mode == "wal" and found.synchronous_full
        return Durability(f"{text}, synchronous full" if safe else text, safe)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
