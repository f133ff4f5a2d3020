"""`manage.py subscriber`: stores the readings, publishes their averages, prunes."""

import argparse
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from scheduler_app.management import SUBSCRIBER_SETTINGS, BaseCommand, CommandError

if TYPE_CHECKING:
    from config.settings import Settings


class Command(BaseCommand):
    help = "Store the readings on TOPIC and publish their rolling averages on STATS_TOPIC."
    settings = (*SUBSCRIBER_SETTINGS, "health_file")
    is_role = True

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from jobs import prune
        from jobs.publish_averages import publish_averages
        from jobs.publish_metrics import publish_metrics
        from models.database import UnusableDatabase, prepare, reading_database, sole_owner, writing_database
        from models.rolling import RollingAverages
        from models.store import Store
        from scheduler_app.ingest import Ingest
        from scheduler_app.lifecycle import background, role, serve
        from scheduler_app.locked_database import when_unlocked
        from scheduler_app.monitor import Monitor
        from scheduler_app.mqtt import IngestSession
        from scheduler_app.outlet import Outlet
        from scheduler_app.redelivery import Redeliveries
        from scheduler_app.scheduler import Every, Scheduler
        from scheduler_app.writer import Writer

        with ExitStack() as stack:
            stop = stack.enter_context(role(options))
            store = Store(writing_database(settings.db_file))
            try:
                when_unlocked(lambda: prepare(settings.db_file), stop)
                stack.enter_context(sole_owner(settings.db_file))
                redeliveries = Redeliveries(when_unlocked(store.deliveries, stop))
                store.close()
            except UnusableDatabase as error:
                raise CommandError(str(error)) from None

            session = IngestSession(settings)
            ingest = Ingest(session, Writer(settings, store, redeliveries))
            averages = RollingAverages(
                reading_database(settings.db_file),
                [window.seconds for window in settings.windows],
                settings.max_clock_skew,
            )
            clock = prune.SteadyClock(settings.retention + 2 * prune.INTERVAL)
            clock.now(time.time(), time.monotonic())  # from now on it knows a jump when it sees one
            monitor = Monitor(settings.db_file, ingest, session)
            outlet = Outlet(settings)
            scheduler = Scheduler()
            scheduler.add(
                "averages",
                publish_averages,
                Every(settings.stats_interval),
                averages=averages,
                names=[window.name for window in settings.windows],
                publish=outlet.publish_averages,
                now=time.time,
            )
            scheduler.add(
                "metrics",
                publish_metrics,
                Every(settings.stats_interval),
                counters=monitor.counters,
                present=monitor.present,
                publish=outlet.publish_metrics,
                now=time.time,
            )
            scheduler.add(
                "prune",
                prune.prune,
                Every(prune.INTERVAL),
                submit=ingest.submit,
                store=store,
                retention=settings.retention,
                oldest_needed=lambda: averages.oldest_needed,
                now=lambda: clock.now(time.time(), time.monotonic()),
            )

            def take_in() -> None:
                with closing(store):  # by the thread that opened it
                    ingest.run()

            thread = stack.enter_context(background("ingest", take_in, ingest.stop, stop))
            scheduler.start()
            stack.callback(outlet.stop)
            stack.callback(scheduler.shutdown)
            stack.callback(ingest.stop)  # at once, so that both connections end at the same time
            outlet.start(on_connect=lambda: scheduler.run_soon("averages", "metrics"))
            serve(stop, lambda: thread.is_alive() and session.subscribed, settings.health_file)
