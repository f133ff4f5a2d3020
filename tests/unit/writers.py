"""A writer with all that it needs."""

from collections.abc import Callable, Sequence

from config.settings import load_settings
from models.catalog import Catalog
from models.reading import Reading
from models.storage.sqlite.store import Store
from scheduler_app.intake.redelivery import Redeliveries
from scheduler_app.intake.writer import Writer


def writer_on(
    store: Store,
    redeliveries: Redeliveries | None = None,
    *,
    catalog: Catalog | None = None,
    feed: Callable[[Sequence[Reading], int], object] = lambda readings, sequence: None,
    subscribed: Sequence[str] = ("#",),
    **settings: str,
) -> Writer:
    """Return what a new process makes of the database; it takes every topic unless told otherwise."""
    if redeliveries is None:
        redeliveries = Redeliveries(store.deliveries())
    loaded = load_settings({"topic": "#", "retention": "35min", "max_clock_skew": "30s", **settings})
    if catalog is None:
        catalog = Catalog(store.series(), loaded.max_series)
    return Writer(loaded, store, redeliveries, catalog, feed, subscribed=subscribed)
