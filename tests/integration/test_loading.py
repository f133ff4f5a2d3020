"""How the statistics begin from what is stored, in each kind of database."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from models.catalog import Catalog, SeriesRow
from models.reading import Reading
from models.statistics.all_series import Layout
from models.statistics.grid import Grid
from models.statistics.hand_over import HandOver
from models.statistics.plan import Plan
from models.statistics.rolling import RollingStatistics
from models.statistics.tick import Tick, WindowAverage
from models.storage.batch import Batch
from models.storage.postgresql import snapshot
from models.storage.postgresql.connection import PatientConnection
from tests.support.stores import Kind, Postgresql, Sqlite
from tests.unit.stored import new_series, series_row

# UTC epoch seconds; a whole multiple of all moments at which readings expire.
NOW = 1_700_000_000.0 // 7200 * 7200
WINDOWS = (("6s", 6_000), ("1min", 60_000))
AHEAD = 30_000
# Series (its number, beginning with 1), time, value.
Row = tuple[int, float, float]


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    if request.param == "sqlite":
        return Sqlite(tmp_path / "test.db")
    return Postgresql(request.getfixturevalue("postgresql"))


def fill(kind: Kind, readings: Sequence[Row], retention: float = 2100.0) -> None:
    """Store readings, all in one transaction, of series named by their numbers."""
    names = range(1, max(series for series, _, _ in readings) + 1)
    begun = new_series(*(series_row(0, str(name), retention=retention) for name in names))
    batch = Batch(readings=[Reading(-series, time, value) for series, time, value in readings], series=begun)
    store = kind.store(now=lambda: NOW)
    store.add(batch)
    store.close()


def statistics(
    kind: Kind, milliseconds: int, names: Sequence[str] = ("avg",), look: Callable[[], object] = lambda: None
) -> RollingStatistics:
    """Return statistics that have loaded nothing yet, with slots of so many milliseconds."""
    with kind.database.reader() as stored:
        catalog = Catalog(stored.series(), 100)
    plan = Plan(WINDOWS, names)

    def look_up(series: int) -> tuple[SeriesRow, Plan] | None:
        row = catalog.row(series)
        return None if row is None else (row, plan)

    return RollingStatistics(
        kind.database.source(),
        HandOver(),
        Layout(Grid([*(length for _, length in WINDOWS), AHEAD, milliseconds]), WINDOWS, AHEAD, look_up),
        when_loaded=lambda newest: None,
        when_failed=pytest.fail,
        look=look,
    )


def check(tick: Tick, at: int, readings: Sequence[Row]) -> None:
    """Hold a tick at so many milliseconds against what all readings give, one by one."""
    assert tick.at == at / 1000

    def inside(length: int, rows: Sequence[Row]) -> list[float]:
        begin, end = (at - length) / 1000, (at + AHEAD) / 1000
        return [value for _, time, value in rows if begin < time <= end]

    for average, (name, length) in zip(tick.averages, WINDOWS, strict=True):
        values = inside(length, readings)
        expected = math.fsum(values) / len(values) if values else None
        assert average == WindowAverage(name, expected, len(values))
    by_series: defaultdict[str, list[Row]] = defaultdict(list)
    for row in sorted(readings, key=lambda row: row[1]):
        by_series[str(row[0])].append(row)
    assert {result.series for result in tick.series} == set(by_series)
    for result in tick.series:
        rows = by_series[result.series]
        assert result.newest == rows[-1][1:]
        for name, length in WINDOWS:
            values = inside(length, rows)
            found = result.windows()[name]
            expected = math.fsum(values) / len(values) if values else None
            assert (found["count"], found["avg"]) == (len(values), expected)


@pytest.mark.parametrize("milliseconds", [10_000, 1_000, 300, 7])
@pytest.mark.parametrize("now", [NOW, 0.0, -25.2], ids=["now", "around 1970", "before 1970"])
def test_a_reading_beside_an_edge_is_in_the_slot_that_the_grid_says(
    kind: Kind, milliseconds: int, now: float
) -> None:
    """At the edge itself it is in the slot before; one step of a float later in the next one."""
    grid = Grid([*(length for _, length in WINDOWS), AHEAD, milliseconds])
    slot = grid.last_slot(now)
    edges = [grid.edge(slot + number) for number in range(-12, 13)]
    times = [near for edge in edges for near in (edge, math.nextafter(edge, -9e9), math.nextafter(edge, 9e9))]
    readings = [(1 + place % 3, time, 0.1 + 3.0**place) for place, time in enumerate(times)]
    fill(kind, readings)
    rolling = statistics(kind, milliseconds)
    check(rolling.tick(grid.edge(slot)), slot * grid.milliseconds, readings)
    # as the windows move, each slot leaves them by itself
    length = grid.slots(6_000)
    for number in (*range(length - 13, length + 14), 3 * length):
        at = (slot + number) * grid.milliseconds
        check(rolling.tick(at / 1000), at, readings)


def test_a_series_whose_readings_are_all_older_than_the_windows_has_its_newest(kind: Kind) -> None:
    readings = [(2, NOW - 1000, 1.0), (1, NOW - 500, 2.0), (1, NOW - 500, 3.0), (3, NOW - 30, 4.0)]
    fill(kind, readings)
    check(statistics(kind, 1_000).tick(NOW), round(NOW * 1000), readings)


def test_what_needs_the_order_has_it_whatever_the_slots(kind: Kind) -> None:
    readings = [(1 + number % 2, NOW - 50 + number // 3, float(number % 7)) for number in range(150)]
    fill(kind, readings)
    names = ("avg", "first", "last", "time_weighted_avg")
    found = [statistics(kind, slot, names).tick(NOW).series for slot in (10_000, 1_000)]
    assert [each.numbers for each in found[0]] == [each.numbers for each in found[1]]
    assert found[0][0].windows()["1min"]["last"] == 148 % 7


@pytest.mark.parametrize("part", [1, 2, 3, 100])
def test_a_slot_may_hold_more_readings_than_are_held_at_once(
    kind: Kind, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    monkeypatch.setattr("models.statistics.loading._PART", part)
    monkeypatch.setattr("models.storage.sqlite.queries._CHUNK", part)
    readings = [(1 + number % 2, NOW - number / 10, number * 0.1) for number in range(100)]
    fill(kind, readings)
    looks: list[None] = []
    check(statistics(kind, 10_000, look=lambda: looks.append(None)).tick(NOW), round(NOW * 1000), readings)
    assert len(looks) >= 100 / part


def test_it_is_looked_whether_to_go_on_in_each_slot(kind: Kind) -> None:
    readings = [(1, NOW - number, 1.0) for number in range(30)]
    fill(kind, readings)
    looks: list[None] = []
    statistics(kind, 1_000, look=lambda: looks.append(None)).tick(NOW)
    assert len(looks) >= 30


class Spans:
    """Which spans of time PostgreSQL was asked for, in order."""

    def __init__(self, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
        self._kind = kind
        self.asked: list[tuple[float, float]] = []
        parts_of = snapshot.parts_of

        def noting(connection: PatientConnection, query: str, parameters: Sequence[Any]) -> Iterator[Any]:
            self.asked.append((parameters[0], parameters[1]))
            return parts_of(connection, query, parameters)

        monkeypatch.setattr(snapshot, "parts_of", noting)

    def read(self, after: float = -math.inf, until: float = math.inf) -> list[Row]:
        """Return the readings of a span, for which `asked` has nothing from before."""
        self.asked.clear()
        with self._kind.database.source().snapshot() as stored:
            return list(stored.timed(after, until))

    @property
    def ends(self) -> list[float]:
        """The ends of the spans, in seconds after NOW."""
        return [end - NOW for _, end in self.asked]


@pytest.fixture
def spans(postgresql: Any, monkeypatch: pytest.MonkeyPatch) -> Spans:
    return Spans(Postgresql(postgresql), monkeypatch)


def test_a_start_asks_postgresql_as_seldom_with_short_slots(spans: Spans) -> None:
    fill(spans._kind, [(1 + number % 5, NOW - 59.9 + number / 4, 1.0) for number in range(240)])
    statistics(spans._kind, 10_000).tick(NOW)
    as_often = len(spans.asked)
    spans.asked.clear()
    statistics(spans._kind, 100).tick(NOW)
    assert len(spans.asked) == as_often < 10


def test_spans_are_as_long_as_there_are_few_readings_in_them(
    spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From one second on they double, up to a minute, and where there are many they halve."""
    monkeypatch.setattr(snapshot, "_SPAN_READINGS", 8)
    times = [*range(0, 400, 20), *(400 + number / 4 for number in range(400))]
    readings = [(1, NOW + time, float(place)) for place, time in enumerate(times)]
    fill(spans._kind, readings, retention=7200.0)
    assert spans.read() == readings
    # each begins with the first reading behind the one before
    assert spans.ends == [
        *(1.0, 22.0, 44.0, 68.0, 96.0, 132.0, 200.0, 280.0, 360.0, 440.0),
        *(470.25, 485.5, 493.25, 497.25, 499.375, 501.375),
    ]


