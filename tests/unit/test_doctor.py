"""What needs no broker; the rest is in the integration tests."""

import time
from itertools import islice
from pathlib import Path

import pytest

from config.settings import Settings, load_settings
from models.database import prepare, writing_database
from models.store import Batch, NewReading, Store
from scheduler_app.doctor import Finding, Level, _enough, examine
from tests.unit.stored import series_row


def findings(path: Path, number: int) -> list[Finding]:
    return list(islice(examine(settings(path), downtime=600.0), number))


def settings(path: Path) -> Settings:
    return load_settings({"db_file": str(path)})


def store(path: Path, batch: Batch) -> None:
    prepare(path)
    store = Store(writing_database(path))
    store.add(batch)
    store.close()


def test_settings_and_database_are_found_to_be_right(tmp_path: Path) -> None:
    path = tmp_path / "a" / "test.db"
    store(path, Batch(readings=[NewReading(1.0, 1, 2.0), NewReading(2.0, 1, 3.0)], series=[series_row(1)]))
    first, second, third = findings(path, 3)
    assert first == Finding(Level.OK, "settings", "DATA to STATS, windows 1min, 5min, 30min")
    assert second.level == Level.OK
    assert second.text.startswith(f"{path}: 2 readings, SQLite 3.")
    assert second.text.endswith("journal wal, synchronous full")
    assert (third.level, third.name) == (Level.OK, "disk")


def test_a_database_that_cannot_be_used_is_found(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    path.write_text("no database at all\n" * 100)
    _, database = findings(path, 2)
    assert database.level == Level.FAIL
    assert database.text.startswith(f"DB_FILE={path} is not an SQLite database")


def test_readings_ahead_of_our_clock_and_late_ones_are_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    batch = Batch(readings=[NewReading(time.time() + 25, 1, 2.0)], series=[series_row(1)])
    batch.counts.update(received=3, late=2)
    store(path, batch)
    *_, ahead, late = findings(path, 5)
    assert (ahead.level, ahead.name) == (Level.WARN, "clock")
    assert "ahead of our clock" in ahead.text
    assert (late.level, late.text.split(" ", 1)[0]) == (Level.WARN, "2")


def test_a_topic_with_nothing_but_retained_messages_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    batch = Batch()
    batch.counts.update(received=3, retained=3)
    store(path, batch)
    finding = findings(path, 4)[-1]
    assert (finding.level, finding.name) == (Level.WARN, "messages")


def test_a_password_that_is_sent_in_clear_is_warned_of(tmp_path: Path) -> None:
    settings = load_settings({"db_file": str(tmp_path / "test.db"), "broker": "mqtt://me:secret@192.0.2.1"})
    *_, finding = islice(examine(settings, downtime=600.0), 4)
    assert (finding.level, finding.name) == (Level.WARN, "broker")
    assert "192.0.2.1:1883 is sent in clear" in finding.text
    assert "secret" not in finding.text


@pytest.mark.parametrize(
    ("needed", "text"),
    [
        (0, ""),
        (1100, ", enough for 10min at the present rate"),
        (1101, "; in 10min at the present rate come 1101, more than were tried"),
    ],
)
def test_it_says_whether_a_queue_is_enough_for_the_planned_downtime(needed: int, text: str) -> None:
    assert _enough(1100, needed, 600.0) == text
