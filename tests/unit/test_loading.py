"""How the statistics begin where readings come one by one, as they do from a database without sums."""

import math
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.statistics import loading
from models.statistics.all_series import AllSeries, Layout
from models.statistics.grid import Grid
from models.statistics.loading import SummedReadings, load
from models.statistics.plan import Plan
from models.statistics.results import results
from models.statistics.rules import Rules
from models.statistics.series import SeriesStatistics
from tests.unit.one_window import ALL, NOW, Known
from tests.unit.rolling import fail

WINDOWS = (("1min", 60_000), ("10s", 10_000))
GRID = Grid([10_000, 5_000])
AHEAD = 30_000
PLANS = {
    1: Plan(WINDOWS, ["avg"]),
    2: Plan(WINDOWS[1:], ["avg", "sum"], overall=False),
    3: Plan(WINDOWS, ALL, Rules(hold=30.0, reach=100.0)),
}
# Series, seconds after NOW, value.
Row = tuple[int, float, float]
ROWS = st.lists(
    st.tuples(
        st.sampled_from(sorted(PLANS)),
        st.integers(-120, 30).map(float) | st.floats(-120, 30),
        st.floats(-1e6, 1e6) | st.sampled_from([1.7e308, 5e-324, 0.1]),
    ),
    max_size=20,
).map(lambda rows: sorted(rows, key=lambda row: row[1]))


class OneByOne:
    """Readings that are stored, in the order of time, without sums; and which spans were asked for."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self.series = sorted({series for series, _, _ in rows})
        self.asked: list[tuple[float, float]] = []

    def latest_sequence(self) -> int:
        return len(self._rows)

    def timed(self, after: float, until: float = math.inf) -> Iterator[tuple[int, float, float]]:
        self.asked.append((after, until))
        for series, seconds, value in self._rows:
            if after < NOW + seconds <= until:
                yield series, NOW + seconds, value


def nothing() -> AllSeries:
    layout = Layout(GRID, WINDOWS, AHEAD, lambda number: (Known(str(number)), PLANS[number]))
    return AllSeries(layout, GRID.last_slot(NOW))


def loaded(rows: Sequence[Row], look: Callable[[], object] = lambda: None) -> AllSeries:
    everything = nothing()
    load(everything, OneByOne(rows), look)
    return everything


def test_these_readings_come_without_sums() -> None:
    assert not isinstance(OneByOne([]), SummedReadings)


@given(ROWS, st.sampled_from([1, 2, 3, 100_000]))
def test_what_is_loaded_is_what_would_be_there_had_each_reading_been_fed(
    rows: Sequence[Row], part: int
) -> None:
    fed = nothing()
    for number, seconds, value in rows:
        series = fed.find(number)
        assert series is not None
        fed.add(series, [NOW + seconds], [value])
    fed.enter()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loading, "_PART", part)
        everything = loaded(rows)
    assert everything.overall.averages() == fed.overall.averages()
    found = {each.series: each for each in results(everything.by_id.values(), NOW, fail)}
    expected = {each.series: each for each in results(fed.by_id.values(), NOW, fail)}
    assert found == expected
    assert {number: series.newest for number, series in everything.by_id.items()} == {
        number: series.newest for number, series in fed.by_id.items()
    }


def test_no_more_readings_are_held_at_once_than_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slot of time may have millions of them."""
    added: list[tuple[int, int]] = []
    add = SeriesStatistics.add

    def noted(series: SeriesStatistics, slot: int, values: Sequence[float]) -> Sequence[float]:
        added.append((slot, len(values)))
        return add(series, slot, values)

    monkeypatch.setattr(SeriesStatistics, "add", noted)
    monkeypatch.setattr(loading, "_PART", 3)
    loaded([(1, -9.0, 1.0), (1, -5.0, 1.0), *[(1, -2.0, 1.0)] * 8])
    last = GRID.slot(NOW)
    assert added == [(last - 1, 2), (last, 3), (last, 3), (last, 2)]


def test_what_lies_in_windows_is_read_once_and_what_is_older_only_where_there_is_nothing_else() -> None:
    stored = OneByOne([(1, -2000.0, 1.0), (1, -2.0, 1.0)])
    load(nothing(), stored, lambda: None)
    assert stored.asked == [(NOW - 60, math.inf)]
    stored = OneByOne([(2, -2000.0, 1.0), (1, -2.0, 1.0)])
    load(nothing(), stored, lambda: None)
    assert stored.asked == [(NOW - 60, math.inf), (-math.inf, NOW - 60)]


def test_it_is_looked_whether_to_go_on_at_each_slot_and_while_older_readings_are_read() -> None:
    looks: list[None] = []
    everything = nothing()
    load(everything, OneByOne([(1, -12.0, 1.0), (1, -7.0, 1.0), (1, -2.0, 1.0)]), lambda: looks.append(None))
    assert len(looks) == 3

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        loaded([(1, -90.0, 1.0)], stop)
