"""DB_FILE, for commands that only look into it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.storage.errors import LockedDatabase, UnreadableDatabase, UnusableDatabase
from models.storage.interface import ReadingStore
from models.storage.opening import prepare
from models.storage.reader import open_reader
from scheduler_app.errors import CommandError


@contextmanager
def stored_readings(db_file: Path) -> Iterator[ReadingStore]:
    """Open a reading connection while inside. Raises CommandError if the database cannot be read."""
    if not db_file.exists():
        raise CommandError(f"DB_FILE={db_file} does not exist: the subscriber creates it when it first runs")
    try:
        prepare(db_file)
    except (LockedDatabase, UnusableDatabase) as error:
        raise CommandError(str(error)) from None
    try:
        with open_reader(db_file) as stored:
            yield stored
    except UnreadableDatabase as error:
        raise CommandError(str(error)) from None
