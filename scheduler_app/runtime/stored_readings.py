"""DB_FILE, for commands that only look into it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.storage.errors import LockedDatabase, UnreadableDatabase, UnusableDatabase
from models.storage.interface import ReadingStore
from models.storage.sqlite.opening import check_read_only, may_write, prepare
from models.storage.sqlite.reader import open_reader
from scheduler_app.errors import CommandError


@contextmanager
def stored_readings(db_file: Path) -> Iterator[ReadingStore]:
    """Open a reading connection while inside. Raises CommandError if the database cannot be read.

    A file that we may write is brought up to date first; one that we may not is read as it is.
    """
    try:
        found = db_file.exists()
    except PermissionError:
        raise CommandError(f"DB_FILE={db_file} cannot be read: we may not enter its folder") from None
    if not found:
        where = "" if db_file.is_absolute() else f" in {Path.cwd()}"
        raise CommandError(
            f"DB_FILE={db_file} does not exist{where}: the subscriber creates it when it first runs"
        )
    read_only = not may_write(db_file)
    try:
        if read_only:
            check_read_only(db_file)
        else:
            prepare(db_file)
    except (LockedDatabase, UnusableDatabase) as error:
        raise CommandError(str(error)) from None
    try:
        with open_reader(db_file, read_only=read_only) as stored:
            yield stored
    except UnreadableDatabase as error:
        raise CommandError(str(error)) from None
