"""A copy of a database file, made while it is in use."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import peewee

from models.storage.errors import UnreadableDatabase
from models.storage.sqlite.connection import Database, read_only_database, reading_database
from models.storage.sqlite.damage import first_damage, is_damage, what_to_do_with_a_damaged
from models.storage.sqlite.opening import check_ours, may_write
from models.storage.sqlite.queries import reading_count
from models.storage.sqlite.schema import READINGS
from models.storage.sqlite.tables import Delivery
from models.storage.sqlite.transaction import reading

# Seconds. While a copy is made, SQLite cannot reuse its write-ahead log, which grows instead.
LONGEST = 300.0
# Pages of 4 KiB that are copied at a time. After each time they are written out: a gigabyte that is written
# out in one go would hold up the commits of the subscriber meanwhile.
_STEP = 1024
# Nobody but us has anything to do with our files.
_OWNER_ONLY = 0o600


class BackupFailed(Exception):
    """There is no copy; the text says why, in one line. Nothing of it is left."""


def back_up(path: Path, copy: Path, elapsed: Callable[[], float] = time.monotonic) -> int:
    """Copy the database at `path` to the new file `copy`; return how many readings are in it.

    It is the database at one moment, and the subscriber goes on meanwhile: it waits for nothing of ours. The
    copy is one file, whole and checked, or there is none; it is right to go on from (`_forget_deliveries`).
    `elapsed` tells seconds by a clock that never jumps. Raises BackupFailed, and UnreadableDatabase or
    UnusableDatabase if `path` is no database of ours.
    """
    _check_new(copy)
    part = copy.with_name(f"{copy.name}.part")
    database = reading_database(path) if may_write(path) else read_only_database(path)
    with reading(database):
        check_ours(database, database.name, READINGS)
        if not database.user_version:
            raise BackupFailed(f"{database.name} has no tables of ours yet: there is nothing to copy")
        try:
            descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ONLY)
        except FileExistsError:
            raise BackupFailed(
                f"{part} exists already: another backup is at work, or one was killed: then delete it"
            ) from None
        except OSError as error:
            raise BackupFailed(f"{copy} cannot be created: {error.strerror}") from None
        try:
            _copy(database, part, descriptor, elapsed)
            count = _complete(database.name, part)
            os.fsync(descriptor)
            _check_new(copy)
            part.rename(copy)
        except OSError as error:
            raise BackupFailed(f"{copy} cannot be written: {error.strerror}") from None
        finally:
            os.close(descriptor)
            for left in (part, part.with_name(f"{part.name}-journal")):
                with suppress(OSError):
                    left.unlink(missing_ok=True)
    _sync_folder(copy.absolute().parent)
    return count


def _check_new(copy: Path) -> None:
    """Raise BackupFailed if there is anything at `copy`, and be it a symbolic link that leads nowhere."""
    if os.path.lexists(copy):
        raise BackupFailed(f"{copy} exists already: name a new file")


def _copy(database: Database, part: Path, descriptor: int, elapsed: Callable[[], float]) -> None:
    """Copy all pages as one transaction sees them."""
    deadline = elapsed() + LONGEST

    def look(status: int, remaining: int, total: int) -> None:
        os.fsync(descriptor)
        if elapsed() > deadline:
            raise BackupFailed(
                f"{database.name} could not be copied within {LONGEST:g} s (only {total - remaining} of its "
                f"{total} pages were): copy it to a faster disk"
            )

    # What is left of it after a crash is deleted anyway: so it needs no journal, and is written out by us.
    with closing(sqlite3.connect(part, isolation_level=None)) as target, database.atomic():
        target.execute("PRAGMA journal_mode=off")
        target.execute("PRAGMA synchronous=off")
        database.execute_sql("SELECT COUNT(*) FROM sqlite_master").fetchone()  # the transaction begins here
        try:
            database.connection().backup(target, pages=_STEP, progress=look)
        except sqlite3.Error as error:
            if is_damage(str(error)):
                raise
            raise BackupFailed(f"{database.name} cannot be copied to {part}: {error}") from None


def _complete(name: str, part: Path) -> int:
    """Make what was copied a database to go on from, and check it; return how many readings it has."""
    copied = Database(part, READINGS, {"journal_mode": "delete", "synchronous": "full"})
    try:
        with copied.connection_context():
            _forget_deliveries(copied)
            found = first_damage(copied)
            if found is None:
                return reading_count(copied)
    except peewee.DatabaseError as error:
        if not is_damage(str(error)):
            raise BackupFailed(f"{part} cannot be completed: {error}") from None
        found = str(error)
    raise UnreadableDatabase(what_to_do_with_a_damaged(name, found))


def _forget_deliveries(database: Database) -> None:
    """Take the memory of deliveries out of a copy.

    By it the subscriber recognises what the broker sends again, by packet ids that the broker uses anew
    after some ten thousand messages. When the copy is put in place one day, the broker's session has gone
    on: an honest reading could then have packet id and content of one that is remembered from long ago,
    and would be dropped. Without the memory none is dropped.
    """
    if database.table_exists(Delivery):  # an early version had none
        Delivery.delete().execute(database)


def _sync_folder(folder: Path) -> None:
    """Write out that a file has its name now, where the file system can do that."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with suppress(OSError):
        os.fsync(descriptor)
    os.close(descriptor)
