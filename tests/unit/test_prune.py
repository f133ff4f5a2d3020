from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.prune import REJECTED_RETENTION, ROWS_AT_ONCE, Pruner, SteadyClock
from models.catalog import Catalog, SeriesRow
from models.reading import Reading
from models.statistics.grid import Grid
from models.statistics.hand_over import HandOver
from models.statistics.plan import Plan
from models.storage.batch import Batch, NewRejected, Place
from models.storage.sqlite import rejected as rejected_messages
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.store import Store
from tests.unit.rolling import rolling_statistics
from tests.unit.rows import rows
from tests.unit.stored import RETENTION, new_series, series_row

NOW = 1_700_000_000.0
DATA = series_row(1)
HOURLY = series_row(2, "hourly", retention=7200.0)


def rejected(*arrived: float) -> Batch:
    return Batch(rejected=[NewRejected(time, "DATA", b"x", 1, "not JSON", "") for time in arrived])


class Service:
    """A database with two series that are kept for 35 minutes and for two hours, and who prunes it."""

    def __init__(self, path: Path) -> None:
        prepare(path)
        self.path = path
        self.store = Store(writing_database(path), "me")
        self.store.add(Batch(series=new_series(DATA, HOURLY)))
        self.start_again()

    def start_again(self) -> None:
        """Have nothing but what is stored, as after a restart, and learn of it."""
        self.catalog = Catalog(self.store.series(), limit=100)
        self.pruner = Pruner(self.store, self.catalog)
        newest = dict(rows(self.path, "SELECT series_id, MAX(time) FROM reading GROUP BY series_id"))
        self.catalog.learn(newest)

    def add(self, *times: float, row: SeriesRow = DATA) -> None:
        stored = self.store.add(Batch(readings=[Reading(row.id, time, 1) for time in times]))
        self.catalog.saw(stored.readings)

    def prune(self, now: float = NOW) -> list[str]:
        """Prune; return the names of the series that have aged out."""
        aged: list[Sequence[SeriesRow]] = []
        task = self.pruner.task(now, aged.append)
        while task():
            assert aged == []
        return [row.name for row in aged[0]] if aged else []

    def times(self, row: SeriesRow = DATA) -> list[float]:
        query = f"SELECT time FROM reading WHERE series_id = {row.id} ORDER BY time"
        return [time for (time,) in rows(self.path, query)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.db"


@pytest.fixture
def service(path: Path) -> Iterator[Service]:
    service = Service(path)
    yield service
    service.store.close()


def test_readings_as_old_as_the_retention_are_deleted(service: Service) -> None:
    service.add(NOW - RETENTION - 1, NOW - RETENTION, NOW - RETENTION + 1, NOW, NOW + 30)
    service.prune()
    assert service.times() == [NOW - RETENTION + 1, NOW, NOW + 30]


def test_each_series_is_kept_as_long_as_it_says(service: Service) -> None:
    times = [NOW - 7201, NOW - 7200, NOW - 7199, NOW - 2101, NOW - 2100, NOW - 2099, NOW]
    service.add(*times)
    service.add(*times, row=HOURLY)
    service.prune()
    assert service.times() == times[-2:]
    assert service.times(HOURLY) == times[2:]
    service.prune(NOW + 2000)
    assert service.times() == times[-1:]
    assert service.times(HOURLY) == times[3:]


def test_nothing_is_deleted_before_the_first_task(service: Service) -> None:
    """The job only hands the tasks in: the ingest thread alone writes."""
    service.add(NOW - 9000)
    service.pruner.task(NOW, lambda aged: None)
    assert service.times() == [NOW - 9000]


def test_a_task_deletes_a_bounded_number_until_all_is_done(service: Service) -> None:
    service.add(*[NOW - 9000 + number / 10 for number in range(2 * ROWS_AT_ONCE + 1)], NOW)
    task = service.pruner.task(NOW, lambda aged: None)
    left = [len(service.times())]
    while task():
        left.append(len(service.times()))
    assert left[-1] == len(service.times()) == 1
    assert max(before - after for before, after in pairwise(left)) <= ROWS_AT_ONCE
    assert len(left) <= 7


def test_a_task_does_not_look_again_at_what_stays(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A series that is kept for long is no work for those that go every minute."""
    service.add(*[NOW - 7000 + number for number in range(3 * ROWS_AT_ONCE // 2)], row=HOURLY)
    service.prune()
    looked: list[tuple[float, float]] = []
    delete = service.store.delete_readings

    def note(after: Place, until: float, limit: int, retention: float) -> object:
        looked.append((after[0], until))
        return delete(after, until, limit, retention)

    monkeypatch.setattr(service.store, "delete_readings", note)
    service.prune(NOW + 60)
    assert looked == [(NOW - 7200, NOW - 7140), (NOW - 2100, NOW - 2040)]


def test_what_was_pruned_is_one_line_of_the_log(service: Service, log_lines: list[str]) -> None:
    service.add(*[NOW - 9000] * (ROWS_AT_ONCE + 5))
    service.prune()
    assert log_lines == [f"INFO: pruned {ROWS_AT_ONCE + 5} readings"]


def test_what_was_pruned_is_counted(service: Service, path: Path) -> None:
    service.add(*[NOW - 9000] * (ROWS_AT_ONCE + 5), NOW)
    service.prune()
    service.prune()
    assert rows(path, "SELECT value FROM counter WHERE name = 'pruned'") == [(ROWS_AT_ONCE + 5,)]


def test_nothing_pruned_is_nothing_to_tell(service: Service, log_lines: list[str]) -> None:
    service.prune()
    assert log_lines == []


def test_rejected_messages_beyond_what_may_be_kept_are_deleted(
    service: Service, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an earlier version may have left them, which deleted them once a minute and not when they came."""
    arrived = [NOW - REJECTED_RETENTION, NOW - 5, NOW - 4, NOW - 3, NOW - 2]
    service.store.add(
        Batch(rejected=[NewRejected(time, "DATA", b"x", 1, "not JSON", "") for time in arrived])
    )
    monkeypatch.setattr(rejected_messages, "MOST_ROWS", 3)
    service.prune()
    assert rows(path, "SELECT arrived FROM rejected_message") == [(NOW - 4,), (NOW - 3,), (NOW - 2,)]


def test_rejected_messages_are_kept_for_a_week(service: Service, path: Path) -> None:
    assert REJECTED_RETENTION == 7 * 86400
    arrived = [NOW - REJECTED_RETENTION - 1, NOW - REJECTED_RETENTION + 1]
    service.store.add(
        Batch(rejected=[NewRejected(time, "DATA", b"x", 1, "not JSON", "") for time in arrived])
    )
    service.prune()
    assert rows(path, "SELECT arrived FROM rejected_message") == [(NOW - REJECTED_RETENTION + 1,)]


def test_statistics_stay_right_when_what_they_hold_is_deleted(service: Service, path: Path) -> None:
    """While a task waits there may be a tick by a clock that was set back.

    Its windows then hold readings that were free to be deleted before. They must leave the windows
    all the same when their time has come.
    """
    statistics = rolling_statistics(
        path,
        service.catalog,
        HandOver(),
        lambda row: Plan((("1min", 60_000),), ("avg", "max")),
        overall=[("1min", 60_000)],
        grid=Grid([60_000, 30_000]),
    )
    service.add(NOW - 3600, NOW - 3590)
    statistics.tick(NOW)
    statistics.tick(NOW - 3590)
    service.prune(NOW)
    assert service.times() == []
    counts = []
    for now in (NOW - 3550, NOW - 3540, NOW - 3530, NOW - 3450):
        tick = statistics.tick(now)
        counts.append(tick.averages[0].count)
        [result] = tick.series
        assert result.windows()["1min"]["count"] == counts[-1]
    assert counts == [2, 1, 0, 0]


def test_a_series_whose_readings_are_all_deleted_has_aged_out(service: Service) -> None:
    service.add(NOW - 3000, NOW - 2100)
    service.add(NOW - 7199, row=HOURLY)
    assert service.prune(NOW + 9) == []
    assert service.prune(NOW + 10) == ["DATA"]
    assert service.prune(NOW + 11) == ["DATA", "hourly"]


def test_a_series_without_readings_has_aged_out_by_its_own_time(service: Service) -> None:
    """It may have been left over by a crash between two tasks."""
    service.start_again()
    assert service.prune() == ["DATA", "hourly"]


def test_nothing_has_aged_out_before_it_is_known_what_is_stored(service: Service) -> None:
    service.add(NOW - 9000)
    service.catalog = Catalog(service.store.series(), limit=100)
    service.pruner = Pruner(service.store, service.catalog)
    assert service.prune() == []
    service.catalog.learn({})
    assert service.prune() == ["DATA", "hourly"]


def test_a_series_that_has_aged_out_can_be_removed_once(service: Service) -> None:
    service.add(NOW - 3000)
    service.prune()
    assert service.pruner.remove(DATA)
    assert not service.pruner.remove(DATA)
    assert service.store.series() == list(service.catalog) == [HOURLY]


def test_a_series_that_has_readings_again_is_not_removed(service: Service) -> None:
    service.add(NOW - 3000)
    assert "DATA" in service.prune()
    service.add(NOW - 5)
    assert not service.pruner.remove(DATA)
    assert DATA in service.store.series()
    assert "DATA" not in service.prune()


@pytest.mark.parametrize("known", [True, False])
def test_a_series_is_not_removed_while_readings_of_it_are_left(service: Service, known: bool) -> None:
    """A clock that was set back for a moment lets in readings of a time that is pruned already.

    Readings of no series would be left for ever, and no statistics could be read from the file.
    """
    if known:
        service.add(NOW - 2500)
    service.prune(NOW)
    service.add(NOW - 3600, NOW - 3599)
    assert not service.pruner.remove(DATA)
    assert "DATA" in service.prune(NOW + 60)
    assert service.times() == []
    assert service.pruner.remove(DATA)


def test_old_readings_of_one_series_are_no_work_for_those_kept_longer(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.add(NOW, row=HOURLY)
    service.prune(NOW)
    service.add(NOW - 5000, NOW - 2100, row=HOURLY)
    afters: list[float] = []
    delete = service.store.delete_readings

    def note(after: Place, until: float, limit: int, retention: float) -> object:
        afters.append(after[0])
        return delete(after, until, limit, retention)

    monkeypatch.setattr(service.store, "delete_readings", note)
    service.prune(NOW + 60)
    assert afters == [NOW - 7200, NOW - 2100]


def test_a_steady_clock_is_the_wall_clock_while_nothing_jumps() -> None:
    clock = SteadyClock(100)
    for elapsed in range(0, 1000, 7):
        assert clock.now(NOW + elapsed, 50 + elapsed) == NOW + elapsed


@pytest.mark.parametrize("jump", [3600.0, 365 * 86400.0])
def test_a_jump_forward_is_believed_only_after_the_patience(jump: float) -> None:
    clock = SteadyClock(100)
    clock.now(NOW, 0)
    for elapsed in range(1, 101):
        assert clock.now(NOW + jump + elapsed, elapsed) == NOW + elapsed
    assert clock.now(NOW + jump + 101, 101) == NOW + jump + 101


@pytest.mark.parametrize("jump", [3600.0, 365 * 86400.0])
def test_a_jump_back_is_believed_at_once(jump: float) -> None:
    clock = SteadyClock(100)
    clock.now(NOW, 0)
    assert clock.now(NOW - jump + 1, 1) == NOW - jump + 1


def test_a_jump_forward_that_was_a_mistake_is_never_believed() -> None:
    clock = SteadyClock(100)
    clock.now(NOW, 0)
    assert clock.now(NOW + 3600 + 50, 50) == NOW + 50
    assert clock.now(NOW + 90, 90) == NOW + 90
    assert clock.now(NOW + 150, 150) == NOW + 150


HISTORIES = st.lists(st.tuples(st.floats(0, 200), st.sampled_from([0, 0, 0, 3600, -3600, 0.1, -0.1])))


@given(st.floats(1.6e9, 2e9), st.floats(0, 1e6), HISTORIES)
@example(1733546471.12272, 888592.372033, [(0.0, 0)])  # the difference rounds up
def test_a_steady_clock_is_never_ahead_of_the_wall_clock(
    wall: float, elapsed: float, history: list[tuple[float, float]]
) -> None:
    clock = SteadyClock(100)
    for passed, jump in history:
        wall += passed + jump
        elapsed += passed
        assert clock.now(wall, elapsed) <= wall


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from([0, 0, 0, 3600, -3600, 7])), min_size=1))
def test_a_steady_clock_follows_the_slowest_clock_of_the_patience(history: list[tuple[int, int]]) -> None:
    clock = SteadyClock(100)
    wall = NOW
    elapsed = 0
    offsets: list[tuple[int, float]] = []
    for passed, jump in history:
        wall += passed + jump
        elapsed += passed
        offsets.append((elapsed, wall - elapsed))
        slowest = min(offset for seen, offset in offsets if seen >= elapsed - 100)
        assert clock.now(wall, elapsed) == elapsed + slowest
