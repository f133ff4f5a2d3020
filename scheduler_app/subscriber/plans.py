"""Which series there are, and what is computed of each, by the settings."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from config.quantities import Window, whole_milliseconds
from config.settings import Settings
from config.streams import DEFAULT_STATISTICS, Stream, stream_of_series
from config.topics import shared_levels
from models.catalog import Catalog, SeriesRow
from models.statistics.all_series import Layout
from models.statistics.grid import Grid
from models.statistics.hand_over import HandOver
from models.statistics.loading import Source
from models.statistics.plan import Plan
from models.statistics.rolling import RollingStatistics
from models.storage.interface import WritingStore
from scheduler_app.publishing.topics import unpublishable_name


def open_catalog(settings: Settings, store: WritingStore) -> Catalog:
    """Return the series that are stored, kept as long as their streams say now. Raises StoreUnavailable.

    One that no stream names any more is kept as long as it was to be, until its readings age out.
    """
    rows, changed = [], {}
    for row in store.series():
        stream = stream_of_series(settings.streams, row.name, row.topic, row.field)
        retention = row.retention if stream is None else stream.retention
        if retention != row.retention:
            changed[row.id] = retention
        rows.append(row._replace(retention=retention))
    if changed:
        store.set_retentions(changed)
    # what all topics have in common sets none of them apart
    branch_levels = shared_levels(stream.topic for stream in settings.streams) + 1
    return Catalog(rows, settings.max_series, branch_levels, partial(unpublishable_name, settings))


def rolling_statistics(
    settings: Settings,
    source: Source,
    catalog: Catalog,
    hand_over: HandOver,
    *,
    when_loaded: Callable[[Mapping[int, float]], object],
    when_failed: Callable[[str], object],
    look: Callable[[], object],
) -> RollingStatistics:
    """Return the statistics that the settings ask for. Nothing is opened yet.

    `when_loaded`, `when_failed` and `look` are described at RollingStatistics.
    """
    overall = _named(settings.windows)
    ahead = whole_milliseconds(settings.max_clock_skew)
    every = whole_milliseconds(settings.stats_interval)
    lengths = [window.milliseconds for stream in settings.streams for window in stream.windows]
    # One for each stream, which all of its series share; for series that no stream names any more, one more.
    plans = {stream.topic: _plan(stream) for stream in settings.streams}
    default = Plan(_named(settings.windows), DEFAULT_STATISTICS)

    def look_up(series: int) -> tuple[SeriesRow, Plan] | None:
        row = catalog.row(series)
        if row is None:
            return None
        stream = stream_of_series(settings.streams, row.name, row.topic, row.field)
        return row, default if stream is None else plans[stream.topic]

    grid = Grid([length for _, length in overall] + [*lengths, ahead, every])
    return RollingStatistics(
        source,
        hand_over,
        Layout(grid, overall, ahead, look_up),
        when_loaded=when_loaded,
        when_failed=when_failed,
        look=look,
    )


def _plan(stream: Stream) -> Plan:
    return Plan(_named(stream.windows), stream.statistics, stream.rules, overall=stream.overall)


def _named(windows: Iterable[Window]) -> tuple[tuple[str, int], ...]:
    """Return the name and the milliseconds of each window."""
    return tuple((window.name, window.milliseconds) for window in windows)
