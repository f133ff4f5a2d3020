"""`manage.py publisher`: a stand-in for a sensor."""

import argparse
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from scheduler_app.arguments import pause, positive
from scheduler_app.management import BROKER_SETTINGS, BaseCommand, CommandError

if TYPE_CHECKING:
    from config.settings import Settings


class Command(BaseCommand):
    help = "Publish a random number from 1 to 100 to TOPIC at random intervals."
    settings = (*BROKER_SETTINGS, "topic", "outbox_file", "health_file")
    is_role = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--min-interval", type=pause, default="1s", help="shortest pause (default: 1s)")
        parser.add_argument("--max-interval", type=pause, default="30s", help="longest pause (default: 30s)")
        parser.add_argument(
            "--count", type=positive, help="end after so many, all acknowledged (default: never)"
        )
        parser.add_argument("--seed", type=int, help="make numbers and pauses repeatable (default: random)")

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from random import Random

        from loguru import logger

        from config.topics import check_topic
        from jobs.publish_reading import ReadingIds, publish_reading
        from models.database import OUTBOX, UnusableDatabase, prepare, sole_owner, writing_database
        from models.outbox import Outbox
        from scheduler_app.lifecycle import background, role, serve, wait_until
        from scheduler_app.locked_database import when_unlocked
        from scheduler_app.mqtt import Connection
        from scheduler_app.outbox_sender import OutboxSender
        from scheduler_app.scheduler import RandomInterval, Scheduler

        if options.min_interval > options.max_interval:
            raise CommandError("--min-interval is longer than --max-interval", status=2)
        try:
            check_topic(settings.topic)
        except ValueError as error:
            raise CommandError(f"TOPIC={settings.topic} cannot be published to: {error}", status=2) from None

        with ExitStack() as stack:
            stop = stack.enter_context(role(options))
            outbox = Outbox(writing_database(settings.outbox_file))
            try:
                when_unlocked(lambda: prepare(settings.outbox_file, OUTBOX), stop)
                stack.enter_context(sole_owner(settings.outbox_file, OUTBOX))
                waiting = when_unlocked(outbox.count, stop)
                outbox.close()
            except UnusableDatabase as error:
                raise CommandError(str(error)) from None
            if waiting:
                logger.info("{} readings wait in the outbox", waiting)

            # one source each, since numbers and pauses are drawn in different threads
            numbers, pauses = Random(options.seed), Random(None if options.seed is None else options.seed + 1)
            connection = Connection(settings, "publisher")
            sender = OutboxSender(outbox, connection, waiting)
            published = 0

            def publish(payload: str) -> None:
                nonlocal published
                sender.put(settings.topic, payload)
                published += 1

            scheduler = Scheduler()
            scheduler.add(
                "publish",
                publish_reading,
                RandomInterval(options.min_interval, options.max_interval, pauses),
                times=options.count,
                publish=publish,
                random=numbers,
                next_id=ReadingIds().next,
                now=time.time,
            )
            connection.start(sender.on_connect)
            stack.callback(connection.stop)
            stack.enter_context(background("outbox", sender.run, sender.stop, stop))
            # what is on its way may still arrive; the rest waits in the outbox for the next start
            stack.callback(wait_until, lambda: sender.waiting == 0 or not connection.connected, timeout=1.0)
            scheduler.start()
            stack.callback(scheduler.shutdown)
            if options.count is None:
                serve(stop, lambda: connection.connected, settings.health_file)
            else:
                wait_until(lambda: stop.requested or (published == options.count and sender.waiting == 0))
