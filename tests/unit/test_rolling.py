import math
import shutil
import sqlite3
import tempfile
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from models.catalog import Catalog, SeriesRow
from models.reading import Reading
from models.statistics.grid import Grid
from models.statistics.hand_over import HandOver
from models.statistics.loading import UnknownSeries
from models.statistics.plan import Plan
from models.statistics.registry import NAMES
from models.statistics.rolling import _cut
from models.statistics.rules import Rules
from models.statistics.series import SeriesStatistics
from models.statistics.sums import Sums
from models.statistics.tick import Tick, WindowAverage
from models.storage.batch import Batch
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.queries import StoredReadings
from models.storage.sqlite.store import Store
from tests.support.reference import Stream, age, agrees, reference
from tests.unit.rolling import fail, rolling_statistics

NOW = 1_700_000_000.0
AHEAD = 30_000
RETENTION = 2100.0
OVERALL = [("1min", 60_000), ("5min", 300_000)]
EMPTY = [WindowAverage("1min", None, 0), WindowAverage("5min", None, 0)]
ALL = (*NAMES, "p0.5")
# By the first letter of a series' name.
KNOWN = Rules(reach=RETENTION - 300)
PLANS = {
    "a": Plan((("1min", 60_000), ("5min", 300_000), ("10s", 10_000)), ("avg",)),
    "b": Plan((("10s", 10_000), ("5min", 300_000)), ALL, KNOWN),
    "c": Plan((("20s", 20_000),), ("time_weighted_avg", "max"), KNOWN),
    "d": Plan((("10s", 10_000), ("1min", 60_000)), ALL, KNOWN._replace(hold=25.0, reset_below=0.5, per=60.0)),
    # kept for as long as a window of a minute and a value that holds for 45 seconds need, and 5 minutes
    "e": Plan(
        (("20s", 20_000), ("1min", 60_000)),
        ("rate", "time_weighted_avg", "avg"),
        Rules(hold=45.0, reach=105.0),
        overall=False,
    ),
}
RETENTIONS = {"e": 405.0}
# What has been stored, and the sequence of the last of it.
Fed = tuple[Sequence[Reading], int]
GRID = Grid([60_000, 300_000, AHEAD, 10_000, 20_000])


class Service:
    """A database file, its writer and its statistics; and the same statistics from the raw rows."""

    grid = GRID

    def __init__(self, folder: Path) -> None:
        self.path = folder / "test.db"
        prepare(self.path)
        self.store = Store(writing_database(self.path), "me")
        self.newest: Mapping[int, float] = {}
        self.now = 0.0
        self.latest: Tick
        self.start_again()

    def start_again(self) -> None:
        self.catalog = Catalog(self.store.series(), limit=100)
        self.hand_over = HandOver()
        self.statistics = rolling_statistics(
            self.path,
            self.catalog,
            self.hand_over,
            lambda row: PLANS[row.name[0]],
            overall=OVERALL,
            ahead=AHEAD,
            grid=self.grid,
            when_loaded=self._learn,
            when_failed=fail,
        )
        self.loaded: list[float] = []

    def store_only(self, *readings: tuple[str, float, float]) -> Fed:
        """Commit (series, time, value) readings; return what is to be fed."""
        batch = Batch()
        for name, time, value in readings:
            series = self.catalog.find(name)
            if series is None:
                series = batch.series.find(name)
            if series is None:
                retention = RETENTIONS.get(name[0], RETENTION)
                series = self.catalog.begin(name, "", time, retention, batch.series)
            batch.readings.append(Reading(series, time, value))
        stored = self.store.add(batch)
        self.catalog.add(stored.series)
        return stored.readings, stored.sequence

    def add(self, *readings: tuple[str, float, float]) -> None:
        self.hand_over.feed(*self.store_only(*readings))

    def rows(self) -> list[tuple[str, float, float]]:
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(
                "SELECT name, time, value FROM reading JOIN series ON series.id = series_id "
                "ORDER BY time, sequence"
            ).fetchall()

    def tick(self, now: float) -> list[WindowAverage]:
        """Tick at `now`, and compare all there is with what the raw rows give."""
        self.now = now
        tick = self.latest = self.statistics.tick(now)
        assert tick.at <= now < tick.at + 10
        by_series: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        for name, time, value in self.rows():
            by_series[name].append((time, value))
        found = {result.series: result for result in tick.series}
        for name, readings in by_series.items():
            if readings[-1][0] <= tick.at - RETENTIONS.get(name[0], RETENTION):
                assert name not in found
                continue
            assert found[name].newest == readings[-1]
            windows = found[name].windows()
            assert list(windows) == [window for window, _ in PLANS[name[0]].windows]
            for window, length in PLANS[name[0]].windows:
                begin = tick.at - length / 1000
                inside = [one for one in readings if begin < one[0] <= tick.at + AHEAD / 1000]
                rules = PLANS[name[0]].rules
                known = [one for one in readings if tick.at - rules.reach < one[0] <= begin]
                before = known[-1] if known else None
                scale = max((abs(value) for _, value in [*inside, *known[-1:]]), default=0.0)
                for statistic in PLANS[name[0]].names:
                    ours = windows[window][statistic]
                    if statistic == "coverage":
                        continue
                    if statistic == "age":
                        assert rules.hold is not None
                        assert ours == age(tick.at, inside, before, rules.hold)
                        continue
                    stream = Stream(rules.hold, rules.reset_below, rules.per)
                    expected = reference(
                        statistic, tick.at, inside, begin=begin, before=before, stream=stream
                    )
                    assert agrees(statistic, ours, expected, scale), (name, window, statistic, ours, expected)
        for average, (window, length) in zip(tick.averages, OVERALL, strict=True):
            values = [
                value
                for name, time, value in self.rows()
                if tick.at - length / 1000 < time <= tick.at + AHEAD / 1000 and PLANS[name[0]].overall
            ]
            expected = math.fsum(values) / len(values) if values else None
            assert average == WindowAverage(window, expected, len(values))
        return list(tick.averages)

    def windows(self, name: str) -> dict[str, dict[str, float | int | None]]:
        [result] = [result for result in self.latest.series if result.series == name]
        return result.windows()

    def _learn(self, newest: Mapping[int, float]) -> None:
        self.newest = newest
        self.loaded.append(self.now)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    yield service
    service.store.close()


