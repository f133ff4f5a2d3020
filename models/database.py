"""The database file: how it is opened, created, checked, and owned by one process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import peewee

from models.tables import SCHEMA_VERSION, TABLES

# Marks the file as ours (SQLite's application_id): "mqav".
APPLICATION_ID = 0x6D716176
# Seconds one statement waits for a lock. Short, so that whoever waits can ping the broker between.
_LOCK_TIMEOUT = 0.25


class UnusableDatabase(Exception):
    """The database file cannot be used; the text says which file and why, in one line."""


def writing_database(path: Path) -> peewee.SqliteDatabase:
    """Return the database for the one connection that writes. Nothing is opened yet.

    `synchronous=FULL` makes a commit survive a power cut, which is what lets us acknowledge.
    """
    return _database(path, {"journal_mode": "wal", "synchronous": "full"}, lock_type="IMMEDIATE")


def reading_database(path: Path) -> peewee.SqliteDatabase:
    """Return the database for a connection that only reads. Nothing is opened yet."""
    return _database(path, {"query_only": 1, "wal_autocheckpoint": 0})


def prepare(path: Path) -> None:
    """Create the file, its folders and its tables, as far as they are missing.

    Raises UnusableDatabase if that cannot be done, or if the file is not ours or too new.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableDatabase(f"DB_FILE={path}: its folder cannot be created: {error.strerror}") from None
    if path.is_dir():
        raise UnusableDatabase(f"DB_FILE={path} is a folder, and must be a file")
    database = writing_database(path)
    try:
        with database.connection_context(), database.atomic():
            _create_or_check(database, path)
    except peewee.DatabaseError as error:
        raise UnusableDatabase(f"DB_FILE={path} {_explain(error, path)}") from None


@contextmanager
def sole_owner(path: Path) -> Iterator[None]:
    """Own the database file while inside; UnusableDatabase if another process does.

    The lock is the kernel's: it goes with the process, however that ends.
    """
    lock_path = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise UnusableDatabase(f"DB_FILE={path}: {lock_path} cannot be opened: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 32).decode(errors="replace") or "unknown"
            raise UnusableDatabase(
                f"DB_FILE={path} is in use by another subscriber (process {owner}): "
                "stop that one, or set another DB_FILE and CLIENT_ID"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)


def _database(path: Path, pragmas: dict[str, object], lock_type: str | None = None) -> peewee.SqliteDatabase:
    return peewee.SqliteDatabase(str(path), pragmas=pragmas, lock_type=lock_type, timeout=_LOCK_TIMEOUT)


def _create_or_check(database: peewee.SqliteDatabase, path: Path) -> None:
    owner, version = database.application_id, database.user_version
    if owner not in (0, APPLICATION_ID) or (owner == 0 and version != 0):
        raise UnusableDatabase(f"DB_FILE={path} belongs to another program: set DB_FILE to a new file")
    if version > SCHEMA_VERSION:
        raise UnusableDatabase(
            f"DB_FILE={path} was written by a newer version of this program (schema {version}, "
            f"this one knows {SCHEMA_VERSION}): update the program, or set DB_FILE to a new file"
        )
    if version == 0:
        for table in TABLES:
            peewee.SchemaManager(table, database).create_all()
        database.application_id = APPLICATION_ID
        database.user_version = SCHEMA_VERSION


def _explain(error: peewee.DatabaseError, path: Path) -> str:
    text = str(error)
    if "not a database" in text or "malformed" in text:
        return f"is not an SQLite database, or is damaged ({text}): set DB_FILE to a new file"
    if "readonly" in text or "unable to open" in text:
        return f"cannot be written: check the permissions of the file and of {path.parent}"
    if "locked" in text:
        return "is locked by another program"
    return f"cannot be opened: {text}"
