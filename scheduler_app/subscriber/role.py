"""The subscriber: how its parts are put together, and run until it is told to stop."""

import argparse
import sys
import time
from contextlib import ExitStack, closing, suppress
from functools import partial

from config.settings import Settings
from config.text import printable
from jobs.prune import INTERVAL, Pruner
from jobs.sum_up import SummingUp
from jobs.tick import tick
from models.statistics.hand_over import HandOver
from models.storage.errors import DatabaseGone, TakenOver, UnreadableDatabase, UnusableDatabase
from models.storage.interface import Database, WritingStore
from scheduler_app.errors import CommandError
from scheduler_app.intake.ingest import Ingest
from scheduler_app.intake.redelivery import Redeliveries
from scheduler_app.log import LogLimit, attempt, log_unexpected
from scheduler_app.publishing.home_assistant.publisher import SEND_INTERVAL
from scheduler_app.publishing.presence import Presence
from scheduler_app.runtime.chosen_database import chosen_database
from scheduler_app.runtime.lifecycle import Stopped, StopSignal, background, role, serve
from scheduler_app.runtime.locked_database import when_unlocked
from scheduler_app.runtime.scheduler import Every, Scheduler
from scheduler_app.subscriber.monitor import Monitor, ReadErrors, last_presence, tell_what_is_used
from scheduler_app.subscriber.outlets import Outlets
from scheduler_app.subscriber.plans import open_catalog, rolling_statistics
from scheduler_app.subscriber.reception import Opened, reception
from scheduler_app.subscriber.retention import Retention
from scheduler_app.subscriber.subscriptions import Subscriptions
from scheduler_app.subscriber.troubles import LOOK_INTERVAL, Troubles

# Seconds after which a thread that computes lets another go on. SQLite lets go of the interpreter some ten
# times in a commit, and would each time wait for a tick or a publication as long as this: 5 ms by default.
SWITCH_INTERVAL = 0.0005
# What becomes of readings whose file is gone.
_WHAT_THEN = (
    "What has come since then is not acknowledged, and comes again; what was stored before is in the file "
    "that was there. Start again, to go on with what is there now"
)


def run_subscriber(options: argparse.Namespace, settings: Settings) -> None:
    """Store readings, publish statistics and prune. Raises CommandError."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    with ExitStack() as stack:
        stop = stack.enter_context(role(options))
        database = chosen_database(settings)
        opened = _open(database, settings, stack, stop)
        store, catalog = opened.store, opened.catalog
        tell_what_is_used(settings, database)

        hand_over = HandOver()
        session, writer, ingest = reception(settings, opened, hand_over.feed)
        errors = LogLimit()
        statistics = rolling_statistics(
            settings,
            database.source(),
            catalog,
            hand_over,
            when_loaded=lambda newest: ingest.submit(partial(catalog.learn, newest)),
            when_failed=lambda name: log_unexpected(errors, "the statistics of a series", printable(name)),
            look=stop.look,
        )

        read_errors = ReadErrors()
        presence = Presence(settings, beside=True)
        troubles = Troubles(session, presence, storing=lambda: ingest.trouble)
        monitor = Monitor(
            database,
            ingest,
            session,
            catalog,
            unmatched=lambda: writer.unmatched,
            trouble=lambda: troubles.text,
            read_errors=read_errors,
        )
        outlets = Outlets(settings, presence, monitor.metrics, catalog.named, errors)

        retention = Retention(
            Pruner(store, catalog),
            max(stream.retention for stream in settings.streams) + 2 * INTERVAL,
            take_back=outlets.publishers.series_gone,
            submit=ingest.submit,
            when_removed=hand_over.remove,
        )
        summing = store.summing
        summing_up = None if summing is None else SummingUp(summing, catalog, statistics.grid)
        scheduler = Scheduler()

        @read_errors.round()
        def run_tick() -> None:
            if store.file_may_be_gone:
                ingest.submit(store.check_file)
                return
            with suppress(Stopped), read_errors.told():
                take = partial(tick, statistics.tick, outlets.publishers.publish, time.time)
                if attempt(errors, "taking the statistics", take, but=(UnreadableDatabase, Stopped)):
                    if summing_up is not None:
                        sum_up = partial(summing_up.begin, time.time(), statistics, ingest.submit)
                        attempt(errors, "summing up what has ended", sum_up)
                    return
            outlets.stats.publish_metrics()  # what has become of the messages is told all the same

        def begin_publishing() -> None:
            outlets.publishers.connected()
            scheduler.run_soon("statistics")

        every = Every(settings.stats_interval)
        scheduler.add("statistics", run_tick, every, may_miss=lambda: not hand_over.loaded)
        scheduler.add("prune", retention.begin, Every(INTERVAL))
        scheduler.add("troubles", troubles.look, Every(LOOK_INTERVAL))
        thread = stack.enter_context(
            background("ingest", partial(_take_in, ingest, store, stop), ingest.stop, stop)
        )
        scheduler.start()
        stack.callback(presence.stop)
        if outlets.home_assistant is not None:
            scheduler.add("home assistant", outlets.home_assistant.send, Every(SEND_INTERVAL), may_miss=True)
            stack.callback(outlets.home_assistant.stop)
            outlets.home_assistant.start()
        stack.callback(scheduler.shutdown)
        stack.callback(ingest.stop)  # at once, so that both connections end at the same time
        presence.start(on_connect=begin_publishing)
        serve(stop, lambda: thread.is_alive() and ingest.stores and not troubles.grave, settings.health_file)


def _open(database: Database, settings: Settings, stack: ExitStack, stop: StopSignal) -> Opened:
    """Open the database, which is ours alone from then on. Raises CommandError."""
    store = database.writing_store(settings.client_id)
    try:
        when_unlocked(database.prepare, stop)
        stack.enter_context(database.sole_owner())
        opened = Opened(
            store,
            Redeliveries(when_unlocked(store.deliveries, stop)),
            when_unlocked(lambda: open_catalog(settings, store), stop),
            when_unlocked(lambda: Subscriptions(settings.streams, store), stop),
            when_unlocked(lambda: last_presence(database), stop),
        )
        store.change_thread()
    except (UnusableDatabase, UnreadableDatabase) as error:
        raise CommandError(str(error)) from None
    return opened


def _take_in(ingest: Ingest, store: WritingStore, stop: StopSignal) -> None:
    """Run `ingest` in this thread. What it has in memory belongs to its file: without that it ends."""
    with closing(store):  # by the thread that opened it
        try:
            ingest.run()
        except TakenOver as error:
            stop.request(failure=str(error))
        except DatabaseGone as error:
            stop.request(failure=f"{error}. {_WHAT_THEN}")