def test_an_empty_window_has_no_average(service: Service) -> None:
    assert service.tick(NOW) == EMPTY
    service.add(("b", NOW - 200, 5))
    assert service.tick(NOW) == [EMPTY[0], WindowAverage("5min", 5.0, 1)]
    empty = service.windows("b")["10s"]
    assert empty.pop("count") == 0
    assert empty.pop("coverage") == 1.0
    assert set(empty.values()) == {None}


def test_a_window_has_its_newest_edge_and_not_its_oldest(service: Service) -> None:
    service.add(("a", NOW - 60, 1000), ("a", math.nextafter(NOW - 60, NOW), 1))
    service.add(("b", NOW + 30, 3), ("c", NOW + 30.001, 1000))
    assert service.tick(NOW)[0] == WindowAverage("1min", 2.0, 2)


def test_an_edge_is_the_same_when_a_window_slides_over_it(service: Service) -> None:
    service.add(("b", NOW, 4), ("b", NOW + 31, 8))
    assert service.tick(NOW)[0] == WindowAverage("1min", 4.0, 1)
    assert service.tick(NOW + 10)[0] == WindowAverage("1min", 6.0, 2)
    assert service.tick(NOW + 50)[0] == WindowAverage("1min", 6.0, 2)
    assert service.tick(NOW + 60)[0] == WindowAverage("1min", 8.0, 1)
    assert service.tick(NOW + 100)[0] == WindowAverage("1min", None, 0)


def test_a_tick_is_taken_at_the_last_whole_slot(service: Service) -> None:
    service.add(("a", NOW + 39, 1))
    assert service.tick(NOW + 9.999)[0].count == 0
    assert service.latest.at == NOW
    assert service.tick(NOW + 10)[0].count == 1
    assert service.latest.at == NOW + 10


def test_windows_slide_when_nothing_arrives(service: Service) -> None:
    service.add(("a", NOW, 4), ("a", NOW + 5, 8))
    assert [service.tick(NOW + 10 * tick)[0].count for tick in range(8)] == [2, 2, 2, 2, 2, 2, 1, 0]


