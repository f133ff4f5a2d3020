"""`manage.py audit`: recomputes what is published from what is stored."""

import argparse
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from config.text import printable
from scheduler_app.arguments import pause
from scheduler_app.errors import CommandError
from scheduler_app.management import BROKER_SETTINGS, BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings
    from scheduler_app.checks.audit import Audit
    from scheduler_app.mqtt.message import Message

# Bytes. 10,000 series publish as much in four minutes.
_MOST_BYTES = 256 * 2**20
# Bytes that a message takes in memory beside its topic and payload.
_OVERHEAD = 300


class Command(BaseCommand):
    help = "Recompute every published statistic from the stored readings; exit status 1 if one differs."
    settings = (
        *BROKER_SETTINGS,
        "topic",
        "streams_file",
        "stats_topic",
        "db_file",
        "db_url",
        "max_clock_skew",
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--duration",
            type=pause,
            default="20s",
            help="how long to listen; the averages over all readings together are audited only if they are "
            "published in that time (default: %(default)s)",
        )

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from loguru import logger

        from config.quantities import format_duration, whole_milliseconds
        from scheduler_app.checks.audit import Audit
        from scheduler_app.mqtt.connection import Connection
        from scheduler_app.runtime.chosen_database import stored_readings
        from scheduler_app.runtime.lifecycle import StopSignal

        kept = Kept()
        everything = f"{settings.stats_topic}/#"
        with stored_readings(settings) as store:
            connection = Connection(
                settings, "audit", subscribe=(everything,), on_message=kept.put, quiet=True
            )
            with StopSignal() as stop:
                connection.start()
                logger.info("listening on {} for {}", everything, format_duration(options.duration))
                stop.wait(options.duration)
                trouble = connection.trouble
                connection.stop()
            if not kept.messages:
                raise CommandError(
                    trouble or f"nothing is published on {everything}: is a subscriber running?"
                )
            stored = store.snapshot()
        ahead = whole_milliseconds(settings.max_clock_skew)
        audit = Audit(stored, time.time(), ahead, settings.streams)
        if kept.left_out:
            audit.skipped["messages that came when the memory for them was full"] = kept.left_out
        check(audit, kept.messages, settings)
        report(audit)


class Kept:
    """Keeps messages until they are audited: as many as fit, and none larger than a subscriber's."""

    def __init__(self, most: int = _MOST_BYTES) -> None:
        from scheduler_app.publishing.messages import SERIES_BYTES

        self.messages: list[Message] = []
        self._largest = SERIES_BYTES  # of any kind
        self.left_out = 0
        self._room = most

    def put(self, message: "Message") -> None:
        size = _OVERHEAD + len(message.topic) + len(message.payload)
        if size <= self._room and len(message.payload) <= self._largest:
            self._room -= size
            self.messages.append(message)
        else:
            self.left_out += 1


def check(audit: "Audit", messages: "Iterable[Message]", settings: "Settings") -> None:
    """Have all messages audited, in the order in which they came."""
    from scheduler_app.publishing.messages import InvalidMessage, parse_averages, parse_metrics, parse_series
    from scheduler_app.publishing.topics import check_topic, metrics_topic, state_topic

    messages = list(messages)
    _note_ticks(audit, messages, settings)
    ignored = (state_topic(settings), check_topic(settings, ""))
    averages: dict[str, float | int | None] | None = None
    for message in messages:
        if message.topic.startswith(ignored) or not message.payload:
            continue
        if message.topic == settings.stats_topic:
            # the metrics right after it say which tick it belongs to, but not so for retained copies
            try:
                averages = None if message.retained else parse_averages(message.payload)
            except InvalidMessage:
                audit.skipped["messages that hold no averages"] += 1
        elif message.topic == metrics_topic(settings):
            try:
                tick = None if message.retained else parse_metrics(message.payload).tick
            except InvalidMessage:
                tick = None
                audit.skipped["messages that hold no metrics"] += 1
            if averages is not None and tick is not None:
                audit.check_overall(averages, tick.at, tick.sequence)
            averages = None
        else:
            try:
                series = parse_series(message.payload, message.topic.removeprefix(f"{settings.stats_topic}/"))
            except InvalidMessage:
                audit.skipped["messages that hold no statistics of a series"] += 1
            else:
                audit.check_series(series)


def _note_ticks(audit: "Audit", messages: "Iterable[Message]", settings: "Settings") -> None:
    """Have all ticks noted that the metrics tell of: of several members they say what is in each."""
    from scheduler_app.publishing.messages import InvalidMessage, parse_metrics
    from scheduler_app.publishing.topics import metrics_topic

    for message in messages:
        if message.topic == metrics_topic(settings):
            with suppress(InvalidMessage):  # it is counted with all others
                if (tick := parse_metrics(message.payload).tick) is not None:
                    audit.note(tick)


def report(audit: "Audit") -> None:
    """Print what was found. Raises CommandError if a statistic is off, or nothing could be compared."""
    from scheduler_app.checks.recomputation import TOLERANCE
    from scheduler_app.console.table import render_columns

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
        raise CommandError("nothing that was published could be compared with the stored readings")
    if audit.off:
        raise CommandError(
            f"{audit.off:,} of {audit.compared:,} statistics differ from what the stored readings give: "
            f"those that must be exact at all, the others by more than {TOLERANCE:g} of their size"
        )
