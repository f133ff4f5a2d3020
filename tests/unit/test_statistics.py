"""There is one list of statistics, and whatever has to know them all knows exactly those."""

import json

import pytest

from models.statistics.plan import Plan
from models.statistics.registry import (
    NAMES,
    STATISTICS,
    STATISTICS_FORM,
    Statistic,
    find_statistic,
    is_statistic,
)
from scheduler_app.checks import recomputation
from scheduler_app.checks.recomputation import Given, recompute
from scheduler_app.publishing.messages import parse_series
from tests.support.reference import EXACT, agrees, reference

TIMES = [10.0, 20.0, 40.0, 50.0]
VALUES = [20.0, 26.0, 4.0, 12.0]
ALONE = {entry.name for entry in STATISTICS if isinstance(entry, Statistic)}


@pytest.mark.parametrize("name", NAMES)
def test_each_is_computed_recomputed_and_read_from_a_message(name: str) -> None:
    """docs/statistics.md is held against the same list in test_documentation."""
    assert Plan([("1min", 60_000)], [name]).names[-1] in (name, "coverage")
    expected = reference(name, 60.0, list(zip(TIMES, VALUES, strict=True)))
    assert agrees(name, recompute(name, Given(60.0, TIMES, VALUES)).value, expected, 26.0)
    window = {"count": 4, name: 1.5} if name != "count" else {"count": 4}
    message = {
        "series": "a",
        "at": 60.0,
        "sequence": 1,
        "last": {"value": 1, "time": 1},
        "windows": {"1min": window},
    }
    assert parse_series(json.dumps(message).encode(), "a").windows["1min"] == window


def test_nothing_recomputes_what_is_not_on_the_list() -> None:
    assert set(recomputation._FORMULAS) == ALONE


def test_each_is_audited_as_exactly_as_its_entry_says() -> None:
    assert {entry.name for entry in STATISTICS if entry.exact} == recomputation.EXACT == EXACT


@pytest.mark.parametrize(
    "name", ["variance", "", "p", "pp", "p100", "p1.2.3", "p1.0000001", "p٣", "P95", "avg "]
)
def test_a_name_that_is_not_on_the_list_ends_the_start_and_not_a_tick(name: str) -> None:
    assert not is_statistic(name)
    assert find_statistic(name) is None
    with pytest.raises(ValueError, match="there is no statistic"):
        Plan([("1min", 60_000)], ["avg", name])


@pytest.mark.parametrize("name", ["p0", "p5", "p99", "p99.9", "p99.999999"])
def test_any_percentile_is_a_statistic(name: str) -> None:
    found = find_statistic(name)
    assert found is not None
    assert found.needs_order


def test_the_list_reads_like_a_sentence() -> None:
    assert STATISTICS_FORM == (
        "count, sum, avg, min, max, range, stddev, median, first, last, rate, time_weighted_avg, "
        "circular_avg, or pNN such as p95 or p99.9, each once"
    )
    assert all(statistic.definition for statistic in STATISTICS)


@pytest.mark.parametrize("name", sorted(recomputation.EXACT))
def test_what_is_called_exact_is_audited_to_the_last_bit(name: str) -> None:
    assert recomputation.is_off(name, 1e-16)
    assert not recomputation.is_off(name, 0.0)
