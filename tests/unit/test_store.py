import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from peewee import SqliteDatabase

from models.database import prepare, writing_database
from models.store import Batch, NewReading, NewRejected, Store
from models.transaction import StoreUnavailable
from tests.unit.rows import locked, rows

READINGS = (
    "SELECT series.name, time, value FROM reading JOIN series ON series.id = series_id ORDER BY reading.id"
)
REJECTED = "SELECT arrived, topic, payload, size, reason, detail FROM rejected_message ORDER BY id"
COUNTS = "SELECT name, value FROM counter WHERE name <> 'since' ORDER BY name"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "test.db"
    prepare(path)
    return path


@pytest.fixture
def database(path: Path) -> SqliteDatabase:
    return writing_database(path)


@pytest.fixture
def store(database: SqliteDatabase) -> Iterator[Store]:
    store = Store(database)
    yield store
    store.close()


def reading(time: float, series: str = "DATA", value: float = 1.0) -> NewReading:
    return NewReading(series, time, value)


def rejected(arrived: float) -> NewRejected:
    return NewRejected(arrived, "DATA", b"\xff", 1, "not UTF-8", "")


def ids(path: Path) -> list[int]:
    return [number for (number,) in rows(path, "SELECT id FROM reading ORDER BY id")]


def full_batch() -> Batch:
    return Batch(
        readings=[NewReading("a", 1.5, 2.5), NewReading("b", 1.0, -0.1), NewReading("a", 1.5, 2.5)],
        rejected=[NewRejected(3.5, "c", b"\x00\xff", 9000, "not UTF-8", "why")],
        counts=Counter(received=4, rejected=1),
    )


def test_a_batch_is_stored_as_it_is(store: Store, path: Path) -> None:
    store.add(full_batch())
    assert rows(path, READINGS) == [("a", 1.5, 2.5), ("b", 1.0, -0.1), ("a", 1.5, 2.5)]
    assert rows(path, REJECTED) == [(3.5, "c", b"\x00\xff", 9000, "not UTF-8", "why")]
    assert rows(path, COUNTS) == [("received", 4), ("rejected", 1), ("stored", 3)]


@pytest.mark.parametrize("value", [5e-324, 1.7976931348623157e308, 0.1, -1e17, 3.0])
def test_a_number_is_read_back_to_the_last_bit(store: Store, path: Path, value: float) -> None:
    store.add(Batch(readings=[reading(0.1, value=value)]))
    [(_, time, stored)] = rows(path, READINGS)
    assert (repr(time), repr(stored)) == ("0.1", repr(value))


def test_counts_add_up_over_batches(store: Store, path: Path) -> None:
    store.add(Batch(counts=Counter(received=2, late=2)))
    store.add(Batch(counts=Counter(received=3, rejected=3)))
    assert rows(path, COUNTS) == [("late", 2), ("received", 5), ("rejected", 3)]


def test_a_series_is_stored_once(store: Store, path: Path, database: SqliteDatabase) -> None:
    store.add(Batch(readings=[reading(1, "a"), reading(2, "a")]))
    store.add(Batch(readings=[reading(3, "a"), reading(4, "b")]))
    Store(database).add(Batch(readings=[reading(5, "b"), reading(6, "c")]))  # after a restart
    assert rows(path, "SELECT name FROM series ORDER BY id") == [("a",), ("b",), ("c",)]
    assert [name for name, _, _ in rows(path, READINGS)] == ["a", "a", "a", "b", "b", "c"]


def test_a_store_opens_nothing_until_it_is_used(database: SqliteDatabase) -> None:
    store = Store(database)
    assert database.is_closed()
    store.close()


def test_a_store_that_was_closed_opens_again(store: Store, path: Path, database: SqliteDatabase) -> None:
    store.add(Batch(readings=[reading(1)]))
    store.close()
    assert database.is_closed()
    store.close()
    store.add(Batch(readings=[reading(2)]))
    assert [time for _, time, _ in rows(path, READINGS)] == [1, 2]


def test_a_locked_database_takes_nothing_and_then_all(store: Store, path: Path) -> None:
    store.add(full_batch())
    before = [rows(path, sql) for sql in (READINGS, REJECTED, COUNTS)]
    for _ in range(2):
        with locked(path), pytest.raises(StoreUnavailable, match="locked"):
            store.add(full_batch())
    assert [rows(path, sql) for sql in (READINGS, REJECTED, COUNTS)] == before
    store.add(full_batch())
    assert [rows(path, sql) for sql in (READINGS, REJECTED)] == [before[0] * 2, before[1] * 2]
    assert rows(path, COUNTS) == [("received", 8), ("rejected", 2), ("stored", 6)]


@pytest.mark.parametrize("table", ["series", "reading", "rejected_message", "counter"])
def test_an_error_anywhere_in_a_batch_takes_all_of_it_back(store: Store, path: Path, table: str) -> None:
    """The error stands for those of a disk: SQLite does not end the transaction for each of them."""
    store.add(Batch(readings=[reading(0, "known")]))
    rows(path, f"CREATE TRIGGER broken BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no luck'); END")
    with pytest.raises(StoreUnavailable, match="no luck"):
        store.add(full_batch())
    assert rows(path, READINGS) == [("known", 0, 1)]
    assert rows(path, REJECTED) == []
    assert rows(path, COUNTS) == [("stored", 1)]
    rows(path, "DROP TRIGGER broken")
    store.add(full_batch())
    assert len(rows(path, READINGS)) == 4


