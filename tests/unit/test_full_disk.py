"""A disk without room, as SQLite meets it when it opens a file."""

import errno
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.storage.errors import LockedDatabase, StoreUnavailable, UnreadableDatabase, UnusableDatabase
from models.storage.sqlite.connection import reading_database, writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.ownership import sole_owner
from models.storage.sqlite.store import Store
from models.storage.sqlite.transaction import reading
from scheduler_app.runtime.lifecycle import Stopped, StopSignal
from scheduler_app.runtime.locked_database import when_unlocked

Leave = Callable[[int], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    prepare(tmp_path / "test.db")
    return tmp_path / "test.db"


@pytest.fixture
def leave(monkeypatch: pytest.MonkeyPatch) -> Leave:
    """Return what has the system say that so many bytes are free."""

    def set_free(size: int) -> None:
        monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=size, f_frsize=1))

    return set_free


@contextmanager
def nothing_grows(beyond: int = 0) -> Iterator[None]:
    """Have each write beyond so many bytes of a file fail while inside: SQLite calls that an I/O error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (beyond, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_no_broken_one(path: Path, leave: Leave) -> None:
    """Without 32 KiB SQLite cannot open a file that nobody has open, and calls that an I/O error."""
    for free in (0, 32767):
        leave(free)
        with nothing_grows(), pytest.raises(LockedDatabase, match=f"^DB_FILE={path}: its disk is full$"):
            prepare(path)
    leave(32768)
    with nothing_grows(), pytest.raises(UnusableDatabase, match=r"cannot be opened: disk I/O error$"):
        prepare(path)


def test_what_failed_first_is_told_not_that_it_left_nothing_to_roll_back(
    tmp_path: Path, leave: Leave
) -> None:
    """A new file, on a disk that becomes full while its tables are made."""
    leave(0)
    for beyond in range(0, 16000, 500):
        path = tmp_path / f"{beyond}.db"
        with nothing_grows(beyond), pytest.raises(LockedDatabase, match=r"its disk is full$"):
            prepare(path)


def test_whoever_looks_or_writes_is_told_that_it_is_full(path: Path, leave: Leave) -> None:
    leave(0)
    store = Store(writing_database(path), "me")
    with nothing_grows():
        with (
            pytest.raises(UnreadableDatabase, match=r"cannot be read: disk I/O error: the disk is full$"),
            reading(database := reading_database(path)),
        ):
            database.get_tables()
        with pytest.raises(StoreUnavailable, match=r"^disk I/O error: the disk is full$"):
            store.deliveries()
    store.close()


def test_a_role_waits_for_room(path: Path, leave: Leave, log_lines: list[str]) -> None:
    """It goes on by itself when there is some; and it can be told to stop meanwhile."""
    leave(0)
    stop = StopSignal()
    stop.request()
    with nothing_grows(), pytest.raises(Stopped):
        when_unlocked(lambda: prepare(path), stop)
    line = f"the database cannot be used yet (DB_FILE={path}: its disk is full); trying again until it can"
    assert log_lines == [f"ERROR: {line}"]
    when_unlocked(lambda: prepare(path), stop)


@pytest.mark.parametrize("call", ["open", "mkdir"])
def test_also_one_on_which_no_file_or_folder_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    path = tmp_path / "new" / "test.db"
    if call == "open":
        path.parent.mkdir()
    with pytest.raises(LockedDatabase, match=r"its disk is full$"):
        prepare(path)


def test_a_file_is_owned_also_where_nobody_can_be_told_by_whom(path: Path) -> None:
    in_use = pytest.raises(UnusableDatabase, match="in use by another subscriber")
    with nothing_grows(), sole_owner(path), in_use, sole_owner(path):
        pass