def test_the_first_tick_after_a_restart_is_right(service: Service) -> None:
    service.tick(NOW)
    service.add(*(("b", NOW + number / 7, number * 0.1) for number in range(200)), ("a", NOW - 250, 1e17))
    before = service.tick(NOW + 20), service.windows("b")
    service.start_again()
    assert (service.tick(NOW + 20), service.windows("b")) == before
    assert service.newest == {
        service.catalog.find("b"): NOW + 199 / 7,
        service.catalog.find("a"): NOW - 250,
    }


def test_after_a_restart_it_is_known_what_was_before_the_windows(service: Service) -> None:
    """Also where the last reading before a window came late. What is left out of the whole stays left out."""
    service.tick(NOW - 100)
    service.add(("c", NOW - 1000, 100), ("c", NOW - 10, 0), ("e", NOW, 5), ("a", NOW, 1))
    service.add(("e", NOW - 62, 8), ("e", NOW - 61, 4))
    before = service.tick(NOW), [service.windows(name) for name in "ce"]
    assert service.windows("c")["20s"]["time_weighted_avg"] == 50.0
    assert service.windows("e")["1min"]["time_weighted_avg"] == 4.0
    service.start_again()
    assert (service.tick(NOW), [service.windows(name) for name in "ce"]) == before


def test_a_value_holds_after_a_restart_and_when_older_readings_are_deleted(service: Service) -> None:
    service.add(("e", NOW - 500, 1), ("e", NOW - 45, 2))
    retention = RETENTIONS["e"]
    assert service.store.delete_readings((-math.inf, 0), NOW - retention, 1000, retention).rows == 1
    service.start_again()
    service.tick(NOW)
    assert (service.windows("e")["20s"]["age"], service.windows("e")["20s"]["avg"]) == (45.0, 2.0)
    service.tick(NOW + 10)
    assert (service.windows("e")["20s"]["age"], service.windows("e")["20s"]["avg"]) == (None, None)


def test_after_a_restart_the_newest_reading_of_each_series_is_known(service: Service) -> None:
    """Also of one that has none in any window, and where many have the same time."""
    service.add(("b", NOW - 2000, 1), ("b", NOW - 1900, 2), ("b", NOW - 1900, 1), ("a", NOW - 100, 3))
    service.add(*(("c", NOW - 5, number) for number in range(3)), ("a", NOW - 100, 1), ("a", NOW - 120, 9))
    service.start_again()
    service.tick(NOW)
    newest = {result.series: result.newest for result in service.latest.series}
    assert newest == {"a": (NOW - 100, 1), "b": (NOW - 1900, 1), "c": (NOW - 5, 2)}


def test_a_series_without_readings_is_none_after_a_restart(service: Service) -> None:
    service.add(("a", NOW - 2099, 1), ("b", NOW, 1))
    service.store.delete_readings((0.0, 0), NOW - 2000, 10, 2100.0)
    service.start_again()
    service.tick(NOW)
    assert [result.series for result in service.latest.series] == ["b"]
    assert list(service.newest) == [service.catalog.find("b")]


def test_a_slot_of_time_may_hold_more_than_is_read_at_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.storage.sqlite.queries._CHUNK", 3)
    service.add(*((name, NOW - number / 8, number * 0.1) for number in range(50) for name in ("b", "a")))
    service.start_again()
    service.tick(NOW)


def test_more_may_arrive_between_two_ticks_than_is_taken_apart_at_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.statistics.rolling._CHUNK", 3)
    service.tick(NOW)
    times = [NOW + 5, NOW + 5, NOW + 1, NOW + 9, NOW + 9, NOW + 9, NOW - 20, NOW + 9, NOW + 12, NOW + 2]
    service.add(*((name, time, number * 0.1) for number, time in enumerate(times) for name in ("b", "a")))
    service.tick(NOW + 10)
    assert service.windows("b")["10s"]["count"] == 9


def test_a_huge_value_that_has_passed_through_leaves_no_trace(service: Service) -> None:
    """Naive running sums still said 12.2 instead of 1.0 long after one 1e17 had passed."""
    service.add(*(("b", NOW + number, 1.0) for number in range(100)), ("b", NOW + 3, 1e17))
    for tick in range(11):
        service.tick(NOW + 10 * tick)
    assert service.windows("b")["10s"]["avg"] == 1.0


