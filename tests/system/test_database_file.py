"""Database files that the subscriber must not touch, or cannot."""

import re
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import MakeRole
from tests.support.brokers import Mosquitto
from tests.support.database import values, wait_for_rows
from tests.support.mqtt_client import Peer
from tests.support.processes import end_well, manage


def refusal(folder: Path, db_file: str, broker: str = "127.0.0.1:1") -> str:
    """Start a subscriber on `db_file`; return the one line it ends with."""
    done = manage("subscriber", folder=folder, environment={"DB_FILE": db_file, "BROKER": broker})
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert db_file in line
    return line


def make_database(path: Path, *statements: str) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return path.read_bytes()


def test_second_subscriber(mosquitto: Mosquitto, make_role: MakeRole, database: Path, tmp_path: Path) -> None:
    """A second subscriber on the same file is told who has it, and disturbs the first in nothing."""
    first = make_role("subscriber", broker=mosquitto).start_and_wait()
    line = refusal(tmp_path, "tmp/test.db", mosquitto.access.url)
    assert "in use" in line
    assert str(first.pid) in line
    # also by another way to the same file
    refusal(tmp_path, str(database), mosquitto.access.url)
    with Peer(mosquitto.access) as peer:
        peer.publish("DATA", "1")
    wait_for_rows(database, 1)
    assert len(mosquitto.packets("as averages-subscriber")) == 1
    # it is the process that owns the file: after a crash the next one may have it
    first.kill()
    make_role("subscriber", broker=mosquitto).start_and_wait()


def test_newer_version(tmp_path: Path, mosquitto: Mosquitto, make_role: MakeRole, database: Path) -> None:
    """A file that a newer version wrote is left alone."""
    end_well(signal.SIGTERM, make_role("subscriber", broker=mosquitto).start_and_wait())
    written = make_database(database, "PRAGMA user_version = 9999")
    assert "newer" in refusal(tmp_path, "tmp/test.db")
    assert database.read_bytes() == written


@pytest.mark.parametrize(
    "statements",
    [
        ("PRAGMA application_id = 12345", "CREATE TABLE reading (id)"),
        ("PRAGMA user_version = 3", "CREATE TABLE songs (id)"),
        ("CREATE TABLE songs (id)",),
    ],
    ids=["marked as another's", "with a version", "with a table"],
)
def test_foreign_database(tmp_path: Path, statements: tuple[str, ...]) -> None:
    """Another program's database is left alone."""
    written = make_database(tmp_path / "music.db", *statements)
    assert "another program" in refusal(tmp_path, "music.db")
    assert (tmp_path / "music.db").read_bytes() == written


def test_no_database(tmp_path: Path) -> None:
    """A file that is no database is left alone."""
    path = tmp_path / "notes.txt"
    path.write_text("milk, eggs\n" * 1000)
    assert re.search(r"not an? (SQLite )?database", refusal(tmp_path, "notes.txt"))
    assert path.read_text() == "milk, eggs\n" * 1000


def test_folder(tmp_path: Path) -> None:
    """A folder is no file."""
    (tmp_path / "data").mkdir()
    assert "folder" in refusal(tmp_path, "data")


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """The folder would have to be inside a file."""
    (tmp_path / "file").touch()
    assert "folder" in refusal(tmp_path, "file/sub/test.db")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that not even root can write")
def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The file cannot be made where it should be."""
    assert "cannot be written" in refusal(tmp_path, "/proc/self/test.db")


def test_folders_are_made(mosquitto: Mosquitto, make_role: MakeRole, tmp_path: Path) -> None:
    """Missing folders are made on the first start."""
    make_role("subscriber", broker=mosquitto, DB_FILE="a/b/c.db").start_and_wait()
    with Peer(mosquitto.access) as peer:
        peer.publish("DATA", "1")
    wait_for_rows(tmp_path / "a" / "b" / "c.db", 1)
    assert values(tmp_path / "a" / "b" / "c.db") == [1.0]
