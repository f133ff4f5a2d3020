import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from config.settings import load_settings
from models import history
from models.database import prepare, reading_database, writing_database
from models.store import Store
from models.transaction import StoreUnavailable
from scheduler_app.mqtt import Message
from scheduler_app.redelivery import Redeliveries
from scheduler_app.writer import Writer
from tests.unit.messages import NOW, message
from tests.unit.rows import locked, rows

READINGS = (
    "SELECT series.name, time, value FROM reading JOIN series ON series.id = series_id ORDER BY reading.id"
)
REJECTED = "SELECT topic, payload, size, reason, detail, arrived FROM rejected_message ORDER BY id"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "test.db"
    prepare(path)
    return path


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(writing_database(path))
    yield store
    store.close()


@pytest.fixture
def writer(store: Store) -> Writer:
    return Writer(
        load_settings({"topic": "#", "retention": "35min", "max_clock_skew": "30s"}), store, Redeliveries()
    )


def store_all(writer: Writer, messages: Sequence[Message]) -> None:
    writer.commit(writer.sort(messages))


def counts(path: Path) -> dict[str, int]:
    """Return the counters that are not 0; what was received must be the sum of the others."""
    database = reading_database(path)
    with database.connection_context():
        counters = {
            name: count for name, count in history.counters(database).items() if count and name != "since"
        }
    ends = dict(counters)
    assert ends.pop("received", 0) == sum(ends.values())
    return counters


def at(time: float, number: float = 1) -> bytes:
    return json.dumps({"number": number, "epochtime": time}).encode()


def test_readings_are_stored_with_their_topic_and_time(writer: Writer, path: Path) -> None:
    store_all(
        writer,
        [message(b"21.5", "a/b"), message(at(NOW - 60, 46), "c"), message(b"21.5", "a/b", packet_id=2)],
    )
    assert rows(path, READINGS) == [("a/b", NOW, 21.5), ("c", NOW - 60, 46), ("a/b", NOW, 21.5)]
    assert counts(path) == {"received": 3, "stored": 3}


def test_a_reading_as_old_as_the_retention_is_late(writer: Writer, path: Path) -> None:
    store_all(writer, [message(at(NOW - 35 * 60)), message(at(NOW - 35 * 60 + 0.5)), message(at(0))])
    assert rows(path, READINGS) == [("DATA", NOW - 35 * 60 + 0.5, 1)]
    assert rows(path, REJECTED) == []
    assert counts(path) == {"received": 3, "late": 2, "stored": 1}


def test_a_reading_further_ahead_than_the_allowed_skew_is_rejected(writer: Writer, path: Path) -> None:
    store_all(writer, [message(at(NOW + 30)), message(at(NOW + 31))])
    assert rows(path, READINGS) == [("DATA", NOW + 30, 1)]
    [(_, payload, _, reason, detail, _)] = rows(path, REJECTED)
    assert (payload, reason, detail) == (at(NOW + 31), "too far ahead", "1 s more than allowed")
    assert counts(path) == {"received": 2, "stored": 1, "rejected": 1}


def test_what_is_late_or_ahead_is_judged_by_the_time_of_arrival(writer: Writer, path: Path) -> None:
    """A batch that waited for a locked disk is not late for that."""
    store_all(writer, [message(at(1000), arrived=1000.0), message(at(5000), arrived=5000.0)])
    assert counts(path) == {"received": 2, "stored": 2}


def test_a_retained_copy_is_no_reading(writer: Writer, path: Path) -> None:
    store_all(writer, [message(b"21.5", retained=True), message(b"nonsense", retained=True)])
    assert rows(path, READINGS) == rows(path, REJECTED) == []
    assert counts(path) == {"received": 2, "retained": 2}


def test_a_message_that_is_no_reading_is_kept_with_its_reason(writer: Writer, path: Path) -> None:
    store_all(writer, [message(b"\xff\x00", "a/b"), message(b"", "c"), message(b"5", "d")])
    assert rows(path, REJECTED) == [
        ("a/b", b"\xff\x00", 2, "not UTF-8", "", NOW),
        ("c", b"", 0, "not JSON", "", NOW),
    ]
    assert rows(path, READINGS) == [("d", NOW, 5)]
    assert counts(path) == {"received": 3, "stored": 1, "rejected": 2}


def test_of_a_long_rejected_payload_the_start_is_kept_and_the_size(writer: Writer, path: Path) -> None:
    payload = bytes(range(256)) * 1000
    store_all(writer, [message(payload)])
    [(_, kept, size, reason, *_)] = rows(path, REJECTED)
    assert (kept, size, reason) == (payload[:4096], 256_000, "too long")


@pytest.mark.parametrize("topic", ["STATS", "STATS/$state", "STATS/$check/1"])
def test_our_own_output_is_no_input_even_under_a_hash(writer: Writer, path: Path, topic: str) -> None:
    store_all(writer, [message(b"21.5", topic), message(b"online", topic, retained=True)])
    assert rows(path, READINGS) == rows(path, REJECTED) == []
    assert counts(path) == {}


def test_a_topic_that_only_begins_like_our_own_is_input(writer: Writer, path: Path) -> None:
    store_all(writer, [message(b"21.5", "STATS2")])
    assert counts(path) == {"received": 1, "stored": 1}


def test_every_message_counts_for_exactly_one_end(writer: Writer, path: Path) -> None:
    store_all(
        writer,
        [
            message(b"1"),
            message(b"2", packet_id=2),
            message(at(5), packet_id=3),
            message(b"x", packet_id=4),
            message(b"3", retained=True, packet_id=5),
            message(b"46", "STATS", packet_id=6),
        ],
    )
    assert counts(path) == {"received": 5, "stored": 2, "late": 1, "rejected": 1, "retained": 1}


def test_no_messages_write_nothing(writer: Writer, path: Path) -> None:
    with locked(path):
        store_all(writer, [])
        store_all(writer, [message(b"46", "STATS")])


def test_a_batch_that_cannot_be_stored_can_be_stored_later(writer: Writer, path: Path) -> None:
    batch = [message(b"1"), message(b"x", packet_id=2)]
    with locked(path), pytest.raises(StoreUnavailable):
        store_all(writer, batch)
    assert counts(path) == {}
    store_all(writer, batch)
    assert counts(path) == {"received": 2, "stored": 1, "rejected": 1}
    assert (len(rows(path, READINGS)), len(rows(path, REJECTED))) == (1, 1)


def test_a_rejection_is_logged_once_per_reason(writer: Writer, log_lines: list[str]) -> None:
    store_all(writer, [message(b"x" * size, "a/b", packet_id=size) for size in range(1, 100)])
    milliseconds = at(NOW * 1000)
    store_all(writer, [message(b"\xff", "c"), message(milliseconds, "d", packet_id=2)])
    size = len(milliseconds)
    assert log_lines == [
        "WARNING: rejected a message on 'a/b': not JSON (1 bytes)",
        "WARNING: rejected a message on 'c': not UTF-8 (1 bytes)",
        f"WARNING: rejected a message on 'd': too far ahead, looks like milliseconds ({size} bytes)",
    ]


def test_a_topic_cannot_break_the_lines_of_the_log(writer: Writer, log_lines: list[str]) -> None:
    store_all(writer, [message(b"x", "a\nERROR: b\x1b[2J" + "c" * 1000)])
    [line] = log_lines
    assert line.isprintable()
    assert len(line) < 400