@pytest.mark.parametrize(("many", "length"), [(3, 1.0), (4, 0.5)])
def test_a_span_with_more_readings_than_it_should_have_is_followed_by_one_of_half_the_length(
    spans: Spans, monkeypatch: pytest.MonkeyPatch, many: int, length: float
) -> None:
    monkeypatch.setattr(snapshot, "_SPAN_READINGS", 3)
    fill(spans._kind, [(1, NOW + place / 8, 1.0) for place in range(many)] + [(1, NOW + 2, 1.0)])
    spans.read()
    assert spans.ends == [1.0, 2.0 + length]


@pytest.mark.parametrize(("few", "length"), [(2, 1.0), (1, 2.0)])
def test_a_span_with_few_readings_is_followed_by_one_of_twice_the_length(
    spans: Spans, monkeypatch: pytest.MonkeyPatch, few: int, length: float
) -> None:
    monkeypatch.setattr(snapshot, "_SPAN_READINGS", 4)
    fill(spans._kind, [(1, NOW + place / 8, 1.0) for place in range(few)] + [(1, NOW + 2, 1.0)])
    spans.read()
    assert spans.ends == [1.0, 2.0 + length]


@pytest.mark.parametrize(("gap", "length"), [(60.0, 4.0), (60.5, 1.0)])
def test_behind_a_gap_the_spans_begin_anew(spans: Spans, gap: float, length: float) -> None:
    """There may be many more readings than before it."""
    times = [0.0, 2.0, 4.0 + gap]
    fill(spans._kind, [(1, NOW + time, 1.0) for time in times])
    assert [time - NOW for _, time, _ in spans.read()] == times
    assert spans.ends == [1.0, 4.0, times[-1] + length]


def test_a_span_that_is_asked_for_begins_and_ends_where_it_says(spans: Spans) -> None:
    """Also where there is nothing for years."""
    times = [-1.5e9, 0.0, 1.0, 2.0, 3.0]
    fill(spans._kind, [(1, NOW + time, 1.0) for time in times], retention=1e10)
    assert [time - NOW for _, time, _ in spans.read()] == times
    assert [time - NOW for _, time, _ in spans.read(NOW, NOW + 2)] == [1.0, 2.0]
    assert [time - NOW for _, time, _ in spans.read(NOW, NOW + 1.5)] == [1.0]
    assert spans.ends == [1.5]
    assert [spans.read(NOW + 3), spans.read(NOW - 100, NOW - 1), spans.read(-math.inf, NOW - 2e9)] == [
        [],
        [],
        [],
    ]
    assert len(spans.asked) == 0
