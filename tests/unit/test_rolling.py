import math
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from models.database import prepare, reading_database, writing_database
from models.rolling import RollingAverages, WindowAverage
from models.store import Batch, NewReading, Store

WINDOWS = [60.0, 300.0, 10.0]
LONGEST = max(WINDOWS)
SKEW = 30.0
NOW = 1_700_000_000.0


class Service:
    """A database file, its writer and its averages; and the same averages from the raw rows."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "test.db"
        prepare(self.path)
        self.store = Store(writing_database(self.path))
        self.start_again()

    def start_again(self) -> None:
        self.averages = RollingAverages(reading_database(self.path), WINDOWS, SKEW)

    def add(self, *readings: tuple[float, float]) -> None:
        self.store.add(Batch(readings=[NewReading("DATA", time, value) for time, value in readings]))

    def expected(self, now: float) -> list[WindowAverage]:
        with closing(sqlite3.connect(self.path)) as connection:
            rows = connection.execute("SELECT time, value FROM reading").fetchall()
        windows = [[value for time, value in rows if now - w < time <= now + SKEW] for w in WINDOWS]
        return [WindowAverage(math.fsum(v) / len(v) if v else None, len(v)) for v in windows]

    def tick(self, now: float) -> list[WindowAverage]:
        """Advance to `now`; what comes out must be what the raw rows give, to the last bit."""
        result = self.averages.advance(now)
        assert result == self.expected(now)
        return result


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    yield service
    service.store.close()


def test_an_empty_window_has_no_average(service: Service) -> None:
    assert service.tick(NOW) == [WindowAverage(None, 0)] * 3
    service.add((NOW - 200, 5))
    assert service.tick(NOW) == [WindowAverage(None, 0), WindowAverage(5.0, 1), WindowAverage(None, 0)]


def test_a_window_has_its_newest_edge_and_not_its_oldest(service: Service) -> None:
    service.add((NOW - 60, 1000), (math.nextafter(NOW - 60, NOW), 1), (NOW + 30, 3), (NOW + 30.001, 1000))
    assert service.tick(NOW)[0] == WindowAverage(2.0, 2)


def test_an_edge_is_the_same_when_a_window_slides_over_it(service: Service) -> None:
    service.add((NOW, 4), (NOW + 31, 8))
    assert service.tick(NOW)[0] == WindowAverage(4.0, 1)
    assert service.tick(NOW + 1)[0] == WindowAverage(6.0, 2)
    assert service.tick(math.nextafter(NOW + 60, NOW))[0] == WindowAverage(6.0, 2)
    assert service.tick(NOW + 60)[0] == WindowAverage(8.0, 1)
    assert service.tick(NOW + 91)[0] == WindowAverage(None, 0)


def test_windows_slide_when_nothing_arrives(service: Service) -> None:
    service.add((NOW, 4), (NOW + 5, 8))
    service.tick(NOW + 5)
    assert [service.tick(NOW + seconds)[0].mean for seconds in (59, 60, 64, 65)] == [6, 8, 8, None]


def test_late_and_unordered_readings_join_the_windows_they_belong_to(service: Service) -> None:
    service.add((NOW, 1))
    service.tick(NOW)
    service.add((NOW - 100, 3), (NOW - 20, 5), (NOW - 1000, 7))
    assert [average.count for average in service.tick(NOW)] == [2, 3, 1]


def test_readings_of_all_series_are_averaged_together(service: Service) -> None:
    service.store.add(Batch(readings=[NewReading("a", NOW, 1), NewReading("b", NOW, 3)]))
    assert service.tick(NOW)[0] == WindowAverage(2.0, 2)


def test_one_huge_value_that_has_passed_leaves_no_trace(service: Service) -> None:
    service.add((NOW, 1e17), (NOW + 30, 0.1), (NOW + 30, 0.2))
    service.tick(NOW)
    assert service.tick(NOW + 70)[0] == WindowAverage(math.fsum([0.1, 0.2]) / 2, 2)


def test_the_smallest_numbers_are_averaged_exactly(service: Service) -> None:
    service.add((NOW, 5e-324))
    assert service.tick(NOW)[0] == WindowAverage(5e-324, 1)
    service.add((NOW + 1, 1.5e-323))
    assert service.tick(NOW + 1)[0] == WindowAverage(1e-323, 2)
    assert service.tick(NOW + 60)[0] == WindowAverage(1.5e-323, 1)


def test_the_first_tick_after_a_restart_is_right(service: Service) -> None:
    service.add(*[(NOW - second, 0.1 * second) for second in range(400)])
    before = service.tick(NOW)
    service.start_again()
    assert service.tick(NOW) == before


def test_what_was_pruned_and_stored_anew_is_counted_once(service: Service) -> None:
    service.add((NOW, 1), (NOW + 1, 2))
    service.tick(NOW)
    service.tick(NOW + 1000)
    assert service.store.delete_readings(service.averages.oldest_needed, 10) == 2
    service.add((NOW + 1000, 5))
    assert service.tick(NOW + 1000)[0] == WindowAverage(5.0, 1)
    service.tick(NOW + 1001)


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 365 * 86400.0, -250.0, 250.0])
def test_windows_are_right_at_once_when_the_clock_jumps_and_when_it_is_set_back(
    service: Service, jump: float
) -> None:
    service.add(*[(NOW - second, float(second)) for second in range(0, 400, 7)])
    service.tick(NOW)
    service.tick(NOW + jump)
    service.add((NOW + jump, 1))
    service.tick(NOW + jump)
    service.tick(NOW)


def test_what_no_window_needs_is_known_only_after_a_tick(service: Service) -> None:
    assert service.averages.oldest_needed == -math.inf
    service.tick(NOW)
    assert service.averages.oldest_needed == NOW - LONGEST


def test_a_tick_that_fails_changes_nothing(service: Service) -> None:
    service.add((NOW, 1))
    service.tick(NOW)
    service.store.close()
    away = service.path.with_name("away")
    shutil.move(service.path, away)
    service.path.mkdir()
    with pytest.raises(Exception, match="unable to open"):
        service.averages.advance(NOW + 100)
    assert service.averages.oldest_needed == NOW - LONGEST
    service.path.rmdir()
    shutil.move(away, service.path)
    service.add((NOW + 1, 2))
    service.tick(NOW + 10)
    service.tick(NOW + 70)


def test_a_tick_reads_what_came_and_what_left_not_what_is_stored(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand readings stand inside each window, and a tick must not look at them."""
    service.add(*[(NOW - 5 + step / 10_000, 1.0) for step in range(10_000)])
    service.tick(NOW)
    database = reading_database(service.path)
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    averages = RollingAverages(database, WINDOWS, SKEW)
    averages.advance(NOW)
    service.add((NOW + 0.5, 2.0))
    connect = database.connect

    def counting_connect(*arguments: bool, **options: bool) -> bool:
        connected = connect(*arguments, **options)
        database.connection().set_progress_handler(count, 10)
        return bool(connected)

    monkeypatch.setattr(database, "connect", counting_connect)
    averages.advance(NOW + 1)
    assert 0 < steps < 300  # in tens of the database's own steps; reading all takes ten thousand


