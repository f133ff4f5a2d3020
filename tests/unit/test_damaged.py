"""A database file that is damaged is told in one line, wherever it is read or written."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from config.settings import load_settings
from models.storage.errors import DamagedStore, StoreUnavailable, UnreadableDatabase, UnusableDatabase
from models.storage.sqlite.connection import reading_database, writing_database
from models.storage.sqlite.damage import first_damage
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.reader import StoreReader
from models.storage.sqlite.store import Store
from models.storage.sqlite.transaction import reading
from scheduler_app.checks.doctor import examine
from scheduler_app.checks.finding import Level
from scheduler_app.errors import CommandError
from scheduler_app.runtime.chosen_database import stored_readings
from scheduler_app.runtime.lifecycle import StopSignal
from scheduler_app.runtime.locked_database import when_unlocked
from scheduler_app.subscriber.monitor import ReadErrors
from tests.support.damage import damage
from tests.unit.messages import message
from tests.unit.rows import locked, rows
from tests.unit.stored import add
from tests.unit.writers import writer_on

LINE = (
    "DB_FILE={} is damaged (database disk image is malformed): stop what uses it, "
    "move it away with its -wal and -shm, and start again with a new one"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Make a database with some pages of readings."""
    path = tmp_path / "test.db"
    prepare(path)
    store = Store(writing_database(path), "me")
    add(store, *range(1, 1001))
    store.close()
    return path


def test_writing_into_it_is_an_error_that_no_waiting_cures(path: Path) -> None:
    damage(path, "reading")
    store = Store(writing_database(path), "me")
    with pytest.raises(DamagedStore) as caught:
        add(store, 2000.0)
    assert str(caught.value) == LINE.format(path)
    store.close()


def test_a_locked_database_is_not_damaged(path: Path) -> None:
    store = Store(writing_database(path), "me")
    with locked(path), pytest.raises(StoreUnavailable) as caught:
        add(store, 2000.0)
    assert not isinstance(caught.value, DamagedStore)
    store.close()


@pytest.mark.parametrize(
    ("table", "ask"),
    [
        ("series", StoreReader.series),
        ("reading", StoreReader.summaries),
        ("reading", StoreReader.snapshot),
        ("counter", StoreReader.counters),
        ("rejected_message", StoreReader.rejected_counts),
    ],
)
@pytest.mark.parametrize("byte", [b"\xff", b"\0"])
def test_a_command_that_reads_it_ends_with_one_line(
    path: Path, table: str, ask: Callable[[Any], object], byte: bytes
) -> None:
    damage(path, table, byte)
    with (
        pytest.raises(CommandError) as caught,
        stored_readings(load_settings({"db_file": str(path)})) as stored,
    ):
        ask(stored)
    assert (str(caught.value), caught.value.status) == (LINE.format(path), 1)


def test_a_text_that_is_none_is_damage_too(path: Path) -> None:
    rows(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    assert path.read_bytes().count(b"DATADATA") == 1
    path.write_bytes(path.read_bytes().replace(b"DATADATA", b"DAT\xffDAT\xff"))
    with (
        pytest.raises(CommandError, match=r"is damaged \(Could not decode"),
        stored_readings(load_settings({"db_file": str(path)})) as stored,
    ):
        stored.series()


def test_a_database_that_cannot_be_read_for_another_reason_is_named(tmp_path: Path) -> None:
    """It is not there any more; and no empty one is made in its place."""
    path = tmp_path / "test.db"
    line = f"^DB_FILE={path} cannot be read: unable to open database file$"
    with pytest.raises(UnreadableDatabase, match=line), reading(reading_database(path)):
        pass
    assert not path.exists()


def test_a_role_does_not_wait_for_it_to_be_whole_again(path: Path) -> None:
    damage(path, "delivery")
    store = Store(writing_database(path), "me")
    with pytest.raises(UnusableDatabase, match="is damaged"):
        when_unlocked(store.deliveries, StopSignal())


@pytest.mark.parametrize("table", ["reading", "message_id", "rejected_message", "delivery", "subscription"])
def test_check_finds_it_in_every_table(path: Path, table: str) -> None:
    """Also where no other check reads it."""
    damage(path, table)
    _, database = islice(examine(load_settings({"db_file": str(path)}), downtime=1.0), 2)
    assert (database.level, database.name) == (Level.FAIL, "database")
    assert database.text.startswith(f"DB_FILE={path} is damaged (")
    assert "\n" not in database.text


def test_periodic_work_says_it_once_and_leaves_the_rest_to_the_next_time(log_lines: list[str]) -> None:
    read_errors = ReadErrors()
    done: list[str] = []
    for _ in range(3):
        with read_errors.told():
            with read_errors.told():
                raise UnreadableDatabase("DB_FILE=x is damaged")
            done.append("what needs no database")
    assert done == ["what needs no database"] * 3
    assert log_lines == ["ERROR: DB_FILE=x is damaged; nothing can be published of what is in it"]


AGAIN = "INFO: the database can be read again; what is in it is published"


def test_a_round_that_has_read_all_says_that_it_can_be_read_again(log_lines: list[str]) -> None:
    """Not one that had nothing to read, nor one of which a part could not be read."""
    read_errors = ReadErrors()

    @read_errors.round()
    def work(*, fails: bool = False, reads: bool = True) -> None:
        with read_errors.told():
            if fails:
                raise UnreadableDatabase("DB_FILE=x is damaged")
        if reads:
            read_errors.has_read()

    work()
    work(fails=True)
    work(fails=True)
    work(reads=False)
    with read_errors.told():  # beside the rounds, with nothing to read
        pass
    assert len(log_lines) == 1
    work()
    work()
    assert log_lines[1:] == [AGAIN]


def test_periodic_work_that_fails_for_another_reason_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), ReadErrors().told():
        raise ZeroDivisionError


def test_a_file_with_ids_of_readings_is_whole(tmp_path: Path) -> None:
    """SQLite 3.40 finds NULL in their table if it is asked for a quick check."""
    path = tmp_path / "test.db"
    prepare(path)
    store = Store(writing_database(path), "me")
    writer = writer_on(store)
    writer.commit(writer.sort([message(b'{"number": 21.5, "id": "a-1"}')]))
    store.close()
    database = reading_database(path)
    with database.connection_context():
        assert first_damage(database) is None
