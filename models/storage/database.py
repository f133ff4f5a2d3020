"""The database file: how it is opened, created, checked, and owned by one process."""

import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import peewee

from models.storage.reading_id import pack
from models.storage.tables import (
    Counter,
    Delivery,
    MessageId,
    Outgoing,
    Reading,
    RejectedMessage,
    Series,
    Subscription,
)

# Until the subscriber has said otherwise, the readings of version 1 are kept as long as the default.
_RETENTION_1 = 2100.0
# Seconds one statement waits for a lock. Short, so that whoever waits can ping the broker between.
_LOCK_TIMEOUT = 0.25
# Nobody but us has anything to do with our files. SQLite gives -wal and -shm the mode of the database.
_OWNER_ONLY = 0o600


@dataclass(frozen=True)
class Schema:
    """What a database file of ours holds, and how it is known."""

    # The setting that names the file, for error messages.
    setting: str
    # The role that has the file to itself, for error messages.
    owner: str
    # Marks the file as ours (SQLite's application_id).
    application_id: int
    # Grows with every change of the tables (SQLite's user_version).
    version: int
    tables: tuple[type[peewee.Model], ...]


READINGS = Schema(
    "DB_FILE",
    "subscriber",
    0x6D716176,
    3,
    (Series, Reading, MessageId, RejectedMessage, Delivery, Counter, Subscription),
)
OUTBOX = Schema("OUTBOX_FILE", "publisher", 0x6D716F78, 1, (Outgoing,))


# The program that this one replaces kept a table in a file of the same name. It may stay there.
_LEFT_ALONE = {"messages"}


class LockedDatabase(Exception):
    """Another program holds a lock on the database file; it can be used when that is over."""


class UnusableDatabase(Exception):
    """The database file cannot be used; the text says which file and why, in one line."""


class DatabaseGone(UnusableDatabase):
    """The file that is open is no longer the one at its path: what is committed now would be lost."""


class Database(peewee.SqliteDatabase):
    """A database file, under the name that a user knows it by. A connection never creates the file.

    An empty file in the place of one that is gone would be taken for a database without tables.
    """

    def __init__(
        self, path: Path, schema: Schema, pragmas: dict[str, object], lock_type: str | None = None
    ) -> None:
        super().__init__(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            pragmas=pragmas,
            lock_type=lock_type,
            timeout=_LOCK_TIMEOUT,
        )
        self.name = f"{schema.setting}={path}"


# Device and inode, which no other file has as long as this one is open.
_Identity = tuple[int, int]


