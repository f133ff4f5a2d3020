"""A copy of a database that is in use: of one moment, checked, and right to go on from."""

import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from models.storage.batch import Batch
from models.storage.errors import UnreadableDatabase, UnusableDatabase
from models.storage.sqlite import backup
from models.storage.sqlite.backup import LONGEST, BackupFailed, back_up
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.schema import READINGS
from models.storage.sqlite.store import Store
from scheduler_app.management import main
from tests.support.damage import damage
from tests.unit.ordinary_user import as_ordinary_user
from tests.unit.rows import rows
from tests.unit.stored import add
from tests.unit.test_upgrade import EARLIER, write

EVERYTHING = [
    f"SELECT * FROM {table.lower()} ORDER BY 1, 2"
    for table in ("series", "reading", "message_id", "rejected_message", "counter", "subscription")
]
COUNT = "SELECT COUNT(*) FROM reading"
FIRST = [float(time) for time in range(1000)]


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """Open it as a subscriber does, with some pages of readings and with deliveries that are remembered."""
    store = Store(writing_database(path), "me")
    add(store, *FIRST)
    store.add(Batch(deliveries=[(1000, b"0123456789")]))
    store.set_subscriptions(["DATA"])
    yield store
    store.close()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "copies"
    folder.mkdir()
    return folder / "copy.db"


