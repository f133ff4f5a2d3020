from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from peewee import SqliteDatabase

from models import history
from models.database import prepare, reading_database, writing_database
from models.store import Batch, Store
from tests.unit.stored import add, add_all


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    prepare(tmp_path / "test.db")
    store = Store(writing_database(tmp_path / "test.db"))
    yield store
    store.close()


@pytest.fixture
def database(store: Store, tmp_path: Path) -> Iterator[SqliteDatabase]:
    database = reading_database(tmp_path / "test.db")
    with database.connection_context():
        yield database


def test_an_empty_database_has_no_history(database: SqliteDatabase) -> None:
    assert history.latest_sequence(database) == 0
    assert history.reading_count(database) == 0
    assert history.newest_time(database) is None
    assert list(history.counters(database)) == ["since"]
    assert list(history.readings(database)) == []


def test_the_latest_sequence_is_that_of_the_reading_stored_last(
    store: Store, database: SqliteDatabase
) -> None:
    assert add(store, 5, 1).sequence == history.latest_sequence(database) == 2
    assert add(store, 3).sequence == history.latest_sequence(database) == 3
    assert history.reading_count(database) == 3
    assert history.newest_time(database) == 5


def test_the_latest_sequence_stays_when_its_reading_is_deleted(
    store: Store, database: SqliteDatabase
) -> None:
    add(store, 1, 2)
    assert store.delete_readings((float("-inf"), 0), 10, 10, 2100.0).rows == 2
    assert history.latest_sequence(database) == 2


def test_readings_come_in_the_order_of_time_and_of_arrival_where_that_is_equal(
    store: Store, database: SqliteDatabase
) -> None:
    add_all(store, [("a", 5, 1), ("b", 3, 2), ("a", 3, 3)])
    add_all(store, [("b", 5, 4), ("a", 3, 5), ("a", 1, 6)])
    [chunk] = history.readings(database)
    assert chunk == [(1, 1, 6), (2, 3, 2), (1, 3, 3), (1, 3, 5), (1, 5, 1), (2, 5, 4)]


def test_readings_come_in_chunks_so_that_memory_stays_bounded(store: Store, database: SqliteDatabase) -> None:
    times = [float(number) for number in range(25_000)]
    Random(1).shuffle(times)
    add(store, *times, value=2)
    chunks = list(history.readings(database))
    assert [row for chunk in chunks for row in chunk] == [(1, time, 2) for time in sorted(times)]
    assert max(map(len, chunks)) <= 10_000


def test_counters_are_read_as_they_were_counted(store: Store, database: SqliteDatabase) -> None:
    store.add(Batch(counts=Counter(received=2, late=1)))
    assert history.counters(database).items() >= {"received": 2, "late": 1}.items()
