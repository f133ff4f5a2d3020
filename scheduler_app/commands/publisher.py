"""`manage.py publisher`: a stand-in for a sensor."""

import argparse
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from config.quantities import parse_duration
from scheduler_app.management import BROKER_SETTINGS, BaseCommand, CommandError

if TYPE_CHECKING:
    from config.settings import Settings


class Command(BaseCommand):
    help = "Publish a random number from 1 to 100 to TOPIC at random intervals."
    settings = (*BROKER_SETTINGS, "topic", "health_file")
    is_role = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--min-interval", type=_pause, default="1s", help="shortest pause (default: 1s)")
        parser.add_argument("--max-interval", type=_pause, default="30s", help="longest pause (default: 30s)")
        parser.add_argument(
            "--count", type=_positive, help="end after so many, all acknowledged (default: never)"
        )
        parser.add_argument("--seed", type=int, help="make numbers and pauses repeatable (default: random)")

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from random import Random

        from config.topics import check_topic
        from jobs.publish_reading import ReadingIds, publish_reading
        from scheduler_app.lifecycle import role, serve, wait_until
        from scheduler_app.mqtt import Connection
        from scheduler_app.scheduler import RandomInterval, Scheduler

        if options.min_interval > options.max_interval:
            raise CommandError("--min-interval is longer than --max-interval", status=2)
        try:
            check_topic(settings.topic)
        except ValueError as error:
            raise CommandError(f"TOPIC={settings.topic} cannot be published to: {error}", status=2) from None

        # one source each, since numbers and pauses are drawn in different threads
        numbers, pauses = Random(options.seed), Random(None if options.seed is None else options.seed + 1)
        connection = Connection(settings, "publisher")
        acknowledged = 0

        def count_one() -> None:
            nonlocal acknowledged
            acknowledged += 1

        scheduler = Scheduler()
        scheduler.add(
            "publish",
            publish_reading,
            RandomInterval(options.min_interval, options.max_interval, pauses),
            times=options.count,
            publish=lambda payload: connection.publish(settings.topic, payload, when_acknowledged=count_one),
            random=numbers,
            next_id=ReadingIds().next,
            now=time.time,
        )
        with ExitStack() as stack:
            stop = stack.enter_context(role(options))
            connection.start()
            stack.callback(connection.stop)
            scheduler.start()
            stack.callback(scheduler.shutdown)
            if options.count is None:
                serve(stop, lambda: connection.connected, settings.health_file)
            else:
                wait_until(lambda: acknowledged == options.count, stop)


def _pause(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: {error}") from None
    if seconds < 0.001:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: at least 1ms")
    return seconds


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: 1 or more")
    return int(text)