class WritingDatabase(Database):
    """The database for the one connection that writes, which knows the file that it has open.

    SQLite itself goes on writing into a file that was deleted, moved or replaced.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        # `synchronous=FULL` makes a commit survive a power cut, which is what lets us acknowledge
        super().__init__(path, schema, {"journal_mode": "wal", "synchronous": "full"}, lock_type="IMMEDIATE")
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


def prepare(path: Path, schema: Schema = READINGS) -> None:
    """Create the file, its folders and its tables, as far as they are missing; bring an old file up to date.

    Raises UnusableDatabase if that cannot be done, if the file is not ours or too new, or if it is
    old and in use; and LockedDatabase if it cannot be done now.
    """
    name = f"{schema.setting}={path}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableDatabase(f"{name}: its folder cannot be created: {error.strerror}") from None
    if path.is_dir():
        raise UnusableDatabase(f"{name} is a folder, and must be a file")
    reader, writer = reading_database(path, schema), writing_database(path, schema)
    try:
        if not _create_file(path):
            # before anything is changed: even the journal mode is another program's, if the file is
            with reader.connection_context():
                _check(reader, name, schema)
        with writer.connection_context():
            if 0 < writer.user_version < schema.version:
                # or an earlier version of us would find other tables under its hands
                with sole_owner(path, schema), writer.atomic():
                    _upgrade(writer, schema)
            else:
                with writer.atomic():
                    if writer.user_version == 0:
                        _create(writer, schema)
    except peewee.DatabaseError as error:
        if "locked" in str(error):
            raise LockedDatabase(f"{name} is locked by another program") from None
        raise UnusableDatabase(f"{name} {_explain(error, path)}") from None
    except OSError as error:
        raise UnusableDatabase(f"{name} {_not_writable(path)} ({error.strerror})") from None


def is_damage(text: str) -> bool:
    """Whether an error of SQLite's, or of its driver's, says that the file is no whole database."""
    return any(sign in text for sign in ("malformed", "not a database", "Could not decode to UTF-8"))


def what_to_do_with_a_damaged(name: str, text: str) -> str:
    """Return what to tell of the damaged file called `name`, of which SQLite says `text`."""
    return (
        f"{name} is damaged ({text}): stop what uses it, "
        "move it away with its -wal and -shm, and start again with a new one"
    )


def first_damage(database: Database) -> str | None:
    """Return what SQLite finds first that is wrong with the file, None if all is well.

    It reads the whole file: seconds, where that is large. Not by `quick_check`, which costs as much
    where there are hardly any indexes: that of SQLite 3.40 sees NULL in a table like ours of ids, whose
    primary key does not begin with its first column.
    """
    [found] = database.execute_sql("PRAGMA integrity_check(1)").fetchone()
    return None if found == "ok" else " ".join(str(found).split())


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


@contextmanager
def sole_owner(path: Path, schema: Schema = READINGS) -> Iterator[None]:
    """Own the database file while inside; UnusableDatabase if another process does.

    The lock is the kernel's: it goes with the process, however that ends.
    """
    real_path = path.resolve()  # the same for every name of the file
    lock_path = real_path.with_name(f"{real_path.name}.lock")
    # of a symbolic link, which anybody may have put there, not the target
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(lock_path, flags, _OWNER_ONLY)
    except OSError as error:
        reason = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise UnusableDatabase(f"{schema.setting}={path}: {lock_path} cannot be opened: {reason}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 32).decode(errors="replace") or "unknown"
            raise UnusableDatabase(
                f"{schema.setting}={path} is in use by another {schema.owner} (process {owner}): "
                f"stop that one, or set another {schema.setting} and CLIENT_ID"
            ) from None
        with suppress(OSError):  # of an earlier version, or of another user
            os.fchmod(descriptor, _OWNER_ONLY)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)


def _lost(name: str) -> str:
    return f"{name} was deleted, moved, replaced or emptied while it was in use"


def _identity(path: str, least: int = 1) -> _Identity | None:
    """Return what tells this file from others, None if none of `least` bytes can be found there."""
    try:
        status = os.stat(path)  # noqa: PTH116 - once a commit, and a Path takes longer
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status.st_size >= least else None


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


def _check(database: peewee.SqliteDatabase, name: str, schema: Schema) -> None:
    owner, version = database.application_id, database.user_version
    unmarked = owner == 0 and version == 0 and set(database.get_tables()) <= _LEFT_ALONE
    if owner != schema.application_id and not unmarked:
        raise UnusableDatabase(f"{name} belongs to another program: set {schema.setting} to a new file")
    if version > schema.version:
        raise UnusableDatabase(
            f"{name} was written by a newer version of this program (schema {version}, "
            f"this one knows {schema.version}): update the program, or set {schema.setting} to a new file"
        )


def _create(database: peewee.SqliteDatabase, schema: Schema) -> None:
    for table in schema.tables:
        peewee.SchemaManager(table, database).create_all()
    if Counter in schema.tables:
        Counter.insert(name="since", value=int(time.time())).execute(database)
    database.application_id = schema.application_id
    database.user_version = schema.version


def _upgrade(database: peewee.SqliteDatabase, schema: Schema) -> None:
    """Bring what earlier versions have stored.

    In version 1 a reading had an `id` of its own, and a series nothing but its name. In both the ids
    of messages were texts, with an index.
    """
    version = database.user_version
    if version == schema.version:
        return  # another process was quicker
    old = ("series", "reading") if version == 1 else ("reading",)
    database.execute_sql("DROP INDEX reading_message_id")
    if version == 1:  # or the new one of that name would not be made
        database.execute_sql("DROP INDEX series_name")
    for name in old:
        database.execute_sql(f"ALTER TABLE {name} RENAME TO old_{name}")
    for table in schema.tables:
        peewee.SchemaManager(table, database).create_all()
    if version == 1:
        database.execute_sql(
            "INSERT INTO series (id, name, topic, field, since, retention) "
            "SELECT old_series.id, name, name, '', MIN(time), ? "
            "FROM old_series JOIN old_reading ON series_id = old_series.id GROUP BY old_series.id",
            (_RETENTION_1,),
        )
        database.execute_sql(
            "INSERT INTO counter (name, value) SELECT 'sequence', COALESCE(MAX(id), 0) FROM old_reading"
        )
    database.register_function(lambda message_id: message_id and pack(message_id), "packed", 1)
    database.execute_sql(
        "INSERT INTO reading (time, sequence, series_id, value, message_id) "
        f"SELECT time, {'id' if version == 1 else 'sequence'}, series_id, value, packed(message_id) "
        "FROM old_reading"
    )
    database.execute_sql(
        "INSERT INTO message_id SELECT series_id, message_id FROM reading WHERE message_id IS NOT NULL"
    )
    for name in reversed(old):
        database.execute_sql(f"DROP TABLE old_{name}")
    database.user_version = schema.version


def _explain(error: peewee.DatabaseError, path: Path) -> str:
    text = str(error)
    if is_damage(text):
        return f"is not an SQLite database, or is damaged ({text}): name a new file instead"
    if "readonly" in text or "unable to open" in text:
        return _not_writable(path)
    return f"cannot be opened: {text}"


def _not_writable(path: Path) -> str:
    return f"cannot be written: check the permissions of the file and of {path.parent}"
