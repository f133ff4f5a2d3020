"""DB_FILE, for commands that only look into it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.storage.database import Database, LockedDatabase, UnusableDatabase, prepare, reading_database
from models.storage.transaction import UnreadableDatabase, reading
from scheduler_app.errors import CommandError


@contextmanager
def stored_readings(db_file: Path) -> Iterator[Database]:
    """Open a reading connection while inside. Raises CommandError if the database cannot be read."""
    if not db_file.exists():
        raise CommandError(f"DB_FILE={db_file} does not exist: the subscriber creates it when it first runs")
    try:
        prepare(db_file)
    except (LockedDatabase, UnusableDatabase) as error:
        raise CommandError(str(error)) from None
    database = reading_database(db_file)
    try:
        with reading(database):
            yield database
    except UnreadableDatabase as error:
        raise CommandError(str(error)) from None
