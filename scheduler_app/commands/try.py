"""`manage.py try`: tells what would become of messages, and stores nothing."""  # noqa: N999 - it is the name of the command

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from scheduler_app.arguments import pause, topic_filter
from scheduler_app.errors import CommandError
from scheduler_app.management import BROKER_SETTINGS, BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings
    from scheduler_app.mqtt.message import Message
    from scheduler_app.trial.report import Report


class Command(BaseCommand):
    help = "Tell what would become of messages: series, value and time, or the reason and the cure."
    settings = (
        *BROKER_SETTINGS,
        *("topic", "value", "streams_file", "max_series", "stats_topic", "retention", "windows"),
        "max_clock_skew",
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "message",
            nargs="*",
            metavar="TOPIC PAYLOAD",
            help="a message to try (default: what the broker sends); bytes in hexadecimal behind 0x",
        )
        parser.add_argument(
            "--file",
            metavar="FILE",
            help="try the messages in a file, each a line with a topic, a space and the payload, as "
            "mosquitto_sub -v prints them; - is standard input",
        )
        parser.add_argument(
            "--for",
            dest="seconds",
            type=pause,
            default="30s",
            metavar="TIME",
            help="for how long to listen to the broker (default: %(default)s)",
        )
        parser.add_argument(
            "--suggest",
            type=topic_filter,
            metavar="FILTER",
            help="write a stream file to standard output that reads what comes on an MQTT topic filter, such "
            "as 'zigbee2mqtt/#', in place of trying the streams that there are",
        )
        parser.add_argument(
            "--format",
            choices=("text", "json"),
            default="text",
            help="text, or json: one object in each line, times in UTC epoch seconds (default: %(default)s)",
        )

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        _check_call(options)
        if options.suggest is not None:
            _suggest(options, settings)
        else:
            _try(options, settings)


def _check_call(options: argparse.Namespace) -> None:
    if len(options.message) not in (0, 2):
        raise CommandError(
            "a message is a topic and a payload, each in quotation marks: manage.py try TOPIC PAYLOAD",
            status=2,
        )
    if options.message and options.file is not None:
        raise CommandError("a message and --file exclude each other", status=2)
    if options.suggest is not None and options.message:
        raise CommandError("--suggest takes messages from the broker, or from --file", status=2)


def _try(options: argparse.Namespace, settings: "Settings") -> None:
    from config.topics import disjoint, unshared
    from scheduler_app.trial.report import Report, as_json
    from scheduler_app.trial.trying import new_trial

    trial, report = new_trial(settings), Report()
    # not by the group of a shared subscription, whose members would miss what comes to us
    filters = disjoint(unshared(stream.topic) for stream in settings.streams)
    for message in _messages(options, settings, filters):
        fate = trial.of(message)
        report.count(fate)
        if options.format == "json":
            print(as_json(fate), flush=True)
            continue
        when_new = trial.of_new(message) if fate.counts["retained"] else None
        for line in report.lines(fate, when_new):
            print(line, flush=True)
    _conclude(report, options, filters)


def _conclude(report: "Report", options: argparse.Namespace, filters: tuple[str, ...]) -> None:
    """Print the summary. Raises CommandError if no message came, or one was rejected."""
    if not report.messages:
        where = f"on {', '.join(filters)}" if options.file is None else f"in {options.file}"
        raise CommandError(f"there was no message {where}")
    print(report.summary(), file=sys.stderr if options.format == "json" else sys.stdout, flush=True)
    if report.rejected:
        raise CommandError("messages, or parts of them, would be rejected")


def _suggest(options: argparse.Namespace, settings: "Settings") -> None:
    from config.topics import unshared
    from scheduler_app.trial.discovery import DISCOVERY
    from scheduler_app.trial.suggestion import suggest

    wanted = unshared(options.suggest)
    filters = (wanted, *DISCOVERY)
    if options.file is None:
        print(
            f"listening to {options.suggest} for {options.seconds:g} s; Ctrl-C ends it sooner",
            file=sys.stderr,
            flush=True,
        )
    messages = _messages(options, settings, filters)
    print(suggest(settings, wanted, messages, recorded=options.file is not None), end="")


def _messages(
    options: argparse.Namespace, settings: "Settings", filters: tuple[str, ...]
) -> "Iterator[Message]":
    import time

    from config.topics import check_topic, disjoint
    from scheduler_app.runtime.lifecycle import StopSignal
    from scheduler_app.trial.sources import from_broker, from_file, message_of

    if options.file is not None:
        yield from from_file(options.file)
    elif options.message:
        topic, payload = options.message
        try:
            check_topic(topic)
        except ValueError as error:
            raise CommandError(f"{topic} {error}", status=2) from None
        yield message_of(topic, payload.encode(errors="surrogateescape"), time.time())
    else:
        came = False
        with StopSignal() as stop:  # Ctrl-C ends the listening, and not what is made of it
            for message in from_broker(
                settings, disjoint(filters), options.seconds, stopped=lambda: stop.requested
            ):
                came = True
                yield message
        if stop.requested and not came:
            raise KeyboardInterrupt  # nothing can be made of nothing
