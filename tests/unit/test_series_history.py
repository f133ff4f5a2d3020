from pathlib import Path

import pytest

from models.storage.connection import Database, reading_database
from models.storage.opening import prepare
from models.storage.series_queries import all_series, readings_of, snapshot, summaries
from tests.unit.database_file import RETENTION, store_readings

NOW = 1_700_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "test.db"
    prepare(path)
    return path


def opened(path: Path) -> Database:
    return reading_database(path)


def test_an_empty_database_has_no_series(path: Path) -> None:
    database = opened(path)
    with database.connection_context():
        assert summaries(database) == []
        stored = snapshot(database)
        assert (stored.series, dict(stored.readings), stored.sequence) == ({}, {}, 0)


def test_a_summary_counts_and_tells_the_first_and_the_last(path: Path) -> None:
    store_readings(path, {"b": [(NOW + 60, 1.0), (NOW, 2.0), (NOW + 30, 3.0)], "a": [(NOW, 1.0)], "c": []})
    database = opened(path)
    with database.connection_context():
        found = summaries(database)
    assert [(each.series.name, each.count, each.first, each.last, each.per_minute) for each in found] == [
        ("a", 1, NOW, NOW, None),
        ("b", 3, NOW, NOW + 60, 2.0),
        ("c", 0, None, None, None),
    ]
    assert found[1].series[1:] == ("b", "b", "", NOW + 60, RETENTION)


def test_readings_are_in_the_order_of_time_and_of_arrival(path: Path) -> None:
    pairs = [(NOW + 2, 1.0), (NOW + 1, 2.0), (NOW + 1, 0.0), (NOW, 9.0)]
    store_readings(path, {"a": pairs, "b": [(NOW + 1, 5.0)]})
    database = opened(path)
    with database.connection_context():
        series = {row.name: row.id for row in all_series(database)}
        ordered = [(NOW + 1, 2.0), (NOW + 1, 0.0), (NOW + 2, 1.0)]
        assert readings_of(database, series["a"], after=NOW) == ordered
        stored = snapshot(database)
    columns = stored.readings[series["a"]]
    assert list(columns.times) == [NOW, NOW + 1, NOW + 1, NOW + 2]
    assert list(columns.sequences) == [4, 2, 3, 1]
    assert list(columns.values) == [9, 2, 0, 1]
    assert stored.sequence == 5
