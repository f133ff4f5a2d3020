from collections.abc import Iterator
from pathlib import Path

import pytest

from models.storage.errors import StoreUnavailable
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.outbox import Outbox, Waiting
from models.storage.sqlite.schema import OUTBOX
from tests.unit.rows import locked, rows

ALL = "SELECT id, topic, payload FROM outgoing ORDER BY id"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "outbox.db"
    prepare(path, OUTBOX)
    return path


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    outbox = Outbox(writing_database(path))
    yield outbox
    outbox.close()


def test_readings_come_out_in_the_order_they_were_put_in(outbox: Outbox, path: Path) -> None:
    outbox.add([("a", "1"), ("b", "2")])
    outbox.add([("a", "0")])
    expected = [Waiting(1, "a", "1"), Waiting(2, "b", "2"), Waiting(3, "a", "0")]
    assert outbox.after(0, 10) == expected
    assert rows(path, ALL) == expected
    assert outbox.count() == 3


def test_only_so_many_after_the_last_are_asked_for(outbox: Outbox) -> None:
    outbox.add([("a", str(number)) for number in range(1, 6)])
    assert [reading.payload for reading in outbox.after(1, 2)] == ["2", "3"]
    assert [reading.payload for reading in outbox.after(3, 9)] == ["4", "5"]
    assert outbox.after(5, 9) == []


def test_what_is_removed_is_gone_and_nothing_else(outbox: Outbox) -> None:
    outbox.add([("a", "1"), ("a", "2"), ("a", "3")])
    outbox.remove([1, 3, 77])
    assert outbox.after(0, 10) == [Waiting(2, "a", "2")]
    assert outbox.count() == 1


def test_an_id_is_not_given_again_when_its_reading_is_removed(outbox: Outbox) -> None:
    """A late answer to the one must not remove the other."""
    outbox.add([("a", "1"), ("a", "2")])
    outbox.remove([1, 2])
    outbox.add([("a", "3")])
    outbox.remove([3])
    outbox.close()
    outbox.add([("a", "4")])
    assert outbox.after(0, 10) == [Waiting(4, "a", "4")]


def test_readings_outlive_the_process(outbox: Outbox, path: Path) -> None:
    outbox.add([("a", "ä\n\0")])
    outbox.close()
    other = Outbox(writing_database(path))
    other.add([("a", "2")])
    assert other.after(0, 10) == [Waiting(1, "a", "ä\n\0"), Waiting(2, "a", "2")]
    other.close()


def test_a_locked_file_is_an_error_that_changes_nothing(outbox: Outbox, path: Path) -> None:
    outbox.add([("a", "1")])
    with locked(path):
        for call in (
            lambda: outbox.add([("a", "2")]),
            lambda: outbox.remove([1]),
            lambda: outbox.after(0, 1),
            outbox.count,
        ):
            with pytest.raises(StoreUnavailable, match="locked"):
                call()
    outbox.add([("a", "3")])
    assert rows(path, ALL) == [(1, "a", "1"), (2, "a", "3")]
