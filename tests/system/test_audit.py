"""`manage.py audit`: everything that is published is recomputed from what is stored."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import MakeRole
from tests.support.brokers import Mosquitto
from tests.support.database import wait_for_rows
from tests.support.processes import Role, manage
from tests.support.waiting import on_this_machine, wait_for

SERIES, COUNT = 1000, 6000
STREAMS = """\
[[stream]]
topic = "DATA/+"
windows = ["3s", "1min", "1h"]
statistics = [
    "avg", "count", "sum", "min", "max", "range", "stddev", "median", "p95", "p99.9", "first", "last",
    "rate", "time_weighted_avg", "circular_avg",
]
hold = "1h"
per = "1min"
"""
AUDIT = ("audit", "--duration", "4s")


@pytest.fixture
def filled(mosquitto: Mosquitto, make_role: MakeRole, tmp_path: Path, database: Path) -> Role:
    """Return a subscriber that has a thousand series."""
    (tmp_path / "streams.toml").write_text(STREAMS)
    settings = {"STREAMS_FILE": "streams.toml", "STATS_INTERVAL": "2s"}
    subscriber = make_role("subscriber", broker=mosquitto, **settings).start_and_wait()
    arguments = ("--series", str(SERIES), "--rate", "2000", "--count", str(COUNT), "--seed", "1")
    assert make_role("publisher", *arguments, broker=mosquitto).start().wait() == 0
    wait_for_rows(database, COUNT)
    return subscriber


def cells(output: str) -> dict[str, list[str]]:
    """Return by statistic the other cells of its row."""
    rows = [line.split("  ") for line in output.splitlines()[2:] if not line.startswith("skipped")]
    stripped = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    return {name: rest for name, *rest in stripped}


def test_audit(mosquitto: Mosquitto, filled: Role, tmp_path: Path, database: Path) -> None:
    """It is clean; and a reading that is changed behind the subscriber's back does not escape it."""
    environment = mosquitto.environment | {"STREAMS_FILE": "streams.toml"}
    done = manage(*AUDIT, folder=tmp_path, environment=environment, timeout=on_this_machine(90.0))
    assert done.returncode == 0, done.stdout + done.stderr
    found = cells(done.stdout)
    assert set(found) == {
        *("latest reading", "overall avg", "coverage", "avg", "count", "sum", "min", "max", "range"),
        *("stddev", "median", "p95", "p99.9", "first", "last", "rate", "time_weighted_avg"),
        *("circular_avg", "age"),
    }
    for name in ("avg", "count", "sum", "min", "max", "range", "first", "last", "overall avg"):
        compared, largest, off = found[name]
        assert int(compared.replace(",", "")) >= (3 * SERIES if name != "overall avg" else 3)
        assert (largest, off) == ("0", "0")

    with closing(sqlite3.connect(database)) as connection, connection:
        [(series,)] = connection.execute("SELECT id FROM series WHERE name = 'DATA/7'")
        # not the first of it, and not the latest
        connection.execute(
            "UPDATE reading SET value = value + 0.01 WHERE sequence = "
            "(SELECT sequence FROM reading WHERE series_id = ? ORDER BY sequence LIMIT 1 OFFSET 1)",
            (series,),
        )
    # the shortest window could begin with the reading that was changed: until it holds none, at two ticks
    latest = max(row.time for row in wait_for_rows(database, COUNT))
    wait_for(lambda: time.time() > latest + 7, "three seconds without readings")
    done = manage(*AUDIT, folder=tmp_path, environment=environment, timeout=on_this_machine(90.0))
    assert done.returncode == 1
    found = cells(done.stdout)
    assert int(found["avg"][2]) >= 2  # the windows that hold it: of a minute, and of an hour, at each tick
    assert "DATA/7 " in found["avg"][3]
    assert found["count"][1:] == ["0", "0"]
    assert found["first"][1:] == ["0", "0"]
    assert done.stderr.splitlines()[-1].startswith("Error: ")


def test_nothing_published(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """What cannot be audited is one line, and no success."""
    done = manage(*AUDIT, folder=tmp_path, environment=mosquitto.environment)
    assert done.returncode == 1
    assert "tmp/test.db does not exist" in done.stderr