def test_a_sum_that_is_no_float_is_null_and_its_average_is_none_the_less(service: Service) -> None:
    service.latest = service.statistics.tick(NOW)
    service.add(*(("b", NOW + number, 1.5e308) for number in range(1, 6)), ("b", NOW + 1, -1.5e308))
    service.latest = service.statistics.tick(NOW + 10)
    window = service.windows("b")["10s"]
    assert (window["sum"], window["avg"], window["range"]) == (None, 1e308, None)
    service.latest = service.statistics.tick(NOW + 400)
    assert service.windows("b")["5min"]["avg"] is None


def test_a_reading_that_comes_late_joins_every_window_it_belongs_to(service: Service) -> None:
    service.add(("b", NOW, 10))
    service.tick(NOW)
    service.add(("b", NOW - 100, 20), ("b", NOW - 5, 30), ("b", NOW - 5, 31))
    assert service.tick(NOW) == [WindowAverage("1min", 71 / 3, 3), WindowAverage("5min", 91 / 4, 4)]
    assert service.windows("b")["10s"]["first"] == 30


def test_readings_may_come_in_any_order_between_two_ticks(service: Service) -> None:
    service.tick(NOW)
    service.add(("b", NOW + 15, 1), ("b", NOW + 3, 2), ("b", NOW + 25, 4), ("b", NOW + 12, 8))
    counts = []
    for tick in range(1, 4):
        service.tick(NOW + 10 * tick)
        counts.append(service.windows("b")["10s"]["count"])
    assert counts == [4, 3, 1]


def test_what_is_stored_before_and_fed_after_the_database_was_read_counts_once(service: Service) -> None:
    fed = service.store_only(("b", NOW, 1))
    service.tick(NOW)
    service.hand_over.feed(*fed)
    assert service.tick(NOW)[0] == WindowAverage("1min", 1.0, 1)
    service.add(("b", NOW, 3))
    assert service.tick(NOW)[0] == WindowAverage("1min", 2.0, 2)


