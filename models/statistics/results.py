"""What the statistics of all series are at a tick."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat

from models.statistics.content import Number
from models.statistics.plan import Plan
from models.statistics.series import SeriesStatistics, coverage
from models.statistics.tick import SeriesResult


def results(
    everything: Iterable[SeriesStatistics], at: float, when_failed: Callable[[str], object]
) -> Iterator[SeriesResult]:
    """Yield the statistics of each series at a tick (UTC epoch seconds), unless all its readings are too old.

    Series of one plan come one after the other. `when_failed` gets the name of one while an error is handled
    that its formulas have raised: whatever is wrong with one, the others have theirs.
    """
    by_plan: defaultdict[Plan, list[SeriesStatistics]] = defaultdict(list)
    for series in everything:
        if series.newest.time > at - series.known.retention:
            by_plan[series.plan].append(series)
    for plan, alike in by_plan.items():
        if plan.of_sums is not None:
            names, newest = [each.name for each in alike], [each.newest for each in alike]
            yield from map(
                SeriesResult, names, newest, repeat(plan), zip(*_columns(plan, alike, at), strict=True)
            )
            continue
        for series in alike:
            try:
                numbers = series.numbers(at)
            except Exception:  # noqa: BLE001
                when_failed(series.name)
            else:
                yield SeriesResult(series.name, series.newest, plan, numbers)


def _columns(plan: Plan, alike: Sequence[SeriesStatistics], at: float) -> Iterator[Sequence[Number]]:
    """Yield what `numbers` of each series would be, a column for each number: several times as quick."""
    sums = alike[0].sums  # those of one plan have the same
    ids = [each.id for each in alike]
    ages = [at - each.known.since for each in alike]
    for window, seconds in enumerate(plan.seconds):
        counts = sums.counts_in(window, ids)
        yield counts
        yield [1.0 if age >= seconds else coverage(age, seconds) for age in ages]
        for of_sums in plan.of_sums or ():
            yield of_sums(sums, window, ids, counts)
