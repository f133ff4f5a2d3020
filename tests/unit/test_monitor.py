import time
from pathlib import Path

import pytest

from models.reading import Reading
from models.storage.batch import Batch
from models.storage.connection import writing_database
from models.storage.opening import prepare
from models.storage.store import Store
from scheduler_app.subscriber.monitor import last_presence
from tests.unit.stored import new_series, series_row


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "test.db"
    prepare(path)
    return path


def store(path: Path, *times: float) -> None:
    store = Store(writing_database(path), "me")
    batch = Batch(
        readings=[Reading(1, time, 2.0) for time in times],
        series=new_series(*[series_row(1)] if times else []),
    )
    batch.counts["received"] = 1
    store.add(batch)
    store.close()


def test_a_new_database_has_received_nothing(path: Path) -> None:
    assert last_presence(path) is None


def test_the_newest_reading_tells_when_something_came_last(path: Path) -> None:
    store(path, 1_700_000_000.0, 1_700_000_009.5, 1_700_000_003.0)
    assert last_presence(path) == 1_700_000_009.5


def test_a_reading_ahead_of_our_clock_came_by_now_at_latest(path: Path) -> None:
    store(path, time.time() + 20)
    last = last_presence(path)
    assert last is not None
    assert last <= time.time()


def test_where_no_reading_is_left_it_is_since_the_counting_began(path: Path) -> None:
    before = int(time.time())
    store(path)
    last = last_presence(path)
    assert last is not None
    assert before <= last <= time.time()
