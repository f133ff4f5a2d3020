"""The power fails while SQLite writes: the write-ahead log ends anywhere."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

from tests.faults.conftest import MakeSubscriber
from tests.faults.faults import SEED
from tests.faults.load import Kind, Load
from tests.faults.sizes import sizes
from tests.faults.stored import count_stored
from tests.faults.verdict import Report
from tests.support.brokers import Mosquitto
from tests.support.waiting import wait_for

# So few that all of their commits are in the log still.
COUNT = 200


@sizes("points", quick=50, full=200)
def test_truncated(
    *,
    mosquitto: Mosquitto,
    make_subscriber: MakeSubscriber,
    tmp_path: Path,
    database: Path,
    report: Report,
    points: int,
) -> None:
    """Wherever a copy of the log ends, the database is whole, and holds the first so many commits."""
    subscriber = make_subscriber(mosquitto).start_and_wait()
    with Load(mosquitto.access, COUNT, 100.0, Kind.NUMBERS):
        wait_for(lambda: count_stored(database) == COUNT, "all readings")
    subscriber.kill()
    log = database.with_name("test.db-wal").read_bytes()
    copy = tmp_path / "copy.db"
    random = Random(SEED)
    found = set()
    for _ in range(points):
        for old in tmp_path.glob("copy.db*"):
            old.unlink()
        shutil.copyfile(database, copy)
        copy.with_name("copy.db-wal").write_bytes(log[: random.randrange(len(log) + 1)])
        found.add(_first_so_many(copy))
    report.add(
        f"log truncated at {points} points: {min(found)} to {max(found)} readings left", f"{COUNT} no ids"
    )
    assert len(found) > points // 4


def _first_so_many(path: Path) -> int:
    """Return how many readings there are; fail unless they are the first, with all that belongs to them."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'reading'").fetchone():
            return 0  # before the tables were made
        values = [value for (value,) in connection.execute("SELECT value FROM reading ORDER BY sequence")]
        counters = dict(connection.execute("SELECT name, value FROM counter"))
    assert values == list(range(len(values)))
    # counted in the same transaction
    assert counters.get("stored", 0) == counters.get("received", 0) == len(values)
    return len(values)
