"""The database file goes away while it is open."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from models.reading import Reading
from models.storage.batch import Batch
from models.storage.errors import DatabaseGone, StoreUnavailable
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.outbox import Outbox
from models.storage.sqlite.schema import OUTBOX
from models.storage.sqlite.store import Store
from tests.unit.messages import message
from tests.unit.rows import locked, rows
from tests.unit.stored import add
from tests.unit.writers import writer_on


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def delete(path: Path) -> None:
    path.unlink()


def delete_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def move(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


def move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def replace(path: Path) -> None:
    other = path.with_name("other.db")
    prepare(other)
    other.replace(path)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def delete_log(path: Path) -> None:
    log_of(path).unlink()


def replace_log(path: Path) -> None:
    log_of(path).unlink()
    log_of(path).touch()


DEEDS = (delete, delete_folder, move, move_folder, replace, empty, delete_log, replace_log)
READING = Batch(readings=[Reading(1, 2.0, 1.0)])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "test.db"
    prepare(path)
    return path


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(writing_database(path), "me")
    add(store, 1.0)
    yield store
    store.close()


@pytest.mark.parametrize("deed", DEEDS)
def test_what_is_committed_into_a_file_that_is_gone_counts_as_not_stored(
    store: Store, path: Path, deed: Callable[[Path], None]
) -> None:
    deed(path)
    assert store.file_may_be_gone
    with pytest.raises(DatabaseGone, match=f"^DB_FILE={path} ") as caught:
        store.add(READING)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("deed", DEEDS)
def test_it_is_noticed_also_when_nothing_is_written(
    store: Store, path: Path, deed: Callable[[Path], None]
) -> None:
    assert not store.check_file()
    deed(path)
    with pytest.raises(DatabaseGone):
        store.check_file()


@pytest.mark.parametrize("deed", [delete, delete_folder, move, replace])
def test_it_is_noticed_between_two_connections(
    store: Store, path: Path, deed: Callable[[Path], None]
) -> None:
    """After each error there is a new one, which must not go to another file."""
    with locked(path), pytest.raises(StoreUnavailable, match="locked"):
        store.add(READING)
    deed(path)
    with pytest.raises(DatabaseGone):
        store.add(READING)
    assert not path.exists() or rows(path, "SELECT * FROM reading") == []


def test_a_log_that_is_gone_and_an_error_together_are_a_loss(store: Store, path: Path) -> None:
    delete_log(path)
    with locked(path), pytest.raises(DatabaseGone, match="write-ahead log"):
        store.add(READING)


@pytest.mark.parametrize("end", [Store.check_file, Store.close])
def test_a_file_that_was_moved_gets_what_is_in_the_log_which_is_then_empty(
    store: Store, path: Path, end: Callable[[Store], object]
) -> None:
    """SQLite would leave the log to the next file at that path, and so damage that one."""
    assert log_of(path).stat().st_size > 0
    move(path)
    with suppress(DatabaseGone):
        end(store)
    assert log_of(path).read_bytes() == b""
    log_of(path).unlink()
    assert rows(path.with_name("moved.db"), "SELECT time FROM reading") == [(1.0,)]


def test_a_log_that_was_deleted_is_written_into_the_database(store: Store, path: Path) -> None:
    delete_log(path)
    with pytest.raises(DatabaseGone):
        store.add(READING)
    assert rows(path, "SELECT time FROM reading") == [(1.0,), (2.0,)]


def test_a_file_that_stays_is_not_lost(store: Store, path: Path) -> None:
    """Neither when its log grows, is written back or is made anew, nor by another name for it."""
    link = path.with_name("link.db")
    link.symlink_to(path)
    other = Store(writing_database(link), "me")
    rows(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    store.add(READING)
    store.close()
    other.check_file()
    other.close()
    assert not log_of(path).exists()
    assert not store.file_may_be_gone
    add(store, 3.0)
    assert not store.file_may_be_gone
    assert rows(path, "SELECT time FROM reading") == [(1.0,), (2.0,), (3.0,)]


def test_the_log_of_a_link_is_beside_the_file_it_leads_to(tmp_path: Path) -> None:
    target, link = tmp_path / "a" / "target.db", tmp_path / "link.db"
    prepare(target)
    link.symlink_to(target)
    store = Store(writing_database(link), "me")
    add(store, 1.0)
    delete_log(target)
    with pytest.raises(DatabaseGone, match=str(log_of(target))):
        store.add(READING)


def test_a_link_that_leads_elsewhere_is_a_loss(tmp_path: Path) -> None:
    first, second, link = (tmp_path / name for name in ("first.db", "second.db", "link.db"))
    prepare(first)
    prepare(second)
    link.symlink_to(first)
    store = Store(writing_database(link), "me")
    add(store, 1.0)
    link.unlink()
    link.symlink_to(second)
    with pytest.raises(DatabaseGone):
        store.add(READING)


def test_an_outbox_that_is_gone_is_named_by_its_own_setting(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    prepare(path, OUTBOX)
    outbox = Outbox(writing_database(path, OUTBOX))
    outbox.add([("DATA", "1")])
    path.unlink()
    with pytest.raises(DatabaseGone, match=f"^OUTBOX_FILE={path} was deleted, moved"):
        outbox.add([("DATA", "2")])


def test_that_the_file_is_gone_is_not_taken_for_a_message_that_cannot_be_stored(tmp_path: Path) -> None:
    """Else the messages at hand would be rejected one by one, in a file that is not there."""
    path = tmp_path / "test.db"
    prepare(path)
    store = Store(writing_database(path), "me")
    writer = writer_on(store)
    writer.commit(writer.sort([message(b"1")]))
    path.unlink()
    with pytest.raises(DatabaseGone):
        writer.commit(writer.sort([message(b"2")]))