def test_what_is_fed_while_the_database_is_read_counts_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was committed before the rows were read or after."""
    early = service.store_only(("b", NOW, 1))
    late: list[Fed] = []

    class FeedingReadings(StoredReadings):
        def next_time(self, after: float) -> float | None:
            if not late:
                service.hand_over.feed(*early)
                late.append(service.store_only(("b", NOW + 1, 2), ("a", NOW, 3)))
                service.hand_over.feed(*late[0])
            return super().next_time(after)

    monkeypatch.setattr("models.storage.sqlite.queries.StoredReadings", FeedingReadings)
    assert service.tick(NOW)[0] == WindowAverage("1min", 2.0, 3)
    assert service.latest.sequence == 3


def test_a_tick_that_fails_leaves_the_next_one_right(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.add(("a", NOW, 1))
    service.tick(NOW)
    service.add(("b", NOW, 2))
    monkeypatch.setattr(Sums, "move", None)
    with pytest.raises(TypeError):
        service.statistics.tick(NOW + 10)
    monkeypatch.undo()
    service.add(("c", NOW, 3))
    assert service.tick(NOW + 10)[0] == WindowAverage("1min", 2.0, 3)


def test_a_clock_that_is_set_back_is_followed(service: Service) -> None:
    service.add(("b", NOW, 1), ("b", NOW + 3590, 2), ("a", NOW + 3600, 3))
    assert service.tick(NOW + 3600)[0] == WindowAverage("1min", 2.5, 2)
    assert service.tick(NOW)[0] == WindowAverage("1min", 1.0, 1)
    assert service.tick(NOW + 3600)[0] == WindowAverage("1min", 2.5, 2)


def test_the_database_is_read_at_the_start_and_when_the_clock_was_set_back_and_never_else(
    service: Service,
) -> None:
    """A tick costs what has come, not what is stored."""
    service.add(("a", NOW - 1, 1.0))
    for now in (NOW, NOW, NOW + 1, NOW + 10):  # the second and third in the same slot as the first
        service.tick(now)
    assert service.loaded == [NOW]
    service.tick(NOW - 10)
    assert service.loaded == [NOW, NOW - 10]


def test_a_clock_from_1970_to_now_is_followed(service: Service) -> None:
    service.add(("b", 50.0, 1), ("b", 61.0, 2))
    assert service.tick(60.0)[0] == WindowAverage("1min", 1.5, 2)
    service.add(("b", NOW, 7))
    assert service.tick(NOW)[0] == WindowAverage("1min", 7.0, 1)


def test_a_series_that_was_removed_is_gone_and_may_begin_again(service: Service) -> None:
    service.add(("a", NOW, 1), ("b", NOW, 2))
    service.tick(NOW)
    row = service.catalog.row(service.catalog.find("a") or 0)
    assert isinstance(row, SeriesRow)
    service.catalog.remove(row)
    service.hand_over.remove(row.id)
    service.latest = service.statistics.tick(NOW + 10)
    assert [result.series for result in service.latest.series] == ["b"]


def test_nothing_is_kept_of_a_series_that_was_removed_long_ago(service: Service) -> None:
    service.add(("a", NOW, 1), ("b", NOW, 2))
    service.tick(NOW)
    service.hand_over.remove(1)
    for seconds in (10, 1000):
        service.statistics.tick(NOW + seconds)
    kept = {
        series
        for sums in service.statistics._everything._sums.values()
        for counts in sums.counts
        for series in counts
    }
    assert kept == {2}


def test_a_series_that_had_no_readings_when_all_was_loaded_may_have_some_for_ever(service: Service) -> None:
    service.add(("a", NOW - RETENTION, 1), ("b", NOW, 2))
    service.store.delete_readings((-math.inf, 0), NOW - RETENTION, 1000, RETENTION)
    service.start_again()
    service.tick(NOW)
    for number in range(1, 100):
        service.add(("a", NOW + 10 * number, number))
        service.tick(NOW + 10 * number)
    assert service.windows("a")["10s"]["avg"] == 99


def test_loading_ends_by_what_is_raised_when_it_is_looked_whether_to_go_on(service: Service) -> None:
    """At each look; and the next tick is right."""
    service.add(*((name, NOW - 10 * number, number) for number in range(30) for name in ("a1", "b1", "d1")))
    expected = service.tick(NOW)
    looks = 0
    while True:
        service.start_again()
        calls = iter(range(looks, -1, -1))
        service.statistics._look = lambda calls=calls: 1 / next(calls)  # type: ignore[misc]
        try:
            service.statistics.tick(NOW)
        except ZeroDivisionError:
            assert not service.hand_over.loaded
        else:
            break
        service.statistics._look = lambda: None
        assert service.tick(NOW) == expected
        looks += 1
    assert looks > 30  # at least once in each slot


def test_it_is_looked_whether_to_go_on_at_each_series_whose_readings_are_put_in_order(
    service: Service,
) -> None:
    """That takes long where there are many readings, and it is the last thing that loading does."""
    service.add(*((f"b{number}", NOW, 1) for number in range(40)))
    looks: list[None] = []
    service.start_again()
    service.statistics._look = lambda: looks.append(None)
    service.tick(NOW)
    assert len(looks) >= 40


def test_many_readings_of_a_series_are_taken_apart_a_part_at_a_time() -> None:
    readings = array("d", range(14))
    assert [list(part) for part in _cut(readings, 6)] == [[*range(6)], [*range(6, 12)], [12, 13]]
    assert [list(part) for part in _cut(readings, 14)] == [[*range(14)]]


def test_a_series_that_came_and_went_between_two_ticks_is_none(service: Service) -> None:
    """Its only reading was so old that it was pruned at once."""
    service.tick(NOW)
    fed = service.store_only(("a", NOW - 2099, 1))
    row = service.catalog.row(service.catalog.find("a") or 0)
    assert isinstance(row, SeriesRow)
    service.hand_over.feed(*fed)
    service.catalog.remove(row)
    service.hand_over.remove(row.id)
    service.latest = service.statistics.tick(NOW + 10)
    assert service.latest.series == ()


def test_coverage_is_the_part_of_a_window_with_history(service: Service) -> None:
    service.add(("b", NOW - 75, 1), ("b", NOW, 1), ("c", NOW + 20, 1))
    service.tick(NOW)
    assert service.windows("b")["10s"]["coverage"] == 1.0
    assert service.windows("b")["5min"]["coverage"] == 0.25
    assert service.windows("c")["20s"]["coverage"] == 0.0


def test_equal_times_keep_the_order_of_arrival(service: Service) -> None:
    service.add(("b", NOW, 5), ("b", NOW, 3), ("b", NOW, 4))
    service.tick(NOW)
    window = service.windows("b")["10s"]
    assert (window["first"], window["last"], window["rate"]) == (5, 4, None)
    service.start_again()
    service.tick(NOW)
    assert service.windows("b")["10s"] == window


def test_a_tick_is_a_value_that_later_ones_leave_as_it_is(service: Service) -> None:
    service.add(("b", NOW, 5))
    service.tick(NOW)
    first, seen = service.latest, str(service.latest)
    service.add(("b", NOW + 1, 50), ("a", NOW + 1, 7))
    service.tick(NOW + 10)
    assert str(first) == seen != str(service.latest)
    with pytest.raises(AttributeError):
        first.sequence = 9  # type: ignore[misc]
    hash(first.averages)


def test_a_series_that_fails_keeps_no_other_from_being_taken(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[str] = []
    take = SeriesStatistics.numbers

    def numbers(self: SeriesStatistics, at: float) -> object:
        if self.name == "b":
            raise OverflowError
        return take(self, at)

    monkeypatch.setattr(SeriesStatistics, "numbers", numbers)
    service.statistics._when_failed = failed.append
    service.add(("a", NOW, 1), ("b", NOW, 2), ("c", NOW, 3))
    tick = service.statistics.tick(NOW)
    assert [found.series for found in tick.series] == ["a", "c"]
    assert failed == ["b"]
    assert tick.averages[0] == WindowAverage("1min", 2.0, 3)


def test_a_series_whose_readings_are_all_too_old_is_in_no_tick(service: Service) -> None:
    """Its message is about to be cleared, and would be there again for ever."""
    service.add(("a", NOW - RETENTION + 10, 1), ("b", NOW, 1))
    service.tick(NOW)
    assert [result.series for result in service.latest.series] == ["a", "b"]
    service.tick(NOW + 10)
    assert [result.series for result in service.latest.series] == ["b"]


def test_a_series_that_has_begun_this_moment_is_waited_for(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be committed before the catalog has it."""
    service.add(("a", NOW, 1), ("b", NOW, 3))
    missing = service.catalog.find("b")
    row = service.catalog.row
    looked_up: list[int] = []

    def look_up(series: int) -> SeriesRow | None:
        looked_up.append(series)
        return None if series == missing and looked_up.count(series) <= tries else row(series)

    monkeypatch.setattr(service.catalog, "row", look_up)
    tries = 3
    assert service.tick(NOW)[0] == WindowAverage("1min", 2.0, 2)
    service.start_again()
    monkeypatch.setattr(service.catalog, "row", look_up)
    tries = 100
    with pytest.raises(UnknownSeries):
        service.statistics.tick(NOW)


