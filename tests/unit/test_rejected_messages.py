"""How many rejected messages are kept, with a real database file."""

from pathlib import Path

import pytest

from models.storage.batch import Batch, NewRejected
from models.storage.errors import StoreUnavailable
from models.storage.rejected_bounds import MORE_AT_ONCE, MOST_BYTES, MOST_ROWS
from models.storage.sqlite import rejected as module
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.reader import open_reader
from models.storage.sqlite.store import Store
from tests.unit.rows import locked, rows

ARRIVED = "SELECT arrived FROM rejected_message ORDER BY id"


def rejected(arrived: float, payload: bytes = b"\xff", topic: str = "DATA") -> NewRejected:
    return NewRejected(arrived, topic, payload, len(payload), "not UTF-8", "")


def add(store: Store, *arrived: float, payload: bytes = b"\xff", topic: str = "DATA") -> None:
    """Store rejected messages in one transaction."""
    store.add(Batch(rejected=[rejected(time, payload, topic) for time in arrived]))


def kept(path: Path) -> list[float]:
    """Return when those that are kept have arrived."""
    return [arrived for (arrived,) in rows(path, ARRIVED)]


def test_so_many_rejected_messages_are_kept_and_no_more(store: Store, path: Path) -> None:
    assert MOST_ROWS == 10_000
    add(store, *range(MOST_ROWS))
    assert kept(path) == [*range(MOST_ROWS)]
    add(store, MOST_ROWS)
    assert kept(path) == [*range(1, MOST_ROWS + 1)]


@pytest.mark.parametrize("topic", ["DATA", "ü" * 2000])
def test_of_so_many_bytes_are_the_topics_and_payloads_that_are_kept(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch, topic: str
) -> None:
    assert MOST_BYTES == 20_000_000
    size = len(topic.encode()) + 4096
    monkeypatch.setattr(module, "MOST_BYTES", 5 * size)
    add(store, *range(5), payload=bytes(4096), topic=topic)
    assert kept(path) == [0, 1, 2, 3, 4]
    add(store, 5, payload=b"", topic="x")
    assert kept(path) == [1, 2, 3, 4, 5]
    add(store, 6, payload=bytes(size - 2), topic="x")  # as much as may be
    assert kept(path) == [1, 2, 3, 4, 5, 6]
    add(store, 7, payload=b"", topic="x")
    assert kept(path) == [2, 3, 4, 5, 6, 7]


def test_a_transaction_deletes_a_bounded_number(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large message may take the place of thousands of small ones."""
    add(store, *range(MORE_AT_ONCE + 10))
    monkeypatch.setattr(module, "MOST_ROWS", 3)
    add(store, MORE_AT_ONCE + 10, MORE_AT_ONCE + 11)
    assert kept(path) == [MORE_AT_ONCE + 2 + number for number in range(10)]
    add(store, MORE_AT_ONCE + 12)
    assert kept(path) == [MORE_AT_ONCE + 10, MORE_AT_ONCE + 11, MORE_AT_ONCE + 12]


def test_after_a_restart_it_is_known_how_much_is_kept(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 3)
    add(store, 1, 2, 3)
    store.close()
    other = Store(writing_database(path), "me")
    add(other, 4)
    other.close()
    assert kept(path) == [2, 3, 4]
    monkeypatch.setattr(module, "MOST_BYTES", 2 * len("ü/x") + 2 * 1000 + len("DATA") + 1)
    again = Store(writing_database(path), "me")
    add(again, 5, 6, payload=bytes(1000), topic="ü/x")
    assert kept(path) == [5, 6]
    again.close()


def test_what_was_rolled_back_does_not_count_as_kept(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 3)
    add(store, 1, 2)
    for _ in range(5):
        with locked(path), pytest.raises(StoreUnavailable):
            add(store, 9, 9, 9)
        # the last statement of the transaction fails, when all else is done
        with pytest.raises(StoreUnavailable):
            store.add(Batch(rejected=[rejected(9)] * 3, deliveries=[(1, None)]))  # type: ignore[list-item]
        with locked(path), pytest.raises(StoreUnavailable):
            store.delete_rejected(until=5, limit=99)
    assert kept(path) == [1, 2]
    add(store, 3)
    assert kept(path) == [1, 2, 3]
    add(store, 4)
    assert kept(path) == [2, 3, 4]


def test_deleting_takes_the_old_ones(store: Store, path: Path) -> None:
    add(store, 1, 5, 2, 3)  # a clock was set back
    assert store.delete_rejected(until=2, limit=99) == 2
    assert kept(path) == [5, 3]
    assert store.delete_rejected(until=2, limit=99) == 0
    assert store.delete_rejected(until=5, limit=1) == 1
    assert kept(path) == [3]


def test_deleting_takes_the_oldest_of_too_many(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, *range(10, 20))
    assert store.delete_rejected(until=0, limit=99) == 0
    monkeypatch.setattr(module, "MOST_ROWS", 4)
    assert store.delete_rejected(until=11, limit=3) == 3
    assert kept(path) == [13, 14, 15, 16, 17, 18, 19]
    assert store.delete_rejected(until=0, limit=99) == 3
    assert store.delete_rejected(until=0, limit=99) == 0
    add(store, 20)
    assert kept(path) == [17, 18, 19, 20]


def test_what_was_deleted_for_its_age_makes_room(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 3)
    monkeypatch.setattr(module, "MOST_BYTES", 15)
    add(store, 1, 2, 3)
    store.delete_rejected(until=2, limit=99)
    add(store, 4, 5)
    assert kept(path) == [3, 4, 5]
    add(store, 6)
    assert kept(path) == [4, 5, 6]


def test_those_of_one_topic_and_time_can_be_asked_for(store: Store, path: Path) -> None:
    for arrived in (1.0, 2.0, 3.0, 4.0):
        add(store, arrived, topic="a")
        add(store, arrived, topic="b")
    with open_reader(path) as stored:
        assert [row.arrived for row in stored.rejected_on("a", 1.0, 3.0, 10)] == [3.0, 2.0]
        assert [row.arrived for row in stored.rejected_on("a", 0.0, 9.0, 3)] == [4.0, 3.0, 2.0]
        assert {row.topic for row in stored.rejected_on("b", 0.0, 9.0, 10)} == {"b"}
        assert stored.rejected_on("c", 0.0, 9.0, 10) == []
