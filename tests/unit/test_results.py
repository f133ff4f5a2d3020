"""What many series are at a tick, taken together: the same as each by itself."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.statistics.all_series import AllSeries, Layout
from models.statistics.exact import ExactSum
from models.statistics.grid import Grid
from models.statistics.plan import Plan
from models.statistics.results import results
from models.statistics.rules import Rules
from models.statistics.series import SeriesStatistics
from tests.unit.one_window import NOW, Known
from tests.unit.rolling import fail

WINDOWS = (("1min", 60_000), ("5min", 300_000))
GRID = Grid([10_000])
VALUES = st.floats(-1e6, 1e6) | st.sampled_from([1.7e308, -1.7e308, 5e-324, 0.1])
# Of each reading: which series, how many seconds before NOW, and the value.
READINGS = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 400), VALUES), max_size=20)


def everything_of(readings: Sequence[tuple[int, int, float]], plan: Plan) -> AllSeries:
    """Return three series, of which the first has begun two minutes ago, the others long before."""
    known = {number: Known(str(number), NOW - (120 if number == 1 else 4000)) for number in (1, 2, 3)}
    layout = Layout(GRID, WINDOWS, 0, lambda number: (known[number], plan))
    everything = AllSeries(layout, GRID.last_slot(NOW))
    for number, age, value in readings:
        series = everything.find(number)
        assert series is not None
        everything.add(series, [NOW - age], [value])
    everything.enter()
    return everything


@pytest.mark.parametrize("statistics", [["avg"], ["count"], ["count", "avg"]])
@given(READINGS)
def test_many_series_taken_together_have_the_numbers_that_each_has_by_itself(
    statistics: Sequence[str], readings: Sequence[tuple[int, int, float]]
) -> None:
    everything = everything_of(readings, Plan(WINDOWS, statistics))
    found = list(results(everything.by_id.values(), NOW, fail))
    assert [each.series for each in found] == [series.name for series in everything.by_id.values()]
    for each, series in zip(found, everything.by_id.values(), strict=True):
        assert each.numbers == series.numbers(NOW)
        assert each.newest == series.newest


@given(st.lists(VALUES, min_size=1, max_size=5), st.lists(VALUES, max_size=5))
def test_averages_taken_together_are_right_also_where_a_sum_is_no_float(
    some: Sequence[float], others: Sequence[float]
) -> None:
    """One whose sum is no float, or that is so small that no scale is one, changes nothing for the others."""
    readings = [(2, 30, value) for value in some] + [(3, 30, value) for value in others]
    found = results(everything_of(readings, Plan(WINDOWS, ["avg"])).by_id.values(), NOW, fail)
    averages = [each.windows()["1min"]["avg"] for each in found]
    assert averages == [mean(each) for each in (some, others) if each]


def mean(values: Sequence[float]) -> float:
    total = ExactSum()
    for value in values:
        total.add_float(value)
    return total.mean(len(values))


@pytest.mark.parametrize(
    ("statistics", "rules", "together"),
    [
        (["avg"], Rules(), True),
        (["avg"], Rules(hold=60.0), False),
        (["avg", "sum"], Rules(), False),
        (["avg", "max"], Rules(), False),
    ],
)
def test_series_are_taken_together_where_sums_tell_all(
    statistics: Sequence[str], rules: Rules, together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_itself: list[str] = []
    monkeypatch.setattr(
        SeriesStatistics,
        "numbers",
        lambda self, at: by_itself.append(self.name) or (),  # type: ignore[func-returns-value]
    )
    everything = everything_of([(1, 30, 1.0), (2, 30, 2.0)], Plan(WINDOWS, statistics, rules))
    assert len(list(results(everything.by_id.values(), NOW, fail))) == 2
    assert by_itself == ([] if together else ["1", "2"])


def test_series_of_two_plans_have_each_its_own() -> None:
    plans = {1: Plan(WINDOWS, ["avg"]), 2: Plan(WINDOWS[:1], ["max"]), 3: Plan(WINDOWS, ["avg"])}
    layout = Layout(GRID, WINDOWS, 0, lambda number: (Known(str(number)), plans[number]))
    everything = AllSeries(layout, GRID.last_slot(NOW))
    for number in plans:
        series = everything.find(number)
        assert series is not None
        everything.add(series, [NOW - 5.0], [float(number)])
    everything.enter()
    found = {each.series: each.windows() for each in results(everything.by_id.values(), NOW, fail)}
    whole = {"count": 1, "coverage": 1.0}
    assert found == {
        "1": {"1min": {**whole, "avg": 1.0}, "5min": {**whole, "avg": 1.0}},
        "2": {"1min": {**whole, "max": 2.0}},
        "3": {"1min": {**whole, "avg": 3.0}, "5min": {**whole, "avg": 3.0}},
    }
