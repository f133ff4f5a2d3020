"""The subscriber: how its parts are put together, and run until it is told to stop."""

import argparse
import time
from contextlib import ExitStack, closing
from functools import partial

from config.settings import Settings
from config.text import printable
from jobs.prune import INTERVAL, Pruner
from jobs.tick import tick
from models.statistics.hand_over import HandOver
from models.storage.connection import writing_database
from models.storage.errors import DatabaseGone, UnreadableDatabase, UnusableDatabase
from models.storage.opening import prepare
from models.storage.ownership import sole_owner
from models.storage.store import Store
from scheduler_app.errors import CommandError
from scheduler_app.intake.ingest import Ingest
from scheduler_app.intake.redelivery import Redeliveries
from scheduler_app.intake.writer import Writer
from scheduler_app.log import LogLimit, attempt, log_unexpected
from scheduler_app.mqtt.ingest_session import IngestSession
from scheduler_app.mqtt.numbering import find_out_numbering
from scheduler_app.publishing.presence import Presence
from scheduler_app.publishing.publisher import Publishers
from scheduler_app.publishing.stats_publisher import StatsPublisher
from scheduler_app.publishing.topics import numbering_topic
from scheduler_app.runtime.lifecycle import StopSignal, background, role, serve
from scheduler_app.runtime.locked_database import when_unlocked
from scheduler_app.runtime.scheduler import Every, Scheduler
from scheduler_app.subscriber.monitor import Monitor, ReadErrors, last_presence
from scheduler_app.subscriber.plans import open_catalog, rolling_statistics
from scheduler_app.subscriber.retention import Retention
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
        store = Store(writing_database(settings.db_file), settings.client_id)
        try:
            when_unlocked(lambda: prepare(settings.db_file), stop)
            stack.enter_context(sole_owner(settings.db_file))
            redeliveries = Redeliveries(when_unlocked(store.deliveries, stop))
            catalog = when_unlocked(lambda: open_catalog(settings, store), stop)
            subscriptions = when_unlocked(lambda: Subscriptions(settings.streams, store), stop)
            present_until = when_unlocked(lambda: last_presence(settings.db_file), stop)
            store.close()
        except (UnusableDatabase, UnreadableDatabase) as error:
            raise CommandError(str(error)) from None

        hand_over = HandOver()
        session = IngestSession(settings, subscriptions.wanted, unsubscribe=subscriptions.unwanted)
        writer = Writer(settings, store, redeliveries, catalog, hand_over.feed)
        ingest = Ingest(
            session,
            writer,
            present_until=present_until,
            find_out_numbering=partial(find_out_numbering, settings, numbering_topic(settings)),
        )
        session.when_subscribed = partial(ingest.submit, subscriptions.settle)
        errors = LogLimit()
        statistics = rolling_statistics(
            settings,
            catalog,
            hand_over,
            when_loaded=lambda newest: ingest.submit(partial(catalog.learn, newest)),
            when_failed=lambda name: log_unexpected(errors, "the statistics of a series", printable(name)),
        )

        read_errors = ReadErrors()
        monitor = Monitor(settings.db_file, ingest, session, catalog, read_errors=read_errors)
        presence = Presence(settings)
        stats_publisher = StatsPublisher(settings, presence, monitor.metrics)
        publishers = Publishers([stats_publisher], errors)

        retention = Retention(
            Pruner(store, catalog),
            max(stream.retention for stream in settings.streams) + 2 * INTERVAL,
            take_back=publishers.series_gone,
            submit=ingest.submit,
            when_removed=hand_over.remove,
        )
        scheduler = Scheduler()

        def run_tick() -> None:
            if store.file_may_be_gone:
                ingest.submit(store.check_file)
                return
            with read_errors.told():
                take = partial(tick, statistics.tick, publishers.publish, time.time)
                if attempt(errors, "taking the statistics", take, but=(UnreadableDatabase,)):
                    return
            stats_publisher.publish_metrics()  # what has become of the messages is told all the same

        def begin_publishing() -> None:
            publishers.connected()
            scheduler.run_soon("statistics")

        scheduler.add("statistics", run_tick, Every(settings.stats_interval))
        scheduler.add("prune", retention.begin, Every(INTERVAL))
        thread = stack.enter_context(
            background("ingest", partial(_take_in, ingest, store, stop), ingest.stop, stop)
        )
        scheduler.start()
        stack.callback(presence.stop)
        stack.callback(scheduler.shutdown)
        stack.callback(ingest.stop)  # at once, so that both connections end at the same time
        presence.start(on_connect=begin_publishing)
        serve(stop, lambda: thread.is_alive() and session.subscribed and ingest.stores, settings.health_file)


def _take_in(ingest: Ingest, store: Store, stop: StopSignal) -> None:
    """Run `ingest` in this thread. What it has in memory belongs to its file: without that it ends."""
    with closing(store):  # by the thread that opened it
        try:
            ingest.run()
        except DatabaseGone as error:
            stop.request(failure=f"{error}. {_WHAT_THEN}")
