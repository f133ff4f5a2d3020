from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs.prune import Pruner
from models.catalog import Catalog
from models.reading import Reading
from models.statistics.tick import Tick
from models.storage.batch import Batch
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.store import Store
from scheduler_app.intake.ingest import Task
from scheduler_app.log import LogLimit
from scheduler_app.publishing.publisher import Publishers
from scheduler_app.subscriber.retention import Retention
from tests.unit.rows import rows
from tests.unit.stored import RETENTION, new_series, series_row

NOW = 1_700_000_000.0
PATIENCE = 3000.0


class FakePublisher:
    """Clears what was published, when the test says that the broker has answered."""

    def __init__(self) -> None:
        self.clearing: list[tuple[str, Callable[[], object]]] = []
        self.failing = ""

    def connected(self) -> None:
        raise AssertionError

    def publish(self, tick: Tick) -> None:
        raise AssertionError

    def series_gone(self, name: str, when_gone: Callable[[], object]) -> None:
        if name == self.failing:
            raise ValueError(name)
        self.clearing.append((name, when_gone))

    def answer(self) -> list[str]:
        """Have the broker answer all; return the names."""
        answered, self.clearing = self.clearing, []
        for _, when_gone in answered:
            when_gone()
        return [name for name, _ in answered]


class Service:
    """The writing thread's side of a subscriber, with its clocks."""

    def __init__(self, path: Path) -> None:
        prepare(path)
        self.path = path
        self.wall, self.elapsed = NOW, 5000.0
        self.store = Store(writing_database(path), "me")
        self.store.add(Batch(series=new_series(series_row(1, "a"), series_row(2, "b"))))
        self.catalog = Catalog(self.store.series(), limit=10)
        self.publisher = FakePublisher()
        self.tasks: list[Task] = []
        self.removed: list[int] = []
        self.retention = Retention(
            Pruner(self.store, self.catalog),
            PATIENCE,
            take_back=Publishers([self.publisher], LogLimit()).series_gone,
            submit=self.tasks.append,
            when_removed=self.removed.append,
            wall=lambda: self.wall,
            monotonic=lambda: self.elapsed,
        )

    def add(self, series: int, *times: float) -> None:
        stored = self.store.add(Batch(readings=[Reading(series, time, 1) for time in times]))
        self.catalog.saw(stored.readings)

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.elapsed += seconds

    def run_tasks(self) -> None:
        while self.tasks:
            task = self.tasks.pop(0)
            while task():
                pass

    @property
    def names(self) -> list[str]:
        return [name for (name,) in rows(self.path, "SELECT name FROM series ORDER BY id")]

    @property
    def times(self) -> list[float]:
        return [time for (time,) in rows(self.path, "SELECT time FROM reading ORDER BY time")]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path / "test.db")
    yield service
    service.store.close()


def test_beginning_only_hands_in_a_task(service: Service) -> None:
    """The job runs on another thread than the one that writes."""
    service.add(1, NOW - 9000)
    service.retention.begin()
    assert len(service.tasks) == 1
    assert service.times == [NOW - 9000]
    service.run_tasks()
    assert service.times == []


def test_what_was_published_of_a_series_is_cleared_before_it_is_removed(service: Service) -> None:
    """Otherwise a crash in between would leave the retained message for ever."""
    service.add(1, NOW - 9000, NOW - RETENTION - 10)
    service.add(2, NOW)
    service.retention.begin()
    service.run_tasks()
    assert service.names == ["a", "b"]
    assert service.removed == []
    assert service.publisher.answer() == ["a"]
    assert service.names == ["a", "b"]  # the answer comes on another thread, and writes nothing
    service.run_tasks()
    assert service.names == ["b"]
    assert service.removed == [1]
    assert [row.name for row in service.catalog] == ["b"]


def test_a_series_whose_message_is_not_cleared_is_tried_again(service: Service) -> None:
    """There may be no connection, or the broker may refuse."""
    service.add(1, NOW - 9000)
    service.add(2, NOW)
    for _ in range(2):
        service.retention.begin()
        service.run_tasks()
        assert [name for name, _ in service.publisher.clearing] == ["a"]
        service.publisher.clearing.clear()
        service.pass_by(60)
    assert service.names == ["a", "b"]


def test_a_series_that_has_readings_again_when_the_answer_comes_stays(service: Service) -> None:
    service.add(1, NOW - 9000)
    service.add(2, NOW)
    service.retention.begin()
    service.run_tasks()
    service.add(1, NOW)
    service.publisher.answer()
    service.run_tasks()
    assert service.names == ["a", "b"]
    assert service.removed == []
    service.retention.begin()
    service.run_tasks()
    assert service.publisher.clearing == []


def test_two_answers_remove_a_series_once(service: Service) -> None:
    service.add(1, NOW - 9000)
    service.add(2, NOW)
    for _ in range(2):
        service.retention.begin()
        service.run_tasks()
    assert service.publisher.answer() == ["a", "a"]
    service.run_tasks()
    assert service.removed == [1]
    assert service.names == ["b"]


def test_a_clock_that_jumps_ahead_deletes_nothing_before_the_patience_is_over(service: Service) -> None:
    service.add(1, NOW)
    service.add(2, NOW)
    service.wall += 86400
    service.retention.begin()
    service.run_tasks()
    assert service.times == [NOW, NOW]
    assert service.publisher.clearing == []
    service.pass_by(PATIENCE + 1)
    service.retention.begin()
    service.run_tasks()
    assert service.times == []
    assert service.publisher.answer() == ["a", "b"]


def test_a_jump_between_the_start_and_the_first_job_is_seen(service: Service) -> None:
    """The clock is looked at when it is built, not only when the first job runs."""
    service.add(1, NOW)
    service.pass_by(30)
    service.wall += 10 * 86400
    service.retention.begin()
    service.run_tasks()
    assert service.times == [NOW]


def test_a_series_that_cannot_be_cleared_keeps_no_other_from_going(
    service: Service, log_lines: list[str]
) -> None:
    service.add(1, NOW - 9000)
    service.add(2, NOW - 9000)
    service.publisher.failing = "a"
    for _ in range(2):
        service.retention.begin()
        service.run_tasks()
    assert service.publisher.answer() == ["b", "b"]
    service.run_tasks()
    assert service.names == ["a"]
    assert len([line for line in log_lines if "clearing a series (FakePublisher) failed" in line]) == 1
