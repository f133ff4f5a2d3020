"""`manage.py publisher`: a stand-in for a sensor, or for many."""

import argparse
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from scheduler_app.arguments import pause, positive, rate, sensor_count
from scheduler_app.errors import CommandError
from scheduler_app.management import BROKER_SETTINGS, BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings
    from scheduler_app.runtime.scheduler import Scheduler

# Seconds between two readings of a sensor, if nothing else is asked for.
_MIN_INTERVAL, _MAX_INTERVAL = 1.0, 30.0
# Seconds between two looks at which readings are due, where there are too many sensors for a job each.
_LOOK = 0.05


class Command(BaseCommand):
    help = "Publish random numbers on TOPIC, or the wandering values of many sensors below it."
    settings = (*BROKER_SETTINGS, "topic", "outbox_file", "health_file")
    is_role = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--min-interval", type=pause, help="shortest pause between readings of a sensor (default: 1s)"
        )
        parser.add_argument(
            "--max-interval", type=pause, help="longest pause between readings of a sensor (default: 30s)"
        )
        parser.add_argument(
            "--series",
            type=sensor_count,
            metavar="N",
            help="stand in for N sensors with slowly wandering values, on TOPIC/0 to TOPIC/N-1 "
            "(default: a single one with numbers from 1 to 100, on TOPIC)",
        )
        parser.add_argument(
            "--rate",
            type=rate,
            metavar="R",
            help="publish R readings a second in total, evenly spaced, the sensors taking turns "
            "(default: random pauses)",
        )
        parser.add_argument(
            "--count",
            type=positive,
            metavar="N",
            help="end when N readings in total are published and acknowledged (default: never)",
        )
        parser.add_argument(
            "--if-one-topic",
            action="store_true",
            help="end at once, with exit status 0, where there is no single topic to publish to: TOPIC has "
            "wildcards or is a list, or a stream file says what is read",
        )
        parser.add_argument("--seed", type=int, help="make numbers and pauses repeatable (default: random)")

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from loguru import logger

        if options.if_one_topic and (set_by := meant_for_a_subscriber(settings)):
            logger.warning("{} is for sensors of your own: no random numbers are published", set_by)
            return
        check_call(options, settings.topic)
        self._run(options, settings)

    def _run(self, options: argparse.Namespace, settings: "Settings") -> None:
        from loguru import logger

        from models.storage.errors import DatabaseGone, UnusableDatabase
        from models.storage.sqlite.connection import writing_database
        from models.storage.sqlite.opening import prepare
        from models.storage.sqlite.outbox import Outbox
        from models.storage.sqlite.ownership import sole_owner
        from models.storage.sqlite.schema import OUTBOX
        from scheduler_app.mqtt.connection import Connection
        from scheduler_app.publishing.outbox_sender import OutboxSender
        from scheduler_app.runtime.lifecycle import background, role, serve, wait_until
        from scheduler_app.runtime.locked_database import when_unlocked
        from scheduler_app.runtime.scheduler import Scheduler

        with ExitStack() as stack:
            stop = stack.enter_context(role(options))
            outbox = Outbox(writing_database(settings.outbox_file, OUTBOX))
            try:
                when_unlocked(lambda: prepare(settings.outbox_file, OUTBOX), stop)
                stack.enter_context(sole_owner(settings.outbox_file, OUTBOX))
                waiting = when_unlocked(outbox.count, stop)
                outbox.close()
            except UnusableDatabase as error:
                raise CommandError(str(error)) from None
            if waiting:
                logger.info("{} readings of an earlier run wait in the outbox", waiting)

            connection = Connection(settings, "publisher")
            sender = OutboxSender(outbox, connection, waiting)
            published = 0

            def publish(topic: str, payload: str) -> None:
                nonlocal published
                sender.put(topic, payload)
                published += 1

            def send() -> None:
                with closing(outbox):  # by the thread that opened it
                    try:
                        sender.run()
                    except DatabaseGone as error:
                        stop.request(
                            failure=f"{error}. {sender.waiting} readings in it were not acknowledged yet"
                        )

            scheduler = Scheduler()
            add_job(scheduler, options, settings.topic, publish)
            connection.start(sender.on_connect)
            stack.callback(connection.stop)
            stack.enter_context(background("outbox", send, sender.stop, stop))
            # what is on its way may still arrive; the rest waits in the outbox for the next start
            stack.callback(wait_until, lambda: sender.waiting == 0 or not connection.connected, timeout=1.0)
            scheduler.start()
            stack.callback(scheduler.shutdown)
            if options.count is None:
                serve(stop, lambda: connection.connected and sender.stores, settings.health_file)
            else:
                wait_until(lambda: stop.requested or (published == options.count and sender.waiting == 0))


