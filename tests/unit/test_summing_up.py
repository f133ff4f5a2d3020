"""What is noted of time that has ended says the same as its readings, whatever happens."""

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from jobs import sum_up
from jobs.sum_up import SummingUp
from models.statistics.grid import Grid
from models.statistics.tick import WindowAverage
from models.storage.errors import StoreUnavailable
from models.storage.sqlite import summed
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.queries import StoredReadings
from models.storage.sqlite.reader import open_reader
from models.storage.sqlite.store import Store
from tests.unit.rows import rows
from tests.unit.test_rolling import AHEAD, GRID, NOW, READINGS, RETENTION, RETENTIONS, Service

# Slots of 5 seconds, where others have 10.
FINER = Grid([60_000, 300_000, AHEAD, 10_000, 20_000, 5_000])
# Small, so that little is enough to come to every turn.
SMALL = {"WORTH_IT": 1, "STRETCH": 2, "READ_AT_ONCE": 2, "WRITTEN_AT_ONCE": 2, "LEAST_EACH": 1}


class Summing(Service):
    """A service that sums up what has ended; its file may be opened anew at any moment, as after a kill."""

    def __init__(self, folder: Path) -> None:
        self.summing: SummingUp
        self.task: Callable[[], bool] | None = None
        super().__init__(folder)

    def start_again(self) -> None:
        """Leave a task where it is, and what it has not written."""
        self.store.close()
        self.store = Store(writing_database(self.path), "me")
        super().start_again()
        self.task = None
        self.summing = SummingUp(self.store, self.catalog, self.grid)

    def begin(self, now: float) -> None:
        """Begin to sum up at a tick."""

        def submit(task: Callable[[], bool]) -> None:
            self.task = task

        self.summing._begun = -math.inf
        self.summing.begin(now, self.statistics, submit)

    def go_on(self, steps: int) -> bool:
        """Do a part of it; return whether there is more."""
        while self.task is not None and steps:
            if not self.task():
                self.task = None
            steps -= 1
        return self.task is not None

    def sum_up(self, now: float) -> None:
        """Tick, and sum up all that has ended then."""
        self.tick(now)
        self.begin(now)
        while self.go_on(100):
            pass

    def check_history(self) -> None:
        """Compare the readings of each series with those that are stored."""
        select = "SELECT series_id, time, sequence, value FROM reading ORDER BY time DESC, sequence DESC"
        stored = rows(self.path, select)
        with open_reader(self.path) as reader:
            for row in reader.series():
                all_of_it = [reading for series, *reading in stored if series == row.id]
                for after, until in ((-math.inf, math.inf), (NOW - 100, NOW), (NOW - 40, NOW - 5)):
                    inside = [tuple(one) for one in all_of_it if after < one[0] <= until]
                    for limit in (1, 3, 1000):
                        assert reader.readings_between(row.id, after, until, limit) == inside[:limit]
                assert reader.readings_of(row.id, -math.inf) == [
                    (time, value) for time, _, value in reversed(all_of_it)
                ]


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Summing]:
    for name, value in SMALL.items():
        monkeypatch.setattr(sum_up, name, value)
    service = Summing(tmp_path)
    yield service
    service.store.close()


def noted(service: Summing) -> list[tuple[float, float]]:
    """Return of which slots the sums are noted."""
    return rows(service.path, "SELECT DISTINCT after, until FROM slot_sums ORDER BY after")


def fill(service: Summing, seconds: int = 120) -> None:
    """Have readings of two series come for so long, up to now."""
    service.add(*(("ab"[number % 2], NOW - number / 2, number * 0.1) for number in range(2 * seconds)))


class Counting(StoredReadings):
    """Stored readings that count how many are read one by one."""

    read = 0

    def values(self, after: float, until: float) -> Iterator[dict[int, list[float]]]:
        for part in super().values(after, until):
            Counting.read += sum(map(len, part.values()))
            yield dict(part)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[Counting]:
    Counting.read = 0
    monkeypatch.setattr("models.storage.sqlite.queries.StoredReadings", Counting)
    return Counting