VALUES = st.floats(-1e6, 1e6) | st.sampled_from(
    [0.1, 21.4, 1e17, -1e17, 5e-324, 0.0, 1e-300, 7.0, 95.0, 100.0]
)
# Mostly on a grid, so that many are equal, and at edges.
OFFSETS = st.integers(-320, 30).map(float) | st.floats(-330, 30)
READINGS = st.lists(
    st.tuples(st.sampled_from(["a1", "a2", "b1", "b2", "c1", "d1", "d2", "e1"]), OFFSETS, VALUES), max_size=12
)


class AnyHistory(RuleBasedStateMachine):
    """Whatever comes, in whatever order: each tick gives what the raw rows give."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.service = Service(self.folder)
        self.now = NOW

    @initialize(readings=READINGS)
    def begin(self, readings: list[tuple[str, float, float]]) -> None:
        self.receive(readings)

    @rule(readings=READINGS)
    def receive(self, readings: list[tuple[str, float, float]]) -> None:
        if readings:
            self.service.add(*((name, self.now + offset, value) for name, offset, value in readings))

    @rule(seconds=st.sampled_from([0.0, 1.0, 10.0, 10.0, 10.0, 20.0, 60.0, 310.0, 500.0]))
    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.service.tick(self.now)

    @rule()
    def start_again(self) -> None:
        self.service.start_again()

    @rule()
    def prune(self) -> None:
        for retention in {RETENTION, *RETENTIONS.values()}:
            self.service.store.delete_readings((-math.inf, 0), self.now - retention, 1000, retention)

    @rule(seconds=st.sampled_from([4.0, 35.0, 3600.0]))
    def set_the_clock_back(self, seconds: float) -> None:
        self.now -= seconds

    def teardown(self) -> None:
        self.service.tick(self.now)
        self.service.store.close()
        shutil.rmtree(self.folder)


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = hypothesis.settings(max_examples=60, stateful_step_count=25, deadline=None)
