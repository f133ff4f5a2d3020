import fcntl
import os
import re
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import peewee
import pytest

from models.storage.errors import LockedDatabase, UnreadableDatabase, UnusableDatabase
from models.storage.sqlite.connection import reading_database, writing_database
from models.storage.sqlite.database import SqliteDatabase
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.ownership import sole_owner
from models.storage.sqlite.schema import READINGS
from models.storage.sqlite.store import Store
from tests.unit.ordinary_user import as_ordinary_user, outside_of
from tests.unit.rows import locked, rows
from tests.unit.stored import add

ROOT = Path(__file__).parents[2]


def refusal(path: Path) -> str:
    """Return why `path` cannot be used; one line that names it."""
    with pytest.raises(UnusableDatabase) as caught:
        prepare(path)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"DB_FILE={path}")
    return line


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a folder that any user can reach, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_the_file_is_created_with_its_folders_and_tables(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "test.db"
    prepare(path)
    tables = {name for (name,) in rows(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"series", "reading", "rejected_message", "delivery", "counter", "subscription"} <= tables
    assert rows(path, "PRAGMA user_version") == [(READINGS.version,)]


def test_preparing_again_keeps_what_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    prepare(path)
    store = Store(writing_database(path), "me")
    add(store, 1.0, value=2.0)
    store.close()
    prepare(path)
    assert rows(path, "SELECT time, value FROM reading") == [(1.0, 2.0)]


def test_a_new_file_has_small_pages_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    """Whole pages are written at each commit."""
    new, old = tmp_path / "new.db", tmp_path / "old.db"
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("PRAGMA page_size=4096")
        connection.execute("CREATE TABLE messages (id)")  # of the program that this one replaces
    for path in (new, old):
        prepare(path)
        with closing(Store(writing_database(path), "member")) as store:
            add(store, 21.5)
    assert [rows(path, "PRAGMA page_size") for path in (new, old)] == [[(1024,)], [(4096,)]]


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    path.touch()
    prepare(path)
    assert rows(path, "SELECT count(*) FROM reading") == [(0,)]


def test_the_newest_schema_is_marked_as_ours(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    prepare(path)
    assert rows(path, "PRAGMA application_id") == [(int.from_bytes(b"mqav"),)]


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    prepare(path)
    rows(path, f"PRAGMA user_version = {READINGS.version + 1}")
    line = refusal(path)
    assert (
        f"newer version of this program (schema {READINGS.version + 1}, this one knows {READINGS.version})"
        in line
    )


@pytest.mark.parametrize("mark", ["application_id = 252006674", "user_version = 3"])
def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "test.db"
    rows(path, f"PRAGMA {mark}")
    assert "belongs to another program" in refusal(path)
    assert rows(path, "SELECT name FROM sqlite_master") == []


@pytest.mark.parametrize("content", [b"hello, world\n" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "test.db"
    path.write_bytes(content)
    assert "is not an SQLite database, or is damaged" in refusal(path)
    assert path.read_bytes() == content


def test_half_a_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    prepare(path)
    path.write_bytes(path.read_bytes()[:5000])
    assert "is not an SQLite database, or is damaged" in refusal(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path).endswith("is a folder, and must be a file")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        assert refusal(path).endswith("is a device, a pipe or a socket, and must be a file")


def test_a_folder_that_cannot_be_created_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "its folder cannot be created" in refusal(tmp_path / "file" / "test.db")


def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    path.symlink_to(tmp_path / "missing" / "test.db")
    assert f"cannot be written: check the permissions of the file and of {tmp_path}" in refusal(path)


def test_a_folder_that_is_not_writable_is_refused(open_folder: Path) -> None:
    path = open_folder / "test.db"
    open_folder.chmod(0o555)
    with as_ordinary_user():
        assert "cannot be written: check the permissions" in refusal(path)
        assert "its folder cannot be created" in refusal(open_folder / "below" / "test.db")
    open_folder.chmod(0o755)


def test_a_file_that_is_not_writable_is_refused(open_folder: Path) -> None:
    path = open_folder / "test.db"
    prepare(path)
    path.chmod(0o444)
    open_folder.chmod(0o777)
    with as_ordinary_user():
        assert "cannot be written: check the permissions" in refusal(path)
    open_folder.chmod(0o555)
    with as_ordinary_user():
        assert "cannot be written: check the permissions" in refusal(path)
    open_folder.chmod(0o755)


@pytest.mark.parametrize("name", ["test.db", "a" * 300])
def test_a_file_that_we_cannot_even_look_for_is_refused(tmp_path: Path, name: str) -> None:
    """A page that another user serves tells so, where it would fail at each request."""

    def check(path: Path, why: str) -> None:
        assert "cannot be written: check the permissions" in refusal(path)
        database = SqliteDatabase(path)
        for opened in (database.reader_for_commands(), database.reader_as_it_is()):
            with pytest.raises(UnreadableDatabase, match=f"^DB_FILE={path} cannot be read: {why}$"), opened:
                pass

    if name == "test.db":
        with outside_of(name) as path:
            check(path, "we may not enter its folder")
    else:
        check(tmp_path / name, "File name too long")


def test_a_database_that_another_program_has_locked_can_be_used_later(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    prepare(path)
    with locked(path), pytest.raises(LockedDatabase, match=f"^DB_FILE={path} is locked by another program$"):
        prepare(path)
    prepare(path)


def test_a_name_that_is_special_to_sqlite_is_a_file_or_refused(tmp_path: Path) -> None:
    """Each connection to `:memory:` is a database of its own: nothing stored would be found again."""
    path = Path(":memory:")
    try:
        prepare(path)
    except UnusableDatabase:
        return
    assert (tmp_path / path).is_file()


def test_making_a_database_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    assert writing_database(path).is_closed()
    assert reading_database(path).is_closed()
    assert list(tmp_path.iterdir()) == []


def test_a_commit_survives_a_power_cut(tmp_path: Path) -> None:
    """SQLite's WAL syncs on commit only with synchronous=FULL (2)."""
    prepare(tmp_path / "test.db")
    database = writing_database(tmp_path / "test.db")
    with database.connection_context():
        assert database.execute_sql("PRAGMA synchronous").fetchone() == (2,)
        assert database.execute_sql("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("kind", [writing_database, reading_database])
def test_no_statement_waits_so_long_for_a_lock_that_pings_are_late(
    tmp_path: Path, kind: Callable[[Path], peewee.SqliteDatabase]
) -> None:
    prepare(tmp_path / "test.db")
    database = kind(tmp_path / "test.db")
    with database.connection_context():
        [milliseconds] = database.execute_sql("PRAGMA busy_timeout").fetchone()
    assert 0 < milliseconds <= 1000


def test_only_the_writing_connection_checkpoints(tmp_path: Path) -> None:
    """SQLite before 3.51.3 can lose data when two connections reset the log at once."""
    prepare(tmp_path / "test.db")
    database = reading_database(tmp_path / "test.db")
    with database.connection_context():
        assert database.execute_sql("PRAGMA wal_autocheckpoint").fetchone() == (0,)


def test_a_reading_connection_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    prepare(path)
    database = reading_database(path)
    with database.connection_context(), pytest.raises(peewee.OperationalError, match="readonly"):
        database.execute_sql("DELETE FROM reading")


def test_a_reading_connection_sees_one_state_while_another_writes(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    prepare(path)
    database = reading_database(path)
    store = Store(writing_database(path), "me")
    with database.connection_context(), database.atomic():
        count = "SELECT count(*) FROM reading"
        assert database.execute_sql(count).fetchone() == (0,)
        add(store, 1.0, value=2.0)
        assert database.execute_sql(count).fetchone() == (0,)
    store.close()
    assert rows(path, count) == [(1,)]


def test_a_database_has_one_owner_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    with sole_owner(path), pytest.raises(UnusableDatabase) as caught, sole_owner(path):
        pass
    assert str(caught.value) == (
        f"DB_FILE={path} is in use by another subscriber (process {os.getpid()}): "
        "stop that one, or set another DB_FILE and CLIENT_ID"
    )
    with sole_owner(path), sole_owner(tmp_path / "other.db"):
        pass


def test_a_database_is_free_again_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    with pytest.raises(ZeroDivisionError), sole_owner(path):
        raise ZeroDivisionError
    with sole_owner(path):
        pass


def test_another_name_of_the_same_file_is_no_other_database(tmp_path: Path) -> None:
    path, link = tmp_path / "test.db", tmp_path / "link.db"
    prepare(path)
    link.symlink_to(path)
    with sole_owner(path), pytest.raises(UnusableDatabase, match="is in use"), sole_owner(link):
        pass


def test_the_place_for_the_lock_must_be_writable(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "test.db"
    line = f"^DB_FILE={re.escape(str(path))}: .*cannot be opened"
    with pytest.raises(UnusableDatabase, match=line), sole_owner(path):
        pass


def test_a_database_is_free_again_when_its_owner_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    script = (
        "import sys, pathlib; from models.storage.sqlite.ownership import sole_owner\n"
        "with sole_owner(pathlib.Path(sys.argv[1])): print('owner', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as owner:
        try:
            assert owner.stdout is not None
            assert owner.stdout.readline() == b"owner\n"
            with pytest.raises(UnusableDatabase, match=rf"\(process {owner.pid}\)"), sole_owner(path):
                pass
        finally:
            owner.kill()
    with sole_owner(path):
        pass


def test_nobody_else_may_read_what_is_stored(tmp_path: Path) -> None:
    """Or hold the lock. SQLite alone would let everybody."""
    path = tmp_path / "test.db"
    prepare(path)
    store = Store(writing_database(path), "me")
    with sole_owner(path):
        add(store, 1.0)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    store.close()
    assert modes == dict.fromkeys(("test.db", "test.db-shm", "test.db-wal", "test.db.lock"), 0o600)


def test_the_mode_that_a_user_has_given_a_database_stays(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    prepare(path)
    path.chmod(0o640)
    prepare(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_lock_that_others_could_hold_is_taken_from_them(tmp_path: Path) -> None:
    lock = tmp_path / "test.db.lock"
    lock.touch()
    lock.chmod(0o644)
    with sole_owner(tmp_path / "test.db"):
        assert stat.S_IMODE(lock.stat().st_mode) == 0o600


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    target, lock = tmp_path / "target", tmp_path / "test.db.lock"
    target.write_text("of value")
    lock.symlink_to(target)
    line = f"{lock} cannot be opened: it is a symbolic link$"
    with pytest.raises(UnusableDatabase, match=line), sole_owner(tmp_path / "test.db"):
        pass
    assert target.read_text() == "of value"


def test_a_link_to_a_file_that_is_missing_yet_makes_it(tmp_path: Path) -> None:
    """Such as one that leads to another disk."""
    path, target = tmp_path / "test.db", tmp_path / "target.db"
    path.symlink_to(target)
    prepare(path)
    assert rows(target, "SELECT count(*) FROM reading") == [(0,)]


@pytest.mark.parametrize("kind", [writing_database, reading_database])
def test_a_connection_makes_no_file(tmp_path: Path, kind: Callable[[Path], peewee.SqliteDatabase]) -> None:
    """An empty one would be taken for a database without tables."""
    database = kind(tmp_path / "test.db")
    with pytest.raises(peewee.OperationalError, match="unable to open"), database.connection_context():
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a b%20?mode=memory#.db", "ä'\".db", "file:x.db", "\udcff.db"])
def test_any_name_is_that_of_a_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    prepare(path)
    assert path.is_file()
    assert rows(path, "SELECT count(*) FROM reading") == [(0,)]


def test_an_owner_that_has_not_yet_said_who_it_is_is_respected(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    with (tmp_path / "test.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UnusableDatabase, match=r"\(process unknown\)"), sole_owner(path):
            pass


def test_a_lock_that_is_left_over_is_no_owner(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    (tmp_path / "test.db.lock").write_text("123456789")
    with sole_owner(path):
        assert (tmp_path / "test.db.lock").read_text() == str(os.getpid())


def test_the_journal_of_a_killed_writer_is_read(tmp_path: Path) -> None:
    """What was committed is there after a crash, although it stands in the write-ahead log only."""
    path, copy = tmp_path / "test.db", tmp_path / "copy.db"
    prepare(path)
    store = Store(writing_database(path), "me")
    add(store, 1.0, value=2.0)
    for suffix in ("", "-wal"):  # as a crash leaves them: the writer has closed nothing
        copy.with_name(copy.name + suffix).write_bytes(path.with_name(path.name + suffix).read_bytes())
    store.close()
    prepare(copy)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT value FROM reading").fetchall() == [(2.0,)]
