"""Which series there are, and what is computed of each, by the settings."""

from functools import partial

from config.quantities import whole_milliseconds
from config.settings import Settings
from config.streams import DEFAULT_STATISTICS, stream_of
from config.topics import shared_levels
from models.catalog import Catalog, SeriesRow
from models.statistics.grid import Grid
from models.statistics.rolling import Plan, RollingStatistics
from models.storage.connection import reading_database
from models.storage.store import Store
from scheduler_app.publishing.stats_publisher import unpublishable_name


def open_catalog(settings: Settings, store: Store) -> Catalog:
    """Return the series that are stored, kept as long as their streams say now. Raises StoreUnavailable.

    One that no stream names any more is kept as long as it was to be, until its readings age out.
    """
    rows = []
    for row in store.series():
        stream = stream_of(settings.streams, row.topic)
        retention = row.retention if stream is None else stream.retention
        if retention != row.retention:
            store.set_retention(row.id, retention)
        rows.append(row._replace(retention=retention))
    # what all topics have in common sets none of them apart
    branch_levels = shared_levels(stream.topic for stream in settings.streams) + 1
    return Catalog(rows, settings.max_series, branch_levels, partial(unpublishable_name, settings))


def rolling_statistics(settings: Settings, catalog: Catalog) -> RollingStatistics:
    """Return the statistics that the settings ask for. Nothing is opened yet."""
    pooled = [window.milliseconds for window in settings.windows]
    ahead = whole_milliseconds(settings.max_clock_skew)
    every = whole_milliseconds(settings.stats_interval)
    lengths = [window.milliseconds for stream in settings.streams for window in stream.windows]

    def plan_of(row: SeriesRow) -> Plan:
        stream = stream_of(settings.streams, row.topic)
        windows = settings.windows if stream is None else stream.windows
        statistics = DEFAULT_STATISTICS if stream is None else stream.statistics
        return Plan(tuple((window.name, window.milliseconds) for window in windows), statistics)

    return RollingStatistics(
        reading_database(settings.db_file),
        catalog,
        plan_of=plan_of,
        pooled=pooled,
        ahead=ahead,
        grid=Grid([*pooled, *lengths, ahead, every]),
    )