def test_a_restart_reads_no_reading_of_a_slot_that_is_summed_up(
    service: Summing, counting: type[Counting]
) -> None:
    fill(service)
    service.sum_up(NOW)
    before = service.tick(NOW), service.windows("a"), service.windows("b")
    counting.read = 0
    service.start_again()
    assert (service.tick(NOW), service.windows("a"), service.windows("b")) == before
    # those of the slot that ended last, and of none before
    assert counting.read == 20
    assert noted(service)[-1] == (NOW - 20, NOW - 10)


def test_it_is_looked_whether_to_go_on_at_each_slot_that_is_summed_up(service: Summing) -> None:
    fill(service)
    service.sum_up(NOW)
    service.start_again()
    looks: list[None] = []
    service.statistics._look = lambda: looks.append(None)
    service.tick(NOW)
    assert len(looks) > len(noted(service)) > 8


def test_what_comes_late_is_in_the_averages_after_a_restart(service: Summing) -> None:
    """Also in a slot that is being summed up, and before and behind where the summing up is."""
    fill(service)
    service.tick(NOW)
    service.begin(NOW)
    for number in range(100):
        more = service.go_on(1)
        service.add(("a", NOW - 15 - number, 1000.5), ("c", NOW - 3 - number, 7))
        if not more:
            break
    service.start_again()
    service.tick(NOW)
    service.check_history()
    assert number > 10


def test_more_that_is_late_than_is_noted_leaves_nothing_noted(
    service: Summing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summed, "MOST_DELAYED", 3)
    fill(service)
    service.sum_up(NOW)
    whole = noted(service)
    service.add(*(("a", NOW - 44, number) for number in range(3)))
    assert noted(service) == whole
    service.add(("a", NOW - 44, 5))
    assert noted(service) == [slot for slot in whole if slot != (NOW - 50, NOW - 40)]
    service.start_again()
    service.tick(NOW)
    service.check_history()


def test_what_is_given_up_while_it_is_summed_up_is_not_noted_afterwards(
    service: Summing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summed, "MOST_DELAYED", 3)
    monkeypatch.setattr(sum_up, "WRITTEN_AT_ONCE", 100)
    fill(service, 20)
    service.tick(NOW)
    service.begin(NOW)
    service.go_on(3)
    service.add(*(("c", NOW - 19.5, number) for number in range(5)))
    while service.go_on(1):
        pass
    assert noted(service) == []
    service.start_again()
    service.tick(NOW)
    service.check_history()


def test_what_is_pruned_is_in_no_sum(service: Summing) -> None:
    """Also where it is pruned while it is summed up, and where others are kept longer."""
    service.add(*((name, NOW - number, 1.5) for number in range(60) for name in "ae"))
    service.sum_up(NOW)
    service.store.delete_readings((-math.inf, 0), NOW - 25, 1000, RETENTIONS["e"])
    assert rows(service.path, "SELECT MIN(after) FROM slot_sums WHERE retention = 405") == [(NOW - 20,)]
    assert len(rows(service.path, "SELECT * FROM slot_sums WHERE retention = 2100")) > 3
    service.start_again()
    service.tick(NOW)
    service.check_history()
    service.store.delete_readings((-math.inf, 0), NOW - 25, 1000, RETENTION)
    assert rows(service.path, "SELECT MIN(after) FROM slot_sums") == [(NOW - 20,)]
    [(until,)] = rows(service.path, "SELECT MIN(until) FROM stretch")
    assert until > NOW - 25
    service.start_again()
    service.tick(NOW)
    service.check_history()


def test_what_is_pruned_while_it_is_summed_up_is_not_noted(service: Summing) -> None:
    fill(service, 40)
    service.tick(NOW)
    service.begin(NOW)
    service.go_on(4)
    service.store.delete_readings((-math.inf, 0), NOW - 35, 1000, RETENTION)
    while service.go_on(1):
        pass
    assert noted(service)[0][0] >= NOW - 35
    service.start_again()
    service.tick(NOW)


def test_sums_by_slots_of_another_length_are_not_read(service: Summing, counting: type[Counting]) -> None:
    """Nor are sums lost: when the settings are as before they are read again."""
    fill(service)
    service.sum_up(NOW)
    for grid, read in ((FINER, 240), (GRID, 20)):
        service.grid = grid
        service.start_again()
        counting.read = 0
        service.tick(NOW)
        assert counting.read == read
        service.check_history()


