"""The subscriber: how its parts are put together, and run until it is told to stop."""

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial

from config.settings import Settings
from config.text import printable
from jobs.prune import INTERVAL, Pruner
from jobs.publish_averages import publish_averages
from jobs.publish_metrics import publish_metrics
from jobs.publish_series import SeriesPublisher
from models.statistics.rolling import RollingStatistics
from models.storage.database import DatabaseGone, UnusableDatabase, prepare, sole_owner, writing_database
from models.storage.store import Store
from models.storage.transaction import UnreadableDatabase
from scheduler_app.errors import CommandError
from scheduler_app.intake.ingest import Ingest
from scheduler_app.intake.redelivery import Redeliveries
from scheduler_app.intake.writer import Writer
from scheduler_app.log import LogLimit, attempt, log_unexpected
from scheduler_app.mqtt.client import IngestSession
from scheduler_app.publishing.stats_publisher import Outlet
from scheduler_app.runtime.lifecycle import StopSignal, background, role, serve
from scheduler_app.runtime.locked_database import when_unlocked
from scheduler_app.runtime.scheduler import Every, Scheduler
from scheduler_app.subscriber.monitor import Monitor, Reader, last_presence
from scheduler_app.subscriber.plans import open_catalog, rolling_statistics
from scheduler_app.subscriber.retention import Ageing
from scheduler_app.subscriber.subscriptions import Subscriptions

# What becomes of readings whose file is gone.
_WHAT_THEN = (
    "What has come since then is not acknowledged, and comes again; what was stored before is in the file "
    "that was there. Start again, to go on with what is there now"
)


def run_subscriber(options: argparse.Namespace, settings: Settings) -> None:
    """Store readings, publish statistics and prune. Raises CommandError."""
    with ExitStack() as stack:
        stop = stack.enter_context(role(options))
        store = Store(writing_database(settings.db_file))
        try:
            when_unlocked(lambda: prepare(settings.db_file), stop)
            stack.enter_context(sole_owner(settings.db_file))
            redeliveries = Redeliveries(when_unlocked(store.deliveries, stop))
            catalog = when_unlocked(lambda: open_catalog(settings, store), stop)
            subscriptions = when_unlocked(lambda: Subscriptions(settings.streams, store), stop)
            present_until = last_presence(settings.db_file)
            store.close()
        except UnusableDatabase as error:
            raise CommandError(str(error)) from None

        statistics = rolling_statistics(settings, catalog)
        session = IngestSession(settings, subscriptions.wanted, unsubscribe=subscriptions.unwanted)
        writer = Writer(settings, store, redeliveries, catalog, statistics.feed)
        ingest = Ingest(session, writer, present_until=present_until)
        session.when_subscribed = partial(ingest.submit, subscriptions.settle)
        statistics.when_loaded = lambda newest: ingest.submit(partial(catalog.learn, newest))
        monitor = Monitor(settings.db_file, ingest, session, catalog, statistics)
        outlet = Outlet(settings)
        errors = LogLimit()
        series_publisher = SeriesPublisher(
            outlet.publish_series,
            lambda name: log_unexpected(errors, "publishing the statistics of a series", printable(name)),
        )
        ageing = Ageing(
            Pruner(store, catalog),
            max(stream.retention for stream in settings.streams) + 2 * INTERVAL,
            outlet,
            submit=ingest.submit,
            when_removed=statistics.remove,
        )

        windows = [window.name for window in settings.windows]
        tick = _tick(store, ingest, statistics, windows, monitor, outlet, series_publisher, errors)
        scheduler = Scheduler()

        def begin_publishing() -> None:
            series_publisher.publish_all_anew()
            scheduler.run_soon("statistics")

        scheduler.add("statistics", tick, Every(settings.stats_interval))
        scheduler.add("prune", ageing.begin, Every(INTERVAL))
        thread = stack.enter_context(
            background("ingest", partial(_take_in, ingest, store, stop), ingest.stop, stop)
        )
        scheduler.start()
        stack.callback(outlet.stop)
        stack.callback(scheduler.shutdown)
        stack.callback(ingest.stop)  # at once, so that both connections end at the same time
        outlet.start(on_connect=begin_publishing)
        serve(stop, lambda: thread.is_alive() and session.subscribed and ingest.stores, settings.health_file)


def _take_in(ingest: Ingest, store: Store, stop: StopSignal) -> None:
    """Run `ingest` in this thread. What it has in memory belongs to its file: without that it ends."""
    with closing(store):  # by the thread that opened it
        try:
            ingest.run()
        except DatabaseGone as error:
            stop.request(failure=f"{error}. {_WHAT_THEN}")


def _tick(  # noqa: PLR0917
    store: Store,
    ingest: Ingest,
    statistics: RollingStatistics,
    windows: Sequence[str],
    monitor: Monitor,
    outlet: Outlet,
    series_publisher: SeriesPublisher,
    errors: LogLimit,
) -> Callable[[], None]:
    """Return the job that publishes all there is to publish; what fails keeps nothing else from going out."""
    reader = Reader()

    def succeeds(what: str, work: Callable[[], object]) -> bool:
        with reader.told():
            return attempt(errors, what, work, but=(UnreadableDatabase,))
        return False

    def tick() -> None:
        if store.file_may_be_gone:
            ingest.submit(store.check_file)
            return
        taken = succeeds("taking the statistics", lambda: statistics.advance(time.time()))
        if taken:
            succeeds(
                "publishing the averages",
                lambda: publish_averages(statistics, windows, outlet.publish_averages),
            )
        succeeds(
            "publishing the counters",
            lambda: publish_metrics(monitor.counters, monitor.present, outlet.publish_metrics, time.time),
        )
        if taken:
            succeeds("publishing the series", lambda: series_publisher.publish(statistics))

    return tick