VALUES = st.sampled_from([0.1, -0.1, 1e17, -1e17, 1e300, -1e300, 5e-324, 1.0, 46.0]) | st.floats(
    -1e300, 1e300
)
# Relative to the clock, at the edges of windows and next to them as often as anywhere.
EDGES = [-LONGEST, -60.0, -10.0, 0.0, SKEW]
OFFSETS = (
    st.builds(lambda edge, by: edge + by, st.sampled_from(EDGES), st.sampled_from([-1.0, 0.0, 1.0]))
    | st.integers(-400, 60).map(float)
    | st.floats(-400, 60)
)


class Histories(RuleBasedStateMachine):
    """Whatever comes in whatever order, each tick gives what the raw rows give."""

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.service = Service(Path(self.folder.name))
        self.now = NOW

    @rule(rows=st.lists(st.tuples(OFFSETS, VALUES), min_size=1, max_size=8))
    def readings_arrive(self, rows: list[tuple[float, float]]) -> None:
        """Late, in time, ahead of the clock, out of order."""
        self.service.add(*[(self.now + offset, value) for offset, value in rows])

    @rule(seconds=st.sampled_from([1.0, 10.0, 30.0, 60.0, 61.0]) | st.floats(0, 120))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(seconds=st.sampled_from([-3600.0, -LONGEST, -30.0, -1.0, 270.0, 330.0, 331.0, 3600.0, 1e7, -1e7]))
    def the_clock_jumps(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def the_clock_is_set_right(self) -> None:
        self.now = NOW

    @rule()
    def averages_are_due(self) -> None:
        self.service.tick(self.now)

    @rule(retention=st.sampled_from([LONGEST, LONGEST + 20]), limit=st.sampled_from([1, 3, 1000]))
    def old_readings_are_pruned(self, retention: float, limit: int) -> None:
        until = min(self.now - retention, self.service.averages.oldest_needed)
        self.service.store.delete_readings(until, limit)

    @rule()
    def the_service_starts_again(self) -> None:
        self.service.start_again()
        self.averages_are_due()

    def teardown(self) -> None:
        if hasattr(self, "service"):
            self.averages_are_due()
            self.service.store.close()
            self.folder.cleanup()


TestHistories = Histories.TestCase
TestHistories.settings = hypothesis.settings(max_examples=40, stateful_step_count=30, deadline=None)