def test_sums_are_forgotten_when_a_series_is_kept_for_another_time(service: Summing) -> None:
    fill(service)
    service.sum_up(NOW)
    service.store.set_retentions({1: 9000.0})
    assert noted(service) == []


def test_a_clock_that_went_ahead_leaves_nothing_noted_of_times_to_come(service: Summing) -> None:
    fill(service)
    service.add(*(("a", NOW + 3600 + number, 1.5) for number in range(60)))
    service.sum_up(NOW + 3660)
    assert noted(service)[-1][1] > NOW + 3600
    service.sum_up(NOW)
    assert rows(service.path, "SELECT MAX(until) FROM stretch") == [(NOW,)]
    assert noted(service) == []
    service.add(("a", NOW + 3605, 2.5))
    service.sum_up(NOW + 3680)
    assert noted(service)[-1][1] > NOW + 3600
    service.start_again()
    service.tick(NOW + 3680)


def test_a_database_that_cannot_be_written_leaves_the_rest_for_the_next_time(
    service: Summing, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(service)
    service.tick(NOW)
    service.begin(NOW)
    service.go_on(20)

    def fail(*_: object) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(service.store, "note", fail)
        with pytest.raises(StoreUnavailable):
            service.go_on(1000)
    service.add(("a", NOW - 45, 3))
    service.sum_up(NOW)
    assert noted(service)[-1] == (NOW - 20, NOW - 10)
    service.start_again()
    service.tick(NOW)
    service.check_history()


@pytest.mark.parametrize(("worth_it", "notes"), [(40.0, True), (41.0, False)])
def test_where_few_readings_are_kept_nothing_is_noted(
    service: Summing, monkeypatch: pytest.MonkeyPatch, worth_it: float, notes: bool
) -> None:
    """As many are kept in all as a slot of 10 seconds holds, times 210."""
    monkeypatch.setattr(sum_up, "WORTH_IT", worth_it * 105)
    fill(service)
    service.sum_up(NOW)
    assert bool(noted(service)) == notes == bool(rows(service.path, "SELECT * FROM stretch"))


@pytest.mark.parametrize(("least", "notes"), [(10, True), (11, False)])
def test_sums_are_noted_where_they_are_of_many_readings_each(
    service: Summing, monkeypatch: pytest.MonkeyPatch, least: int, notes: bool
) -> None:
    monkeypatch.setattr(sum_up, "LEAST_EACH", least)
    fill(service)
    service.sum_up(NOW)
    assert bool(noted(service)) == notes
    assert rows(service.path, "SELECT * FROM stretch")


def test_time_is_summed_up_once_a_minute(service: Summing) -> None:
    begun: list[float] = []
    for seconds in (0, 10, 50, 60, 100, 119, 120, 60):  # at last the clock was set back
        service.tick(NOW + seconds)
        submitted: list[Callable[[], bool]] = []
        service.summing.begin(NOW + seconds, service.statistics, submitted.append)
        for task in submitted:
            begun.append(seconds)
            while task():
                pass
    assert begun == [0, 60, 120, 60]


def test_a_sum_that_takes_more_than_two_floats_is_noted(service: Summing) -> None:
    """In slots of which each has the same series, so that they are taken in together."""
    values = (1e300, 1.0, 1e-300, 0.1, 1e100, 1e200)
    service.add(*(("a", NOW - 5 - 10 * slot, slot * value) for slot in range(9) for value in values))
    service.add(*(("b", NOW - number, 0.1) for number in range(90)))
    service.sum_up(NOW)
    assert len(noted(service)) >= 7
    before = service.windows("a")
    service.start_again()
    service.tick(NOW)
    assert service.windows("a") == before
    for later in range(10, 100, 10):
        service.tick(NOW + later)


def test_a_series_that_begins_in_a_slot_while_that_is_read_is_not_missed(service: Summing) -> None:
    """It is kept as long as others, but not as long as all."""
    service.add(*((name, NOW - 19 + number / 5, 1.5) for number in range(40) for name in "ae"))
    service.tick(NOW)
    service.begin(NOW)
    service.go_on(1)
    service.add(("d", NOW - 10, 2.5))
    while service.go_on(1):
        pass
    service.start_again()
    service.tick(NOW)
    service.check_history()


def test_what_came_late_and_is_read_again_is_counted_once(
    service: Summing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came when its time had been read, but nothing was noted of that before the service was killed."""
    monkeypatch.setattr(sum_up, "WRITTEN_AT_ONCE", 100)
    fill(service)
    service.tick(NOW)
    service.begin(NOW)
    service.go_on(5)
    service.add(("a", NOW - 119, 1000.5))
    assert rows(service.path, "SELECT COUNT(*) FROM delayed") == [(1,)]
    service.start_again()
    service.sum_up(NOW)
    service.start_again()
    service.tick(NOW)
    service.check_history()


def test_an_average_over_all_readings_leaves_out_what_it_is_to_leave_out(service: Summing) -> None:
    service.add(*((name, NOW - 20 - number, 1.5) for number in range(30) for name in "ae"))
    service.sum_up(NOW)
    service.start_again()
    assert service.tick(NOW)[0] == WindowAverage("1min", 1.5, 30)


class AnyHistory(RuleBasedStateMachine):
    """Whatever comes in whatever order: after a restart each tick gives what the raw rows give."""

    def __init__(self) -> None:
        super().__init__()
        self.patched = pytest.MonkeyPatch()
        for name, value in SMALL.items():
            self.patched.setattr(sum_up, name, value)
        self.patched.setattr(summed, "MOST_DELAYED", 5)
        self.folder = Path(tempfile.mkdtemp())
        self.service = Summing(self.folder)
        self.now = NOW

    @initialize(readings=READINGS)
    def begin(self, readings: list[tuple[str, float, float]]) -> None:
        self.receive(readings)

    @rule(readings=READINGS)
    def receive(self, readings: list[tuple[str, float, float]]) -> None:
        if readings:
            self.service.add(*((name, self.now + offset, value) for name, offset, value in readings))

    @rule(seconds=st.sampled_from([0.0, 10.0, 10.0, 60.0, 310.0]))
    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.service.tick(self.now)

    @rule(steps=st.sampled_from([1, 2, 3, 5, 1000, 1000]))
    def sum_up(self, steps: int) -> None:
        if self.service.task is None:
            self.service.tick(self.now)
            self.service.begin(self.now)
        self.service.go_on(steps)

    @precondition(lambda self: self.service.task is not None)
    @rule(steps=st.integers(1, 4))
    def go_on(self, steps: int) -> None:
        self.service.go_on(steps)

    @precondition(lambda self: self.service.task is not None)
    @rule()
    def fail_to_write(self) -> None:
        def fail(*_: object) -> None:
            raise StoreUnavailable

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(self.service.store, "note", fail)
            try:
                self.service.go_on(5)
            except StoreUnavailable:
                self.service.task = None

    @rule(grid=st.sampled_from([GRID, GRID, GRID, FINER]))
    def be_killed_and_start_again(self, grid: Grid) -> None:
        self.service.grid = grid
        self.service.start_again()
        self.service.tick(self.now)

    @rule(retention=st.sampled_from([RETENTION, *RETENTIONS.values()]), early=st.sampled_from([0, 0, 380]))
    def prune(self, retention: float, early: float) -> None:
        until = self.now - retention + early
        self.service.store.delete_readings((-math.inf, 0), until, 1000, retention)
        if early:  # what is in windows is never deleted, unless the clock was ahead: then it starts anew
            self.service.hand_over.begin_loading()

    @rule(seconds=st.sampled_from([4.0, 35.0, 3600.0]))
    def set_the_clock_back(self, seconds: float) -> None:
        self.now -= seconds

    @rule()
    def look_at_histories(self) -> None:
        self.service.check_history()

    def teardown(self) -> None:
        self.service.start_again()
        self.service.tick(self.now)
        self.service.check_history()
        self.service.store.close()
        shutil.rmtree(self.folder)
        self.patched.undo()


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = hypothesis.settings(max_examples=25, stateful_step_count=25, deadline=None)
