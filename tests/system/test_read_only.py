"""Looking into a database that we may not write, or whose folder we may not write."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.brokers import missing
from tests.support.processes import MANAGE, settings_only
from tests.unit.database_file import store_readings

NOW = 1_700_000_000.0
# Takes from root what lets it pass over permissions, and changes nothing for others.
_CAPABILITIES = "-dac_override,-dac_read_search"
_OBEYING = ["setpriv", f"--bounding-set={_CAPABILITIES}", f"--inh-caps={_CAPABILITIES}"]


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """Make a database in a folder of its own, which is given its permissions back at the end."""
    folder = tmp_path / "readings"
    path = folder / "test.db"
    store_readings(path, {"kitchen": [(NOW, 1.0)]})
    yield path
    folder.chmod(0o700)


def forbid_writing(path: Path) -> None:
    for file in path.parent.iterdir():
        file.chmod(0o400)
    path.parent.chmod(0o500)


def look(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that looks into the database, as a user who is bound by permissions."""
    before: list[str] = []
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            missing("setpriv is not installed, and root may write everything")
        before = _OBEYING
    return subprocess.run(
        [*before, sys.executable, str(MANAGE), *arguments, "--db-file", str(path)],
        capture_output=True,
        text=True,
        env=settings_only({}),
        check=False,
    )


def assert_shown(path: Path) -> None:
    """All three commands show what is stored, and leave nothing behind."""
    files = sorted(path.parent.iterdir())
    series = look(path, "series")
    assert (series.returncode, series.stderr) == (0, "")
    assert "kitchen" in series.stdout
    assert look(path, "history", "kitchen", "--csv").stdout.splitlines()[1].startswith(f"{NOW!r},1.0,")
    assert look(path, "rejected").stdout == "no messages were rejected\n"
    assert sorted(path.parent.iterdir()) == files


def error(path: Path) -> str:
    done = look(path, "series")
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    return line


def test_a_database_that_nobody_uses_is_read(path: Path) -> None:
    forbid_writing(path)
    assert_shown(path)


def test_one_that_is_in_use_is_read_with_its_log(path: Path) -> None:
    """Also what has been committed since, which is in the log alone."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("UPDATE series SET name = 'kitchen'")
        connection.execute(
            "INSERT INTO series (name, topic, field, since, retention) VALUES ('new', '', '', 0, 0)"
        )
        connection.commit()
        assert path.with_name("test.db-wal").stat().st_size
        forbid_writing(path)
        assert_shown(path)
        assert "new" in look(path, "series").stdout


def test_where_the_log_may_not_be_read_it_is_told_what_that_takes(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE series SET name = 'kitchen'")
        connection.commit()
        forbid_writing(path)
        path.with_name("test.db-shm").chmod(0)
        line = error(path)
    assert line.startswith(f"Error: DB_FILE={path} cannot be read (unable to open database file): it takes ")
    assert "-wal and -shm" in line


def test_a_file_or_a_folder_that_lets_nobody_in_is_told(path: Path) -> None:
    forbid_writing(path)
    path.chmod(0)
    assert error(path).startswith(f"Error: DB_FILE={path} cannot be read (unable to open database file)")
    path.parent.chmod(0)
    assert error(path) == f"Error: DB_FILE={path} cannot be read: we may not enter its folder"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("PRAGMA user_version = 1", "was written by an earlier version of this program (schema 1, "),
        ("PRAGMA user_version = 1000", "was written by a newer version of this program (schema 1000, "),
        ("PRAGMA application_id = 1", "belongs to another program"),
    ],
)
def test_one_that_cannot_be_used_as_it_is_is_told(path: Path, change: str, why: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(change)
    forbid_writing(path)
    assert f"DB_FILE={path} {why}" in error(path)


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "is empty: the subscriber prepares it"), (b"x" * 4096, "is not an SQLite database")],
)
def test_what_is_no_database_is_told(path: Path, content: bytes, why: str) -> None:
    path.write_bytes(content)
    forbid_writing(path)
    assert f"DB_FILE={path} {why}" in error(path)
