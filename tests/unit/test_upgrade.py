"""A file of an earlier version becomes one of this version, with all that is in it."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from models.reading import Reading
from models.storage.batch import Batch
from models.storage.errors import UnusableDatabase
from models.storage.reading_id import pack
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.ownership import sole_owner
from models.storage.sqlite.schema import READINGS
from models.storage.sqlite.store import Store
from tests.unit.rows import locked, rows

ROOT = Path(__file__).parents[2]
# What is the same in all earlier versions.
COMMON = """
CREATE TABLE "rejected_message" ("id" INTEGER NOT NULL PRIMARY KEY, "arrived" REAL NOT NULL,
    "topic" TEXT NOT NULL, "payload" BLOB NOT NULL, "size" INTEGER NOT NULL, "reason" TEXT NOT NULL,
    "detail" TEXT NOT NULL);
CREATE TABLE "delivery" ("id" INTEGER NOT NULL PRIMARY KEY, "packets" BLOB NOT NULL);
CREATE TABLE "counter" ("name" TEXT NOT NULL PRIMARY KEY, "value" INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA application_id = 1836147062;
"""
COMMON_CONTENT = """
INSERT INTO rejected_message VALUES (3, 1700000001.5, 'c', x'00ff', 9000, 'not UTF-8', 'why');
INSERT INTO delivery VALUES (41, x'0001aabb'), (42, x'0002');
INSERT INTO counter VALUES ('since', 1600000000), ('received', 12), ('stored', 7), ('late', 3),
    ('rejected', 1), ('duplicates', 1), ('pruned', 2);
"""
# As version 1 made the rest.
VERSION_1 = """
CREATE TABLE "series" ("id" INTEGER NOT NULL PRIMARY KEY, "name" TEXT NOT NULL);
CREATE UNIQUE INDEX "series_name" ON "series" ("name");
CREATE TABLE "reading" ("id" INTEGER NOT NULL PRIMARY KEY, "series_id" INTEGER NOT NULL, "time" REAL NOT NULL,
    "value" REAL NOT NULL, "message_id" TEXT, FOREIGN KEY ("series_id") REFERENCES "series" ("id"));
CREATE INDEX "reading_time" ON "reading" ("time");
CREATE UNIQUE INDEX "reading_message_id" ON "reading" ("series_id", "message_id")
    WHERE ("message_id" IS NOT NULL);
PRAGMA user_version = 1;
"""
CONTENT_1 = """
INSERT INTO series VALUES (1, 'DATA'), (2, 'a/b'), (5, 'aged out long ago');
INSERT INTO reading VALUES (11, 1, 1700000000.25, 0.1, 'x'), (12, 2, 1699999999.0, -1e17, 'x'),
    (13, 1, 1699999990.5, 5e-324, NULL), (17, 1, 1700000000.25, 0.1, NULL),
    (19, 2, 1700000030.0, 3.0, 'deadbeef-09');
"""
# As version 2 made it, and what it had made of the same.
VERSION_2 = """
CREATE TABLE "series" ("id" INTEGER NOT NULL PRIMARY KEY, "name" TEXT NOT NULL, "topic" TEXT NOT NULL,
    "field" TEXT NOT NULL, "since" REAL NOT NULL, "retention" REAL NOT NULL);
CREATE UNIQUE INDEX "series_name" ON "series" ("name");
CREATE TABLE "reading" ("time" REAL NOT NULL, "sequence" INTEGER NOT NULL, "series_id" INTEGER NOT NULL,
    "value" REAL NOT NULL, "message_id" TEXT, PRIMARY KEY ("time", "sequence"),
    FOREIGN KEY ("series_id") REFERENCES "series" ("id")) WITHOUT ROWID;
CREATE UNIQUE INDEX "reading_message_id" ON "reading" ("series_id", "message_id")
    WHERE ("message_id" IS NOT NULL);
CREATE TABLE "subscription" ("topic_filter" TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
PRAGMA user_version = 2;
"""
CONTENT_2 = """
INSERT INTO series VALUES (1, 'DATA', 'DATA', '', 1699999990.5, 2100.0),
    (2, 'a/b', 'a/b', '', 1699999999.0, 2100.0);
INSERT INTO reading VALUES (1700000000.25, 11, 1, 0.1, 'x'), (1699999999.0, 12, 2, -1e17, 'x'),
    (1699999990.5, 13, 1, 5e-324, NULL), (1700000000.25, 17, 1, 0.1, NULL),
    (1700000030.0, 19, 2, 3.0, 'deadbeef-09');
INSERT INTO counter VALUES ('sequence', 19);
"""
# As version 3 made it, and what it had made of the same.
VERSION_3 = """
CREATE TABLE "series" ("id" INTEGER NOT NULL PRIMARY KEY, "name" TEXT NOT NULL, "topic" TEXT NOT NULL,
    "field" TEXT NOT NULL, "since" REAL NOT NULL, "retention" REAL NOT NULL);
CREATE UNIQUE INDEX "series_name" ON "series" ("name");
CREATE TABLE "reading" ("time" REAL NOT NULL, "sequence" INTEGER NOT NULL, "series_id" INTEGER NOT NULL,
    "value" REAL NOT NULL, "message_id" BLOB, PRIMARY KEY ("time", "sequence"),
    FOREIGN KEY ("series_id") REFERENCES "series" ("id")) WITHOUT ROWID;
CREATE TABLE "message_id" ("series_id" INTEGER NOT NULL, "message_id" BLOB NOT NULL,
    PRIMARY KEY ("message_id", "series_id"),
    FOREIGN KEY ("series_id") REFERENCES "series" ("id")) WITHOUT ROWID;
CREATE TABLE "subscription" ("topic_filter" TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
PRAGMA user_version = 3;
"""
# The id of hexadecimal digits and a dash is packed.
CONTENT_3 = (
    CONTENT_2.replace("'deadbeef-09'", "x'3895a85c3fb2'")
    + """
INSERT INTO message_id SELECT series_id, message_id FROM reading WHERE message_id IS NOT NULL;
"""
)
SUBSCRIPTION = "INSERT INTO subscription VALUES ('DATA'), ('a/#');"
# As version 4 made it, which said whose some of it was, and what it had made of the same.
VERSION_4 = """
DROP TABLE "delivery";
DROP TABLE "counter";
DROP TABLE "subscription";
CREATE TABLE "delivery" ("member" TEXT NOT NULL, "id" INTEGER NOT NULL, "packets" BLOB NOT NULL,
    PRIMARY KEY ("member", "id")) WITHOUT ROWID;
CREATE TABLE "counter" ("member" TEXT NOT NULL, "name" TEXT NOT NULL, "value" INTEGER NOT NULL,
    PRIMARY KEY ("member", "name")) WITHOUT ROWID;
CREATE TABLE "subscription" ("member" TEXT NOT NULL, "topic_filter" TEXT NOT NULL,
    PRIMARY KEY ("member", "topic_filter")) WITHOUT ROWID;
PRAGMA user_version = 4;
"""
CONTENT_4 = (
    CONTENT_3.replace("INSERT INTO counter VALUES ('sequence', 19);", "")
    + """
INSERT INTO rejected_message VALUES (3, 1700000001.5, 'c', x'00ff', 9000, 'not UTF-8', 'why');
INSERT INTO delivery VALUES ('', 41, x'0001aabb'), ('', 42, x'0002');
INSERT INTO counter SELECT '', column1, column2 FROM (VALUES ('since', 1600000000), ('received', 12),
    ('stored', 7), ('late', 3), ('rejected', 1), ('duplicates', 1), ('pruned', 2), ('sequence', 19));
INSERT INTO subscription VALUES ('', 'DATA'), ('', 'a/#');
"""
)
EARLIER = {
    1: (COMMON + VERSION_1, COMMON_CONTENT + CONTENT_1),
    2: (COMMON + VERSION_2, COMMON_CONTENT + CONTENT_2 + SUBSCRIPTION),
    3: (COMMON + VERSION_3, COMMON_CONTENT + CONTENT_3 + SUBSCRIPTION),
    4: (COMMON + VERSION_3 + VERSION_4, CONTENT_4),
}
KEPT: dict[str, list[tuple[Any, ...]]] = {
    "rejected_message": [(3, 1700000001.5, "c", b"\x00\xff", 9000, "not UTF-8", "why")],
    "delivery": [("", 41, b"\x00\x01\xaa\xbb"), ("", 42, b"\x00\x02")],
}
COUNTERS = {
    "since": 1600000000,
    "received": 12,
    "stored": 7,
    "late": 3,
    "rejected": 1,
    "duplicates": 1,
    "pruned": 2,
}


def write(path: Path, version: int, *, empty: bool = False) -> None:
    """Write a file of an earlier version, as a subscriber that was killed left it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        tables, rows = EARLIER[version]
        connection.executescript(tables if empty else tables + rows)


@pytest.fixture(params=EARLIER)
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "test.db"
    write(path, request.param)
    return path


def content(path: Path) -> dict[str, Any]:
    """Return all that is in a file, and how it is marked."""
    names = [name for (name,) in rows(path, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    found: dict[str, Any] = {name: rows(path, f"SELECT * FROM {name} ORDER BY 1") for name in names}
    found["version"] = rows(path, "PRAGMA user_version")
    found["schema"] = {
        name: " ".join(sql.split())
        for name, sql in rows(path, "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    }
    return found


def assert_upgraded(path: Path) -> None:
    assert rows(path, "SELECT id, name, topic, field, since, retention FROM series ORDER BY id") == [
        (1, "DATA", "DATA", "", 1699999990.5, 2100.0),
        (2, "a/b", "a/b", "", 1699999999.0, 2100.0),
    ]
    assert rows(
        path, "SELECT time, sequence, series_id, value, message_id FROM reading ORDER BY sequence"
    ) == [
        (1700000000.25, 11, 1, 0.1, "x"),
        (1699999999.0, 12, 2, -1e17, "x"),
        (1699999990.5, 13, 1, 5e-324, None),
        (1700000000.25, 17, 1, 0.1, None),
        (1700000030.0, 19, 2, 3.0, pack("deadbeef-09")),
    ]
    assert rows(path, "SELECT series_id, message_id FROM message_id ORDER BY 1, 2") == [
        *[(1, "x"), (2, "x"), (2, pack("deadbeef-09"))]  # texts before blobs
    ]
    for table, expected in KEPT.items():
        assert rows(path, f"SELECT * FROM {table} ORDER BY id") == expected
    assert dict(rows(path, "SELECT name, value FROM counter")) == {**COUNTERS, "sequence": 19}
    assert rows(path, "SELECT DISTINCT member FROM counter") == [("",)]
    assert rows(path, "PRAGMA user_version") == [(READINGS.version,)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert rows(path, "PRAGMA foreign_key_check") == []


def test_everything_that_is_stored_is_kept(path: Path) -> None:
    """Also what is late by now: how long each series is kept is said when its subscriber starts."""
    prepare(path)
    assert_upgraded(path)


def test_an_upgraded_file_is_made_like_a_new_one(path: Path, tmp_path: Path) -> None:
    prepare(path)
    prepare(tmp_path / "new.db")
    assert content(path)["schema"] == content(tmp_path / "new.db")["schema"]


def test_an_upgraded_file_is_upgraded_once(path: Path) -> None:
    prepare(path)
    before = content(path)
    prepare(path)
    assert content(path) == before


@pytest.mark.parametrize(
    ("version", "subscribed"), [(1, set()), *((version, {"DATA", "a/#"}) for version in (2, 3, 4))]
)
def test_the_session_is_taken_over_by_the_first_that_starts_and_by_no_other(
    tmp_path: Path, version: int, subscribed: set[str]
) -> None:
    """An earlier version did not note whose deliveries and subscriptions there were."""
    path = tmp_path / "test.db"
    write(path, version)
    prepare(path)
    first, second = (Store(writing_database(path), member) for member in ("first", "second"))
    assert first.subscriptions() == subscribed
    assert first.deliveries() == [(41, b"\x00\x01\xaa\xbb"), (42, b"\x00\x02")]
    assert (second.subscriptions(), second.deliveries()) == (set(), [])
    assert first.deliveries() == [(41, b"\x00\x01\xaa\xbb"), (42, b"\x00\x02")]
    first.close()
    second.close()


@pytest.mark.parametrize("version", EARLIER)
def test_an_empty_file_is_upgraded(tmp_path: Path, version: int) -> None:
    path = tmp_path / "empty.db"
    write(path, version, empty=True)
    prepare(path)
    assert rows(path, "SELECT * FROM series") == rows(path, "SELECT * FROM reading") == []
    assert rows(path, "SELECT * FROM message_id") == []
    assert dict(rows(path, "SELECT name, value FROM counter")).get("sequence", 0) == 0


def test_storing_goes_on_after_the_upgrade(path: Path) -> None:
    """Ids that were stored are known, and sequences go on where they were."""
    prepare(path)
    store = Store(writing_database(path), "me")
    stored = store.add(
        Batch(
            readings=[
                *(Reading(1, 1.7e9, 0.1, "x"), Reading(2, 1.7e9, 5, "deadbeef-09")),
                Reading(1, 1.7e9, 6),
            ]
        )
    )
    assert stored.readings == [Reading(1, 1.7e9, 6)]
    assert len(stored.duplicates) == 2
    assert stored.sequence == 22
    assert store.deliveries() == [(number, packets) for _, number, packets in KEPT["delivery"]]
    store.close()


def test_a_locked_file_is_left_as_it_is(path: Path) -> None:
    before = content(path)
    with locked(path), pytest.raises(Exception, match="is locked by another program"):
        prepare(path)
    assert content(path) == before


def test_a_file_that_is_in_use_is_left_as_it_is(path: Path) -> None:
    """An earlier version that runs on it would find other tables."""
    before = content(path)
    with sole_owner(path), pytest.raises(UnusableDatabase, match="is in use by another subscriber"):
        prepare(path)
    assert content(path) == before
    prepare(path)
    assert_upgraded(path)


KILLED = """
import os, pathlib, signal, sys
import peewee
from models.storage.sqlite.opening import prepare
left = int(sys.argv[2])
execute = peewee.SqliteDatabase.execute_sql
def execute_or_die(self, sql, *arguments, **named):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return execute(self, sql, *arguments, **named)
peewee.SqliteDatabase.execute_sql = execute_or_die
prepare(pathlib.Path(sys.argv[1]))
print(left)
"""


def test_an_upgrade_that_is_killed_at_any_moment_has_changed_nothing(path: Path) -> None:
    before = content(path)
    after: list[int] = []
    for statements in range(1, 100, 2):
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, str(path), str(statements)],
            cwd=ROOT,
            capture_output=True,
            check=False,
        )
        if killed.returncode == 0:
            break
        assert killed.returncode == -9, killed.stderr
        after.append(statements)
        assert content(path) == before
    assert len(after) >= 8
    assert_upgraded(path)
