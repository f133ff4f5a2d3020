"""Readings put into a database in a few words, as a writer would."""

from collections.abc import Sequence

from models.catalog import Catalog, SeriesRow
from models.storage.store import Batch, NewReading, Store, Stored

RETENTION = 2100.0


def series_row(number: int, name: str = "DATA", since: float = 0, retention: float = RETENTION) -> SeriesRow:
    """Return a series that is the whole of its topic."""
    return SeriesRow(number, name, name, "", since, retention)


def catalog_of(store: Store, limit: int = 1000) -> Catalog:
    """Return the series that are stored."""
    return Catalog(store.series(), limit)


def add(
    store: Store, *times: float, series: str = "DATA", retention: float = RETENTION, value: float = 1
) -> Stored:
    """Store readings at these times, in a transaction; the series begins with the first of them."""
    return add_all(store, [(series, time, value) for time in times], retention)


def add_all(
    store: Store, readings: Sequence[tuple[str, float, float]], retention: float = RETENTION
) -> Stored:
    """Store readings (series, time, value) in a transaction; series that are not there begin with it."""
    catalog = catalog_of(store)
    batch = Batch()
    for name, time, value in readings:
        number = catalog.find(name)
        if number is None:
            row = catalog.begin(name, "", time, retention)
            batch.series.append(row)
            number = row.id
        batch.readings.append(NewReading(time, number, value))
    return store.add(batch)
