import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from peewee import SqliteDatabase

from models.storage.batch import Batch
from models.storage.sqlite import queries as history
from models.storage.sqlite.connection import reading_database, writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.store import Store
from tests.unit.stored import add, add_all


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    prepare(tmp_path / "test.db")
    store = Store(writing_database(tmp_path / "test.db"), "me")
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
    stored = history.StoredReadings(database)
    assert (stored.series, stored.next_time(0), list(stored.values(0, 9))) == ([], None, [])


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
    stored = history.StoredReadings(database)
    assert list(stored.timed(-math.inf)) == [(1, 1, 6), (2, 3, 2), (1, 3, 3), (1, 3, 5), (1, 5, 1), (2, 5, 4)]
    assert list(stored.timed(1, 3)) == [(2, 3, 2), (1, 3, 3), (1, 3, 5)]
    assert list(stored.values(1, 5)) == [{2: [2, 4], 1: [3, 5, 1]}]


def test_the_values_of_a_single_series_are_the_same(store: Store, database: SqliteDatabase) -> None:
    add_all(store, [("a", 5, 1), ("a", 3, 2), ("a", 6, 3)])
    stored = history.StoredReadings(database)
    assert list(stored.values(2, 5)) == [{1: [2, 1]}]
    assert list(stored.values(6, 9)) == []


@pytest.mark.parametrize("series", ["DATA", "another"])
def test_values_come_in_parts_so_that_memory_stays_bounded(
    store: Store, database: SqliteDatabase, series: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_CHUNK", 100)
    add(store, *(number / 100 for number in range(1000)), value=2)
    add(store, 10.0, series=series)
    parts = list(history.StoredReadings(database).values(-1, 10))
    assert [value for part in parts for values in part.values() for value in values] == [2] * 1000 + [1]
    assert max(sum(map(len, part.values())) for part in parts) == 100


def test_time_without_readings_is_skipped(store: Store, database: SqliteDatabase) -> None:
    add(store, 5, 3, 5e8)
    stored = history.StoredReadings(database)
    assert [stored.next_time(after) for after in (-math.inf, 3, 5, 5e8)] == [3, 5, 5e8, None]


def test_counters_are_read_as_they_were_counted(store: Store, database: SqliteDatabase) -> None:
    store.add(Batch(counts=Counter(received=2, late=1)))
    assert history.counters(database).items() >= {"received": 2, "late": 1}.items()
