"""What needs no broker; the rest is in the integration tests."""

import itertools
import json
import shutil
from collections import namedtuple
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings, load_settings
from models.reading import Reading
from models.storage.batch import Batch
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.store import Store
from scheduler_app.checks.doctor import examine
from scheduler_app.checks.finding import Finding, Level
from scheduler_app.checks.running import check_metrics, rate, read_metrics
from scheduler_app.checks.session import Kept, judge, numbers
from scheduler_app.publishing.messages import parse_metrics
from tests.support.ports import free_port
from tests.unit.stored import new_series, series_row

NOW = 1_700_000_000.0


def findings(path: Path, number: int) -> list[Finding]:
    return list(islice(examine(settings(path), 600.0, now=lambda: NOW), number))


def settings(path: Path) -> Settings:
    return load_settings({"db_file": str(path)})


def unreachable(path: Path) -> Settings:
    """Return settings with a broker that nobody is at."""
    return load_settings({"db_file": str(path), "broker": f"127.0.0.1:{free_port()}"})


def store(path: Path, batch: Batch) -> None:
    prepare(path)
    store = Store(writing_database(path), "me")
    store.add(batch)
    store.close()


def test_settings_and_database_are_found_to_be_right(tmp_path: Path) -> None:
    path = tmp_path / "a" / "test.db"
    store(
        path, Batch(readings=[Reading(1, 1.0, 2.0), Reading(1, 2.0, 3.0)], series=new_series(series_row(1)))
    )
    first, second, third = findings(path, 3)
    assert first == Finding(Level.OK, "settings", "DATA to STATS, windows 1min, 5min, 30min")
    assert second.level == Level.OK
    assert second.text.startswith(f"{path}: 2 readings, SQLite 3.")
    assert second.text.endswith("journal wal, synchronous full")
    assert (third.level, third.name) == (Level.OK, "disk")


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("total", "free", "low"),
    [
        (10**12, 10**12 // 20, False),
        (10**12, 10**12 // 20 - 1, True),
        (10**9, 500_000_000, False),
        (10**9, 499_999_999, True),
    ],
)
def test_a_disk_that_is_nearly_full_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, total: int, free: int, low: bool
) -> None:
    """As on the page."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(total, 0, free))
    *_, disk = findings(tmp_path / "test.db", 3)
    assert (disk.level, disk.name) == (Level.WARN if low else Level.OK, "disk")
    assert f" {free / 2**20:,.0f} MiB free" in disk.text
    assert disk.text.endswith(": when it is full, nothing that arrives is stored or acknowledged") is low


def test_a_disk_that_cannot_be_looked_at_is_no_bad_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(shutil, "disk_usage", fail)
    *_, disk = findings(tmp_path / "test.db", 3)
    assert disk.level == Level.OK
    assert disk.text.endswith(" file system")


def test_a_database_with_ids_of_readings_is_found_to_be_right(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    store(path, Batch(readings=[Reading(1, 1.0, 2.0, "a-17")], series=new_series(series_row(1))))
    _, database = findings(path, 2)
    assert database.level == Level.OK, database.text


def test_a_database_that_cannot_be_used_is_found(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    path.write_text("no database at all\n" * 100)
    _, database = findings(path, 2)
    assert database.level == Level.FAIL
    assert database.text.startswith(f"DB_FILE={path} is not an SQLite database")


@pytest.mark.parametrize(("seconds", "levels"), [(1.0, {Level.OK}), (1.1, {Level.OK, Level.WARN})])
def test_a_reading_a_second_ahead_of_our_clock_is_no_wrong_clock(
    tmp_path: Path, seconds: float, levels: set[Level]
) -> None:
    path = tmp_path / "test.db"
    store(path, Batch(readings=[Reading(1, NOW + seconds, 2.0)], series=new_series(series_row(1))))
    found = itertools.takewhile(
        lambda finding: finding.name != "broker", examine(unreachable(path), 600.0, now=lambda: NOW)
    )
    assert {finding.level for finding in found} == levels


def test_readings_ahead_of_our_clock_and_late_ones_are_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    batch = Batch(readings=[Reading(1, NOW + 25, 2.0)], series=new_series(series_row(1)))
    batch.counts.update(received=3, late=2)
    store(path, batch)
    *_, ahead, late = findings(path, 5)
    assert (ahead.level, ahead.name) == (Level.WARN, "clock")
    assert ahead.text == "the newest reading is 25 s ahead of the clock of this machine"
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
    assert "192.0.2.1:1883 is sent unencrypted" in finding.text
    assert "secret" not in finding.text


def test_a_session_that_was_lost_is_warned_of_with_its_times() -> None:
    metrics = {"at": 1_700_000_000, "since": 1_600_000_000}
    lost = {"session_lost_at": 1_700_000_000, "session_lost_since": 1_699_999_000}
    assert list(check_metrics(load_settings(), parse_metrics(json.dumps(metrics).encode()))) == []
    [finding] = check_metrics(load_settings(), parse_metrics(json.dumps(metrics | lost).encode()))
    assert (finding.level, finding.name) == (Level.WARN, "session")
    assert "at 2023-11-14 22:13:20 +00:00 the broker had no session" in finding.text
    assert "from 2023-11-14 21:56:40 +00:00 until then was lost" in finding.text


@pytest.mark.parametrize(
    ("at", "received", "expected"),
    [
        (10, 20, 2.0),
        (0, 20, None),
        (-1, 20, None),
        (100_000, 1, 1e-5),
        (100_001, 1, None),
        (2e11, 1, None),
        (1e-300, 2**62, 2**62 / 1e-300),
    ],
)
def test_the_rate_is_known_where_there_is_hardly_any(
    at: float, received: int, expected: float | None
) -> None:
    metrics = parse_metrics(json.dumps({"at": at, "since": 0, "received": received}).encode())
    assert rate(metrics) == expected


def kept(number: int, **changes: Any) -> Kept:
    """Return what a good broker has kept of so many messages."""
    return Kept(number, number, 1.0, number, forgotten=False, expiry=None)._replace(**changes)


@pytest.mark.parametrize(
    ("needed", "tried"),
    [
        (None, [1001]),
        (0, [100]),
        (100, [100]),
        (101, [101]),
        (1001, [1001]),
        (1002, [1001, 1002]),
        (20_000, [1001, 20_000]),
        (20_001, [1001, 20_000]),
    ],
)
def test_no_more_messages_are_tried_than_are_needed(needed: int | None, tried: list[int]) -> None:
    """And few more than the usual limit, until it is known that the broker has another: it drops them."""
    assert list(numbers(needed)) == tried


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"forgotten": True, "received": 0}, "the broker forgets the session of a client that is away: "),
        (
            {"received": 999},
            "the broker keeps only 999 messages while the subscriber is away (what comes in ",
        ),
        (
            {"sent": 20_000, "took": 45.2},
            "the broker took only 1000 of 20000 messages in 45 s. Perhaps it saves all that waits after ",
        ),
        (
            {"expiry": 599.9},
            "the broker forgets a client after 599.9s: if the subscriber is down for 10min, ",
        ),
        ({"expiry": 0.0}, "the broker forgets a client after 0s: "),
    ],
)
def test_what_a_broker_does_not_keep_is_warned_of(changes: dict[str, Any], text: str) -> None:
    found = judge(kept(1000, **changes), 600, 1.0, 600.0)
    assert (found.level, found.name) == (Level.WARN, "session")
    assert found.text.startswith(text), found.text


@pytest.mark.parametrize("expiry", [600.0, float("inf"), None])
def test_a_session_that_outlasts_the_downtime_is_good(expiry: float | None) -> None:
    assert judge(kept(1000, expiry=expiry), 600, 1.0, 600.0).level == Level.OK


@pytest.mark.parametrize(
    ("needed", "text"),
    [
        (None, ""),
        (1100, ", enough for 10min at the present rate"),
        (1101, "; at the present rate 1101 come in 10min, more than were tried"),
    ],
)
def test_it_says_whether_a_queue_is_enough_for_the_planned_downtime(needed: int | None, text: str) -> None:
    found = judge(kept(1100), needed, None if needed is None else 1.0, 600.0)
    assert found == Finding(
        Level.OK, "session", f"the broker kept 1100 messages for a client that was away{text}"
    )


# Orders to a terminal, and numbers and depths that no metrics have.
ORDERS = "x\u202e\u2066y\u200bz\u2028\x1b[2J\x1b]0;title\x07\r\n2026 | ERROR | forged\x9b31m"
METRICS: dict[str, object] = {"at": NOW, "since": NOW - 1e6, "received": 5}


@pytest.mark.parametrize(
    "payload",
    [
        json.dumps(METRICS | {ORDERS: ORDERS}),
        json.dumps(METRICS | {"at": 1e308}),
        '{"at": 2, "since": 1, "received": 1e999}',
        json.dumps({"at": 2e12, "since": 0, "received": 1}),
        "[" * 60_000,
        ORDERS,
        "",
    ],
)
def test_forged_metrics_are_one_line(payload: str) -> None:
    found = read_metrics(load_settings(), payload.encode())
    assert isinstance(found, Finding)
    assert (found.level, found.name) == (Level.WARN, "metrics")
    assert found.text.startswith("the message on STATS/$metrics does not come from a subscriber: ")
    assert found.text.isprintable()


@pytest.mark.parametrize(
    "metrics",
    [
        METRICS | {"other": ORDERS, "names": [ORDERS], "more": {"a": ORDERS}},
        {"at": 2e11, "since": 0, "received": 1},
        {"at": 2, "since": 1, "received": 2**63 - 1},
        METRICS | {"short_connections": 2**63 - 1, "session_lost_at": -6e10, "session_lost_since": 2e11},
    ],
)
def test_metrics_of_any_bounds_are_checked_in_printable_lines(metrics: dict[str, object]) -> None:
    found = read_metrics(load_settings(), json.dumps(metrics).encode())
    assert not isinstance(found, Finding)
    assert all(finding.text.isprintable() for finding in check_metrics(load_settings(), found))
    present = rate(found)
    assert present is None or present > 0
