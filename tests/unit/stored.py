"""Readings put into a database in a few words, as a writer would."""

from collections.abc import Sequence

from models.catalog import Catalog, NewSeries, SeriesRow
from models.reading import Reading
from models.storage.batch import Batch, Stored
from models.storage.sqlite.store import Store

RETENTION = 2100.0


def series_row(number: int, name: str = "DATA", since: float = 0, retention: float = RETENTION) -> SeriesRow:
    """Return a series that is the whole of its topic."""
    return SeriesRow(number, name, name, "", since, retention)


def new_series(*rows: SeriesRow) -> NewSeries:
    """Return what a batch has that begins these series; their ids are for the store to decide."""
    new = NewSeries()
    for row in rows:
        new.add(row._replace(id=new.next_id), row.topic)
    return new


def begin(catalog: Catalog, topic: str, field: str = "", since: float = 0, retention: float = 1) -> SeriesRow:
    """Begin a series, and take it in under the next id, as if it had been stored. Raises NoSuchSeries."""
    new = NewSeries()
    catalog.begin(topic, field, since, retention, new)
    [row] = new
    stored = row._replace(id=max((known.id for known in catalog), default=0) + 1)
    catalog.add([stored])
    return stored


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
        number = catalog.find(name) or batch.series.find(name)
        if number is None:
            number = catalog.begin(name, "", time, retention, batch.series)
        batch.readings.append(Reading(number, time, value))
    return store.add(batch)