def meant_for_a_subscriber(settings: "Settings") -> str | None:
    """Return the setting that names more than one topic, as a subscriber takes it; None if there is none."""
    from config.text import printable

    if settings.streams_file is not None:
        return f"STREAMS_FILE={printable(str(settings.streams_file))}"
    if any(sign in settings.topic for sign in "+#,"):
        return f"TOPIC={printable(settings.topic)}"
    return None


def check_call(options: argparse.Namespace, topic: str) -> None:
    """Fill in the pauses that were not given. Raises CommandError for arguments that exclude each other."""
    from config.topics import check_topic

    if options.rate is not None and (options.min_interval, options.max_interval) != (None, None):
        raise CommandError(
            "--rate cannot be used with --min-interval or --max-interval: it sets the pauses itself", status=2
        )
    if options.min_interval is None:
        options.min_interval = _MIN_INTERVAL
    if options.max_interval is None:
        options.max_interval = _MAX_INTERVAL
    if options.min_interval > options.max_interval:
        raise CommandError("--min-interval is longer than --max-interval", status=2)
    try:
        if "," in topic:
            raise ValueError("must be a single topic")
        check_topic(topic if options.series is None else f"{topic}/{options.series - 1}")
    except ValueError as error:
        raise CommandError(f"TOPIC={topic} cannot be published to: it {error}", status=2) from None


def add_job(
    scheduler: "Scheduler", options: argparse.Namespace, topic: str, publish: Callable[[str, str], object]
) -> None:
    """Add the job that hands (topic, payload) to `publish`."""
    from functools import partial
    from itertools import islice
    from random import Random

    from jobs.publish_reading import LEAST, MOST, ReadingIds, publish_reading
    from jobs.sensors import Sensors, WanderingValues, due_at_random, due_at_rate
    from scheduler_app.runtime.scheduler import RandomInterval

    # one source each, since numbers and pauses are drawn in different threads
    numbers, pauses = Random(options.seed), Random(None if options.seed is None else options.seed + 1)
    next_id = ReadingIds().next
    if options.series is None and options.rate is None:
        scheduler.add(
            "publish",
            publish_reading,
            RandomInterval(options.min_interval, options.max_interval, pauses),
            times=options.count,
            publish=partial(publish, topic),
            random=numbers,
            next_id=next_id,
            now=time.time,
        )
        return
    count = options.series or 1
    if options.rate is not None:
        schedule = due_at_rate(options.rate, count)
    else:
        schedule = due_at_random(options.min_interval, options.max_interval, count, pauses)
    sensors = Sensors(
        islice(schedule, options.count),
        (lambda sensor: numbers.randint(LEAST, MOST))
        if options.series is None
        else WanderingValues(count, numbers).next,
        (lambda sensor, reading: publish(topic, reading))
        if options.series is None
        else (lambda sensor, reading: publish(f"{topic}/{sensor}", reading)),
        next_id,
        now=time.time,
        elapsed=time.monotonic,
    )
    # a look that is left out is made up for by the next one, which takes all readings that are due by then
    scheduler.add("publish", sensors.publish_due, RandomInterval(_LOOK, _LOOK, pauses), may_miss=True)
