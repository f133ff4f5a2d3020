import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from models.storage.errors import UnreadableDatabase
from models.storage.sqlite.connection import Database, reading_database
from models.storage.sqlite.reader import open_as_it_is
from models.storage.sqlite.schema import READINGS
from models.storage.sqlite.series_queries import (
    all_series,
    readings_between,
    readings_of,
    series_named,
    snapshot,
    summaries,
)
from tests.unit.database_file import RETENTION, store_readings

NOW = 1_700_000_000.0
OURS = {"application_id": READINGS.application_id}


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


def test_the_readings_of_a_span_come_newest_first_and_no_more_than_asked_for(path: Path) -> None:
    pairs = [(NOW + 2, 1.0), (NOW + 1, 2.0), (NOW + 1, 0.0), (NOW, 9.0)]
    store_readings(path, {"a": pairs, "b": [(NOW + 1, 5.0)]})
    database = opened(path)
    with database.connection_context():
        series = series_named(database, "a")
        assert series is not None
        newest_first = [(NOW + 2, 1, 1.0), (NOW + 1, 3, 0.0), (NOW + 1, 2, 2.0)]
        assert readings_between(database, series.id, NOW, NOW + 2, 10) == newest_first
        assert readings_between(database, series.id, NOW, NOW + 2, 2) == newest_first[:2]
        assert readings_between(database, series.id, NOW, NOW + 1, 10) == newest_first[1:]
        assert readings_between(database, series.id, NOW + 2, NOW + 9, 10) == []


def test_a_series_is_found_by_its_name(path: Path) -> None:
    store_readings(path, {"a": [(NOW, 1.0)], "a/b": [(NOW, 1.0)]})
    database = opened(path)
    with database.connection_context():
        assert [series_named(database, row.name) for row in all_series(database)] == all_series(database)
        assert series_named(database, "A") is None


def test_a_file_that_is_missing_is_told_and_not_made(tmp_path: Path) -> None:
    missing = tmp_path / "missing.db"
    with pytest.raises(UnreadableDatabase, match=r"missing\.db does not exist"), open_as_it_is(missing):
        pass
    assert not missing.exists()


@pytest.mark.parametrize(
    ("pragmas", "told"),
    [
        ({}, "is empty: the subscriber makes its tables"),
        ({"application_id": 7}, "belongs to another program"),
        (OURS | {"user_version": READINGS.version - 1}, "the subscriber upgrades it when it starts"),
        (OURS | {"user_version": READINGS.version + 1}, "update this program"),
    ],
)
def test_a_file_of_another_kind_is_told_and_left_alone(
    tmp_path: Path, pragmas: dict[str, int], told: str
) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE messages (a)")
        for name, value in pragmas.items():
            connection.execute(f"PRAGMA {name} = {value}")
    before = path.read_bytes()
    with pytest.raises(UnreadableDatabase, match=told), open_as_it_is(path):
        pass
    assert path.read_bytes() == before


def test_a_file_of_this_version_can_be_looked_into(path: Path) -> None:
    with open_as_it_is(path) as stored:
        assert stored.series() == []
