from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from peewee import SqliteDatabase

from models import history
from models.database import prepare, reading_database, writing_database
from models.store import Batch, NewReading, Store


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


def add(store: Store, *times: float) -> None:
    store.add(Batch(readings=[NewReading("DATA", time, 10 * time) for time in times]))


def test_an_empty_database_has_no_history(database: SqliteDatabase) -> None:
    assert history.newest_id(database) == 0
    assert history.reading_count(database) == 0
    assert list(history.counters(database)) == ["since"]
    assert history.values_between(database, 0, 100, 100) == []
    assert list(history.arrivals(database, 0, 100)) == []


def test_the_newest_id_is_that_of_the_reading_stored_last(store: Store, database: SqliteDatabase) -> None:
    add(store, 5, 1)
    before = history.newest_id(database)
    add(store, 3)
    assert history.newest_id(database) > before
    assert history.reading_count(database) == 3


def test_values_between_two_times_are_those_after_the_first_up_to_the_second(
    store: Store, database: SqliteDatabase
) -> None:
    add(store, 4, 2, 1, 3)
    newest = history.newest_id(database)
    assert sorted(history.values_between(database, 1, 3, newest)) == [20, 30]
    add(store, 2.5)
    assert sorted(history.values_between(database, 1, 3, newest)) == [20, 30]


def test_arrivals_are_the_readings_stored_since(store: Store, database: SqliteDatabase) -> None:
    add(store, 1)
    before = history.newest_id(database)
    add(store, *range(25_000))
    newest = history.newest_id(database)
    add(store, 3)
    chunks = list(history.arrivals(database, before, newest))
    assert sorted(row for chunk in chunks for row in chunk) == [(time, 10 * time) for time in range(25_000)]
    assert max(map(len, chunks)) <= 10_000  # memory stays bounded


def test_counters_are_read_as_they_were_counted(store: Store, database: SqliteDatabase) -> None:
    store.add(Batch(counts=Counter(received=2, late=1)))
    assert history.counters(database).items() >= {"received": 2, "late": 1}.items()
