"""`manage.py audit`: recomputes what is published from what is stored."""

import argparse
import json
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from config.text import printable
from scheduler_app.arguments import pause
from scheduler_app.management import BROKER_SETTINGS, BaseCommand, CommandError

if TYPE_CHECKING:
    from config.settings import Settings
    from scheduler_app.audit import Audit
    from scheduler_app.packets import Message


class Command(BaseCommand):
    help = "Recompute every published statistic from the stored readings; exit status 1 if one is off."
    settings = (*BROKER_SETTINGS, "stats_topic", "db_file", "max_clock_skew")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--duration",
            type=pause,
            default="20s",
            help="how long to listen; the averages of all readings together can only be audited if they "
            "are published meanwhile (default: %(default)s)",
        )

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from loguru import logger

        from config.quantities import format_duration, whole_milliseconds
        from models.series_history import snapshot
        from scheduler_app.audit import Audit
        from scheduler_app.lifecycle import StopSignal
        from scheduler_app.mqtt import Connection
        from scheduler_app.stored import stored_readings

        messages: list[Message] = []
        everything = f"{settings.stats_topic}/#"
        with stored_readings(settings.db_file) as database:
            connection = Connection(
                settings, "audit", subscribe=(everything,), on_message=messages.append, quiet=True
            )
            with StopSignal() as stop:
                connection.start()
                logger.info("listening on {} for {}", everything, format_duration(options.duration))
                stop.wait(options.duration)
                trouble = connection.trouble
                connection.stop()
            if not messages:
                raise CommandError(trouble or f"nothing is published on {everything}: has a subscriber run?")
            stored = snapshot(database)
        audit = Audit(stored, time.time(), whole_milliseconds(settings.max_clock_skew))
        check(audit, messages, settings)
        report(audit)


def check(audit: "Audit", messages: "Iterable[Message]", settings: "Settings") -> None:
    """Have all messages audited, in the order in which they came."""
    from scheduler_app.averages import NotAverages, parse_averages
    from scheduler_app.outlet import metrics_topic, state_topic
    from scheduler_app.series_message import NotSeries, parse_series

    averages: dict[str, float | int | None] | None = None
    for message in messages:
        if message.topic == state_topic(settings) or not message.payload:
            continue
        if message.topic == settings.stats_topic:
            # which tick it belongs to is told right after it, but only while it happens
            try:
                averages = None if message.retained else parse_averages(message.payload)
            except NotAverages:
                audit.skipped["messages that hold no averages"] += 1
        elif message.topic == metrics_topic(settings):
            tick = None if message.retained else tick_of(message.payload)
            if averages is not None and tick is not None:
                audit.check_pooled(averages, *tick)
            averages = None
        else:
            try:
                series = parse_series(message.payload, message.topic.removeprefix(f"{settings.stats_topic}/"))
            except NotSeries:
                audit.skipped["messages that hold no statistics of a series"] += 1
            else:
                audit.check_series(series)


def tick_of(payload: bytes) -> tuple[float, int] | None:
    """Return when the tick was that the counters were published at, and its sequence; None if not told."""
    from scheduler_app.averages import is_number

    try:
        tick = json.loads(payload)["tick"]
        at, sequence = tick["at"], tick["sequence"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return None
    return (at, sequence) if is_number(at) and isinstance(sequence, int) else None


def report(audit: "Audit") -> None:
    """Print what was found. Raises CommandError if a statistic is off, or nothing could be compared."""
    from scheduler_app.recomputation import TOLERANCE
    from scheduler_app.table import render_columns

    rows = [
        (name, f"{finding.compared:,}", f"{finding.largest:.2g}", str(finding.off), finding.where)
        for name, finding in audit.findings.items()
    ]
    if rows:
        headings = ("statistic", "compared", "largest difference", "off", "where")
        print(render_columns(rows, headings, {1, 2, 3}, "simple"))
    for reason, count in audit.skipped.items():
        print(f"skipped: {count:,} {printable(reason)}")
    if not audit.compared:
        raise CommandError("nothing that is published could be compared with what is stored")
    if audit.off:
        raise CommandError(
            f"{audit.off:,} of {audit.compared:,} statistics are off, more than {TOLERANCE:g} of their size "
            "or, where they must be exact, at all"
        )
