"""A database file is created, checked and brought up to date before anything else opens it."""

import errno
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import peewee

from models.storage.errors import LockedDatabase, UnusableDatabase
from models.storage.sqlite.connection import read_only_database, reading_database, writing_database
from models.storage.sqlite.damage import is_damage
from models.storage.sqlite.migration import create, upgrade
from models.storage.sqlite.ownership import sole_owner
from models.storage.sqlite.room import is_full
from models.storage.sqlite.schema import READINGS, Schema
from models.storage.sqlite.transaction import first_error

# Nobody but us has anything to do with our files. SQLite gives -wal and -shm the mode of the database.
_OWNER_ONLY = 0o600
# The program that this one replaces kept a table in a file of the same name. It may stay there.
_LEFT_ALONE = {"messages"}


def prepare(path: Path, schema: Schema = READINGS, now: Callable[[], float] = time.time) -> None:
    """Create the file, its folders and its tables, as far as they are missing; bring an old file up to date.

    Raises UnusableDatabase if that cannot be done, if the file is not ours or too new, or if it is
    old and in use; and LockedDatabase if it cannot be done now.
    """
    name = f"{schema.setting}={path}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _check_room(name, path, error)
        raise UnusableDatabase(f"{name}: its folder cannot be created: {error.strerror}") from None
    reader, writer = reading_database(path, schema), writing_database(path, schema)
    try:
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "a device, a pipe or a socket"
            raise UnusableDatabase(f"{name} is {what}, and must be a file")
        if not _create_file(path):
            # before anything is changed: even the journal mode is another program's, if the file is
            with reader.connection_context():
                check_ours(reader, name, schema)
        with writer.connection_context():
            if 0 < writer.user_version < schema.version:
                # or an earlier version of us would find other tables under its hands
                with sole_owner(path, schema), writer.atomic():
                    upgrade(writer, schema)
            else:
                with writer.atomic():
                    if writer.user_version == 0:
                        create(writer, schema, now())
                    else:  # deletes nothing; a file that may only be read is refused here, not by each commit
                        schema.tables[0].delete().where(peewee.SQL("0")).execute(writer)
    except peewee.DatabaseError as error:
        first = first_error(error)
        if "locked" in str(first):
            raise LockedDatabase(f"{name} is locked by another program") from None
        _check_room(name, path, first)
        raise UnusableDatabase(f"{name} {_explain(first, path)}") from None
    except OSError as error:
        _check_room(name, path, error)
        raise UnusableDatabase(f"{name} {_not_writable(path)} ({error.strerror})") from None


def _check_room(name: str, path: Path, error: BaseException) -> None:
    """Raise LockedDatabase if the file called `name` cannot be used because its disk is full."""
    if getattr(error, "errno", None) == errno.ENOSPC or is_full(path, str(error)):
        raise LockedDatabase(f"{name}: its disk is full") from None


def may_write(path: Path) -> bool:
    """Whether we may write the file, and create those of its write-ahead log beside it."""
    real_path = path.resolve()
    return os.access(real_path, os.W_OK) and os.access(real_path.parent, os.W_OK | os.X_OK)


def check_read_only(path: Path, schema: Schema = READINGS) -> None:
    """Raise UnusableDatabase if a file that we may not write is not ours, or not up to date."""
    name = f"{schema.setting}={path}"
    database = read_only_database(path, schema)
    try:
        with database.connection_context():
            check_ours(database, name, schema)
            version = database.user_version
    except peewee.DatabaseError as error:
        raise UnusableDatabase(f"{name} {_explain_reading(error, path)}") from None
    if version == 0:
        raise UnusableDatabase(f"{name} is empty: the subscriber prepares it when it first runs")
    if version < schema.version:
        raise UnusableDatabase(
            f"{name} was written by an earlier version of this program (schema {version}, this one knows "
            f"{schema.version}), and must be writable to be brought up to date"
        )


@dataclass(frozen=True)
class WritingSettings:
    """How SQLite writes, as it says itself."""

    version: str
    journal_mode: str
    synchronous_full: bool


def writing_settings(path: Path) -> WritingSettings:
    """Ask a writing connection how it writes."""
    database = writing_database(path)
    with database.connection_context():
        return WritingSettings(
            version=sqlite3.sqlite_version,
            journal_mode=str(database.journal_mode),
            synchronous_full=int(database.synchronous) >= 2,
        )


def _create_file(path: Path) -> bool:
    """Create the file, which SQLite would let others read; return whether it was missing."""
    if path.exists():
        return False
    try:
        # through a symbolic link, as SQLite would
        os.close(
            os.open(os.path.realpath(path), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ONLY)
        )
    except FileExistsError:  # another process was quicker
        return False
    return True


def check_ours(database: peewee.SqliteDatabase, name: str, schema: Schema) -> None:
    """Raise UnusableDatabase if the file called `name` is another program's, or of a newer version of us."""
    owner, version = database.application_id, database.user_version
    unmarked = owner == 0 and version == 0 and set(database.get_tables()) <= _LEFT_ALONE
    if owner != schema.application_id and not unmarked:
        raise UnusableDatabase(f"{name} belongs to another program: set {schema.setting} to a new file")
    if version > schema.version:
        raise UnusableDatabase(
            f"{name} was written by a newer version of this program (schema {version}, "
            f"this one knows {schema.version}): update the program, or set {schema.setting} to a new file"
        )


def _explain(error: BaseException, path: Path) -> str:
    text = str(error)
    if is_damage(text):
        return f"is not an SQLite database, or is damaged ({text}): name a new file instead"
    if "readonly" in text or "unable to open" in text:
        return _not_writable(path)
    return f"cannot be opened: {text}"


def _explain_reading(error: peewee.DatabaseError, path: Path) -> str:
    if is_damage(str(error)):
        return _explain(error, path)
    return (
        f"cannot be read ({error}): it takes the permission to read the file and, while the subscriber runs, "
        f"those beside it whose names end in -wal and -shm; or the permission to write in {path.parent}"
    )


def _not_writable(path: Path) -> str:
    return f"cannot be written: check the permissions of the file and of {path.parent}"
