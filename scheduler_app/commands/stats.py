"""`manage.py stats`: prints the averages as they are published, or the statistics of every series."""

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from scheduler_app.arguments import order, table_format, topic_filter
from scheduler_app.errors import CommandError
from scheduler_app.management import BROKER_SETTINGS, BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings
    from scheduler_app.console.inbox import Inbox

# How many lines of the log are kept while the terminal is drawn on.
_KEPT_LOG = 100


class Command(BaseCommand):
    help = "Print the averages on STATS_TOPIC as tables, or the statistics of every series."
    settings = (*BROKER_SETTINGS, "stats_topic", "max_series", "health_file")
    is_role = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="print one table, then end")
        parser.add_argument(
            "--format",
            type=table_format,
            default="simple",
            metavar="FORMAT",
            help="a table format of tabulate, such as github or html, or json (default: %(default)s)",
        )
        parser.add_argument(
            "--all",
            action="store_true",
            help="print a row for each series: its latest value and how old it is, how many readings its "
            "longest window holds, and for each window the avg, or the first statistic where there is no avg",
        )
        parser.add_argument(
            "--filter",
            type=topic_filter,
            metavar="FILTER",
            help="with --all: only series whose names match an MQTT topic filter, such as "
            "'zigbee2mqtt/#' (default: all)",
        )
        parser.add_argument(
            "--sort",
            type=order(("name", "last", "age", "count"), windows=True),
            metavar="COLUMN",
            help="with --all: sort by name, last, age, count or a window, such as 5min; a - before it sorts "
            "in descending order (default: name)",
        )
        parser.add_argument(
            "--live",
            action="store_true",
            help="with --all: redraw the table in place, with as many rows as fit, and with a small curve of "
            "the recent values of the window it is sorted by, or else of the shortest window",
        )

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from scheduler_app.console.inbox import Inbox
        from scheduler_app.mqtt.connection import Connection
        from scheduler_app.runtime.lifecycle import background, role, serve

        check_call(options)
        inbox = Inbox()
        with ExitStack() as stack:
            stop = stack.enter_context(role(options))
            prepare = view_of_all if options.all else view_of_averages
            topics, show = prepare(stack, options, settings, inbox)

            def print_messages() -> None:
                try:
                    show()
                except BrokenPipeError:  # whoever read the tables has gone
                    pass
                except OSError as error:
                    stop.request(failure=f"the tables cannot be written: {error.strerror}")
                except CommandError as error:
                    stop.request(failure=str(error))
                stop.request()

            stack.enter_context(background("printer", print_messages, inbox.end, stop))
            connection = Connection(settings, "stats", subscribe=topics, on_message=inbox.put)
            connection.start()
            stack.callback(connection.stop)
            serve(stop, lambda: connection.connected, settings.health_file)


# The topics to subscribe to, and what shows the messages that come.
View = tuple[tuple[str, ...], Callable[[], None]]


def check_call(options: argparse.Namespace) -> None:
    """Raise CommandError for arguments that exclude each other."""
    for name in ("live", "filter", "sort"):
        if getattr(options, name) and not options.all:
            raise CommandError(f"--{name} works only together with --all", status=2)
    if options.live and options.once:
        raise CommandError("--live and --once cannot be used together", status=2)
    if options.live and options.format == "json":
        raise CommandError("--live draws a table and cannot be used with --format json", status=2)
    if options.live and not sys.stdout.isatty():
        raise CommandError(
            "--live needs a terminal to draw on; without --live, tables are printed one after the other"
        )


def view_of_averages(
    stack: ExitStack,
    options: argparse.Namespace,
    settings: "Settings",
    inbox: "Inbox",
) -> View:
    """Return what prints each message with averages as a table."""
    from loguru import logger

    from scheduler_app.console.table import render
    from scheduler_app.log import LogLimit, more_like_it
    from scheduler_app.publishing.messages import OFFLINE, InvalidMessage, parse_averages, parse_state
    from scheduler_app.publishing.topics import state_topic

    state = state_topic(settings)
    warnings = LogLimit()

    def show() -> None:
        while (message := inbox.get()) is not None:
            try:
                if message.topic == state:
                    if parse_state(message.payload) == OFFLINE and warnings.allows(OFFLINE) is not None:
                        logger.warning(
                            "the subscriber is offline: there are no newer averages until it is back"
                        )
                    continue
                averages = parse_averages(message.payload)
            except InvalidMessage as error:
                if (held := warnings.allows(error.reason)) is not None:
                    logger.warning(
                        "a message on {} was ignored, since it does not come from a subscriber: {}{}",
                        message.topic,
                        error,
                        more_like_it(held),
                    )
                continue
            text = json.dumps(averages) if options.format == "json" else render(averages, options.format)
            print(text, flush=True)
            if options.once:
                return

    return (settings.stats_topic, state), show


def view_of_all(
    stack: ExitStack,
    options: argparse.Namespace,
    settings: "Settings",
    inbox: "Inbox",
) -> View:
    """Return what shows the statistics of all series; the terminal is given back by the `stack`."""
    from collections import deque

    from scheduler_app.console.order import Order
    from scheduler_app.console.screen import Screen
    from scheduler_app.console.series_table import SeriesTable
    from scheduler_app.console.series_view import Display, JsonLines, Live, SeriesView, Tables
    from scheduler_app.log import kept_log
    from scheduler_app.publishing.topics import state_topic

    wanted = options.filter or "#"
    below = f"{settings.stats_topic}/{wanted}"
    display: Display
    if options.live:
        log: deque[str] = deque(maxlen=_KEPT_LOG)
        if sys.stderr.isatty():
            stack.enter_context(kept_log(log, settings.log_level, "stats"))
        display = Live(stack.enter_context(Screen(sys.stdout)), options.format, below, log)
    else:
        display = JsonLines() if options.format == "json" else Tables(options.format)
    series_table = SeriesTable(options.sort or Order("name"))
    view = SeriesView(settings, inbox, series_table, display, topic_filter=options.filter, once=options.once)

    def show() -> None:
        view.run()
        if options.once and not len(series_table):
            raise CommandError(f"there are no statistics of a series on {below}")

    return (below, state_topic(settings)), show