def meanwhile(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> Callable[[], float]:
    """Return a clock for `back_up` that does `work` once, when the first page has been copied."""
    monkeypatch.setattr(backup, "_STEP", 1)
    looks = 0

    def elapsed() -> float:
        nonlocal looks
        looks += 1
        if looks == 2:  # the first was before it began
            work()
        return 0.0

    return elapsed


def test_all_is_in_the_copy_but_the_memory_of_deliveries(path: Path, store: Store, copy: Path) -> None:
    """What the broker gives out anew by the time the copy is used must not be taken for what it was then."""
    assert back_up(path, copy) == len(FIRST)
    for query in EVERYTHING:
        assert rows(copy, query) == rows(path, query)
    assert rows(copy, "SELECT * FROM delivery") == []
    assert store.deliveries() == [(1000, b"0123456789")]


def test_the_copy_is_one_file_and_its_owners_alone(path: Path, store: Store, copy: Path) -> None:
    back_up(path, copy)
    assert list(copy.parent.iterdir()) == [copy]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert rows(copy, "PRAGMA journal_mode") == [("delete",)]


def test_it_is_the_database_at_one_moment_and_holds_up_no_commit(
    path: Path, store: Store, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint of the write-ahead log is not held up either."""

    def go_on() -> None:
        add(store, 5000.0, 5001.0)
        [(busy, _, _)] = rows(path, "PRAGMA wal_checkpoint(PASSIVE)")
        assert not busy

    assert back_up(path, copy, meanwhile(monkeypatch, go_on)) == len(FIRST)
    assert rows(copy, COUNT) == [(len(FIRST),)]
    assert rows(copy, "SELECT value FROM counter WHERE name = 'stored'") == [(len(FIRST),)]
    assert rows(path, COUNT) == [(len(FIRST) + 2,)]


def test_a_file_in_a_folder_that_may_only_be_read_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as on a disk that is mounted read-only."""
    monkeypatch.setattr(os, "access", partial(os.access, effective_ids=True))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, copy = folder / "source" / "test.db", folder / "copies" / "copy.db"
        with closing(Store(writing_database(path), "me")) as store:
            prepare(path)
            add(store, *FIRST)
        path.chmod(0o444)
        copy.parent.mkdir()
        copy.parent.chmod(0o777)
        folder.chmod(0o755)
        path.parent.chmod(0o555)
        with as_ordinary_user():
            assert back_up(path, copy) == len(FIRST)
        path.parent.chmod(0o755)


def test_a_subscriber_goes_on_from_the_copy(path: Path, store: Store, copy: Path) -> None:
    back_up(path, copy)
    prepare(copy)
    restored = Store(writing_database(copy), "me")
    with closing(restored):
        assert restored.deliveries() == []
        assert restored.subscriptions() == {"DATA"}
        sequence = add(restored, 5000.0).sequence
    assert sequence == len(FIRST) + 1
    assert rows(copy, "PRAGMA journal_mode") == [("wal",)]


def test_what_is_there_is_never_overwritten(path: Path, store: Store, copy: Path) -> None:
    copy.write_text("precious")
    with pytest.raises(BackupFailed, match=f"^{copy} exists already: name a new file$"):
        back_up(path, copy)
    with pytest.raises(BackupFailed, match="exists already"):
        back_up(path, path)
    link = copy.with_name("link.db")
    link.symlink_to(copy.with_name("nowhere"))
    with pytest.raises(BackupFailed, match="exists already"):
        back_up(path, link)
    assert copy.read_text() == "precious"
    assert sorted(copy.parent.iterdir()) == [copy, link]


def test_what_comes_while_it_is_copied_is_not_overwritten_either(
    path: Path, store: Store, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BackupFailed, match="exists already"):
        back_up(path, copy, meanwhile(monkeypatch, lambda: copy.write_text("precious")))
    assert copy.read_text() == "precious"
    assert list(copy.parent.iterdir()) == [copy]


def test_another_backup_is_left_alone(path: Path, store: Store, copy: Path) -> None:
    part = copy.with_name("copy.db.part")
    part.write_text("half")
    with pytest.raises(BackupFailed, match=f"^{part} exists already: another backup is at work, or one was"):
        back_up(path, copy)
    assert part.read_text() == "half"
    assert list(copy.parent.iterdir()) == [part]


@pytest.mark.parametrize("name", [".", "..", "/", ""])
def test_a_folder_is_no_new_file(path: Path, store: Store, name: str) -> None:
    with pytest.raises(BackupFailed, match=r"exists already: name a new file$"):
        back_up(path, Path(name))


def test_a_name_that_no_file_can_have_is_told(path: Path, store: Store, tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match=r"cannot be created: File name too long$"):
        back_up(path, tmp_path / ("x" * 300))


def test_a_folder_that_is_not_there_is_named(path: Path, store: Store, tmp_path: Path) -> None:
    copy = tmp_path / "missing" / "copy.db"
    with pytest.raises(BackupFailed, match=f"^{copy} cannot be created: No such file or directory$"):
        back_up(path, copy)


@pytest.mark.parametrize(("seconds", "is_made"), [(LONGEST, True), (LONGEST + 0.1, False)])
def test_it_takes_no_longer_than_the_log_may_grow(
    path: Path, store: Store, copy: Path, *, seconds: float, is_made: bool
) -> None:
    clock = iter([0.0])

    def elapsed() -> float:
        return next(clock, seconds)

    if is_made:
        assert back_up(path, copy, elapsed) == len(FIRST)
        return
    with pytest.raises(BackupFailed, match=r"could not be copied within 300 s \(only \d+ of its \d+ pages"):
        back_up(path, copy, elapsed)
    assert list(copy.parent.iterdir()) == []


@pytest.mark.parametrize("table", ["reading", "counter"])
def test_of_a_damaged_database_there_is_no_copy(path: Path, copy: Path, table: str) -> None:
    with closing(Store(writing_database(path), "me")) as store:
        add(store, *FIRST)
    damage(path, table)
    with pytest.raises(UnreadableDatabase, match=f"^DB_FILE={path} is damaged"):
        back_up(path, copy)
    assert list(copy.parent.iterdir()) == []


def make(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_database_of_another_program_or_of_a_newer_version_is_not_copied(
    path: Path, tmp_path: Path, copy: Path
) -> None:
    other = tmp_path / "other.db"
    make(other, "PRAGMA application_id = 1")
    with pytest.raises(UnusableDatabase, match="belongs to another program"):
        back_up(other, copy)
    make(path, f"PRAGMA user_version = {READINGS.version + 1}")
    with pytest.raises(UnusableDatabase, match="newer version"):
        back_up(path, copy)
    empty = tmp_path / "empty.db"
    empty.touch()
    with pytest.raises(BackupFailed, match=f"^DB_FILE={empty} has no tables of ours yet"):
        back_up(empty, copy)
    assert list(copy.parent.iterdir()) == []


@pytest.mark.parametrize("version", EARLIER)
def test_a_database_of_an_earlier_version_is_copied_as_it_is(
    tmp_path: Path, copy: Path, version: int
) -> None:
    """So that there is a copy to go back to before it is upgraded; which the copy can be, too."""
    old = tmp_path / "old.db"
    write(old, version)
    assert back_up(old, copy) == 5
    assert rows(copy, "PRAGMA user_version") == rows(old, "PRAGMA user_version") == [(version,)]
    assert rows(copy, "SELECT * FROM reading ORDER BY 1") == rows(old, "SELECT * FROM reading ORDER BY 1")
    prepare(copy)
    assert rows(copy, "PRAGMA user_version") == [(READINGS.version,)]


def test_the_command_says_what_is_in_the_copy(
    path: Path, store: Store, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["manage.py", "backup", "--db-file", str(path), str(copy)]
    assert main(arguments) == 0
    size = copy.stat().st_size
    assert capsys.readouterr().out == f"{copy}: 1,000 readings, {size / 1000:,.0f} kB, checked\n"
    assert main(arguments) == 1
    assert capsys.readouterr().err == f"Error: {copy} exists already: name a new file\n"


def test_an_interrupted_command_says_that_there_is_no_copy(
    path: Path, store: Store, copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever takes the copy elsewhere next finds out by the exit status, as after any other failure."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    arguments = ["manage.py", "backup", "--db-file", str(path), str(copy)]
    with monkeypatch.context() as patch:
        patch.setattr(backup, "_complete", interrupt)
        assert main(arguments) == 1
    assert capsys.readouterr().err == "Error: interrupted before there was a copy\n"
    assert list(copy.parent.iterdir()) == []
    with monkeypatch.context() as patch:  # it is there already
        patch.setattr(backup, "_sync_folder", interrupt)
        with pytest.raises(KeyboardInterrupt):
            main(arguments)
    assert copy.exists()


def test_the_command_needs_a_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manage.py", "backup", "--db-file", "nowhere.db", "copy.db"]) == 1
    assert capsys.readouterr().err == "Error: DB_FILE=nowhere.db does not exist: there is nothing to copy\n"
    assert list(tmp_path.iterdir()) == []