def test_a_full_disk_takes_nothing_and_says_so(store: Store, path: Path, database: SqliteDatabase) -> None:
    store.add(Batch(readings=[reading(0)]))
    [pages] = database.execute_sql("PRAGMA page_count").fetchone()
    database.execute_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreUnavailable, match="full"):
        store.add(Batch(readings=[reading(time, "new") for time in range(5000)]))
    assert rows(path, READINGS) == [("DATA", 0, 1)]
    store.add(Batch(readings=[reading(1, "new")]))
    assert rows(path, READINGS) == [("DATA", 0, 1), ("new", 1, 1)]


def test_after_an_error_the_connection_is_a_new_one(
    store: Store, path: Path, database: SqliteDatabase
) -> None:
    """After a full disk or an I/O error the old one may be in any state."""
    store.add(Batch(readings=[reading(0)]))
    with locked(path), pytest.raises(StoreUnavailable):
        store.add(Batch(readings=[reading(1)]))
    assert database.is_closed()


def test_a_series_that_was_taken_back_is_stored_with_the_next_batch(store: Store, path: Path) -> None:
    """Its id may since have gone to another: the store must not remember it."""
    rows(path, "CREATE TRIGGER broken BEFORE INSERT ON counter BEGIN SELECT RAISE(ABORT, 'no luck'); END")
    with pytest.raises(StoreUnavailable):
        store.add(Batch(readings=[reading(1, "first")]))
    rows(path, "DROP TRIGGER broken")
    store.add(Batch(readings=[reading(2, "second")]))
    store.add(Batch(readings=[reading(1, "first")]))
    assert rows(path, READINGS) == [("second", 2, 1), ("first", 1, 1)]


def test_ids_grow_even_after_everything_has_been_deleted(store: Store, path: Path) -> None:
    store.add(Batch(readings=[reading(1), reading(2), reading(3)]))
    newest = max(ids(path))
    assert store.delete_readings(until=10, limit=10) == 3
    store.add(Batch(readings=[reading(4), reading(5)]))
    first, second = ids(path)
    assert newest < first < second


def test_ids_grow_after_a_batch_that_was_taken_back(store: Store, path: Path) -> None:
    store.add(Batch(readings=[reading(1)]))
    with locked(path), pytest.raises(StoreUnavailable):
        store.add(Batch(readings=[reading(2)]))
    store.add(Batch(readings=[reading(2), reading(3)]))
    assert len(set(ids(path))) == 3


def test_ids_go_on_after_a_restart(store: Store, path: Path, database: SqliteDatabase) -> None:
    store.add(Batch(readings=[reading(1), reading(2)]))
    newest = max(ids(path))
    Store(database).add(Batch(readings=[reading(3)]))
    assert max(ids(path)) > newest


def test_deleting_readings_takes_those_up_to_a_time(store: Store, path: Path) -> None:
    times = [3.0, 1.0, 2.0, 2.5, 2.0]
    store.add(Batch(readings=[reading(time) for time in times]))
    assert store.delete_readings(until=2.0, limit=10) == 3
    assert [time for _, time, _ in rows(path, READINGS)] == [3.0, 2.5]
    assert store.delete_readings(until=2.0, limit=10) == 0


def test_deleting_readings_takes_no_more_than_the_limit(store: Store, path: Path) -> None:
    times = list(range(10))
    random.Random(1).shuffle(times)
    store.add(Batch(readings=[reading(time) for time in times]))
    assert [store.delete_readings(until=6, limit=3) for _ in range(4)] == [3, 3, 1, 0]
    assert sorted(time for _, time, _ in rows(path, READINGS)) == [7, 8, 9]


def test_deleting_rejected_messages_takes_the_old_ones(store: Store, path: Path) -> None:
    store.add(Batch(rejected=[rejected(time) for time in (1, 2, 3)]))
    assert store.delete_rejected(until=2, keep=10) == 2
    assert [row[0] for row in rows(path, REJECTED)] == [3]


def test_deleting_rejected_messages_leaves_the_newest_of_many(store: Store, path: Path) -> None:
    store.add(Batch(rejected=[rejected(time) for time in range(10, 20)]))
    assert store.delete_rejected(until=0, keep=10) == 0
    assert store.delete_rejected(until=0, keep=4) == 6
    assert [row[0] for row in rows(path, REJECTED)] == [16, 17, 18, 19]
    assert store.delete_rejected(until=0, keep=0) == 4


def test_deleting_from_a_locked_database_deletes_nothing(store: Store, path: Path) -> None:
    store.add(Batch(readings=[reading(1)], rejected=[rejected(1)]))
    with locked(path):
        with pytest.raises(StoreUnavailable):
            store.delete_readings(until=10, limit=10)
        with pytest.raises(StoreUnavailable):
            store.delete_rejected(until=10, keep=0)
    assert (len(rows(path, READINGS)), len(rows(path, REJECTED))) == (1, 1)
    assert store.delete_readings(until=10, limit=10) == 1
