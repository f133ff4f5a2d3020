"""`manage.py stats`: prints the averages as they are published, or the statistics of every series."""

import argparse
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from scheduler_app.arguments import LINES, ORIGINAL, order, stats_format, topic_filter
from scheduler_app.errors import CommandError
from scheduler_app.management import BROKER_SETTINGS, BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings
    from scheduler_app.console.inbox import Inbox
    from scheduler_app.console.live import Live
    from scheduler_app.mqtt.connection import Connection
    from scheduler_app.runtime.lifecycle import StopSignal

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
            type=stats_format,
            metavar="FORMAT",
            help="lines: one heading, then a line with its time for each message; original: a table for each "
            "message; any table format of tabulate, such as github or html; or json (default: lines on a "
            "terminal, otherwise original; with --all, simple)",
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
            "the recent values of the window it is sorted by, or else of the shortest window; keys scroll, "
            "search, sort and quit",
        )

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from scheduler_app.runtime.lifecycle import role, serve

        check_call(options)
        with ExitStack() as stack:
            stop = stack.enter_context(role(options))
            connection = begin_to_show(stack, stop, options, settings)
            serve(stop, lambda: connection.connected, settings.health_file)


class View(NamedTuple):
    """What shows the messages on some topics."""

    # The one that is waited for, and that of the subscriber's state.
    topics: tuple[str, str]
    # Shows messages until there are no more, or enough.
    show: Callable[[], None]


def check_call(options: argparse.Namespace) -> None:
    """Raise CommandError for arguments that exclude each other."""
    for name in ("live", "filter", "sort"):
        if getattr(options, name) and not options.all:
            raise CommandError(f"--{name} works only together with --all", status=2)
    if options.all and options.format in (LINES, ORIGINAL):
        raise CommandError(f"--format {options.format} cannot be used together with --all", status=2)
    if options.live and options.once:
        raise CommandError("--live and --once cannot be used together", status=2)
    if options.live and options.format == "json":
        raise CommandError("--live draws a table and cannot be used with --format json", status=2)
    if options.live and not sys.stdout.isatty():
        raise CommandError(
            "--live needs a terminal to draw on; without --live, tables are printed one after the other"
        )


def begin_to_show(
    stack: ExitStack, stop: "StopSignal", options: argparse.Namespace, settings: "Settings"
) -> "Connection":
    """Show what the arguments of `stats` ask for until the `stack` unwinds; return the connection."""
    from scheduler_app.console.inbox import Inbox
    from scheduler_app.console.lookout import Lookout
    from scheduler_app.mqtt.connection import Connection
    from scheduler_app.mqtt.message import Message
    from scheduler_app.runtime.lifecycle import background

    def connected() -> bool:
        return connection.connected

    inbox = Inbox()
    make_view = view_of_all if options.all else view_of_averages
    view = make_view(stack, options, settings, inbox, connected)
    lookout = Lookout(settings, view.topics[0])

    def take(message: Message) -> None:
        lookout.note(message)
        inbox.put(message)

    def print_messages() -> None:
        try:
            view.show()
        except BrokenPipeError:  # whoever read the tables has gone
            pass
        except OSError as error:
            stop.request(failure=f"the tables cannot be written: {error.strerror}")
        except CommandError as error:
            stop.request(failure=str(error))
        stop.request()

    stack.enter_context(background("printer", print_messages, inbox.end, stop))
    connection = Connection(settings, "stats", subscribe=view.topics, on_message=take)
    connection.start()
    stack.callback(connection.stop)

    def look_out() -> None:
        lookout.watch(connection, stop.request if options.once else None)

    stack.enter_context(background("lookout", look_out, lookout.end, stop))
    return connection


def view_of_averages(
    stack: ExitStack,
    options: argparse.Namespace,
    settings: "Settings",
    inbox: "Inbox",
    connected: Callable[[], bool],
) -> View:
    """Return what prints each message with averages."""
    from scheduler_app.console.averages_view import AveragesView, Json, Lines, Printer, Tables
    from scheduler_app.publishing.topics import state_topic

    table_format = options.format or (LINES if is_terminal() else ORIGINAL)
    printer: Printer
    if table_format == LINES:
        printer = Lines()
    elif table_format == "json":
        printer = Json()
    else:
        printer = Tables("simple" if table_format == ORIGINAL else table_format)
    view = AveragesView(settings, inbox, printer, once=options.once, connected=connected)
    return View((settings.stats_topic, state_topic(settings)), view.run)


def is_terminal() -> bool:
    """Whether a person reads what is printed; what a program reads stays as it has always been."""
    return sys.stdout is not None and sys.stdout.isatty()


def view_of_all(
    stack: ExitStack,
    options: argparse.Namespace,
    settings: "Settings",
    inbox: "Inbox",
    connected: Callable[[], bool],
) -> View:
    """Return what shows the statistics of all series; the terminal is given back by the `stack`."""
    from scheduler_app.console.order import Order
    from scheduler_app.console.series_table import SeriesTable
    from scheduler_app.console.series_view import Display, JsonLines, SeriesView, Tables
    from scheduler_app.publishing.topics import state_topic

    wanted = options.filter or "#"
    below = f"{settings.stats_topic}/{wanted}"
    display: Display
    if options.live:
        display = live_display(stack, options, settings, inbox, below)
    else:
        display = JsonLines() if options.format == "json" else Tables(options.format or "simple")
    series_table = SeriesTable(options.sort or Order("name"))
    view = SeriesView(
        settings,
        inbox,
        series_table,
        display,
        topic_filter=options.filter,
        once=options.once,
        connected=connected,
    )

    def show() -> None:
        view.run()
        if options.once and not len(series_table):
            raise CommandError(f"there are no statistics of a series on {below}")

    return View((below, state_topic(settings)), show)


def live_display(
    stack: ExitStack, options: argparse.Namespace, settings: "Settings", inbox: "Inbox", title: str
) -> "Live":
    """Return what draws on the terminal, and listens to its keys, until the `stack` unwinds."""
    from collections import deque

    from scheduler_app.console.keyboard import Keyboard
    from scheduler_app.console.live import Live
    from scheduler_app.console.screen import Screen
    from scheduler_app.log import kept_log

    log: deque[str] = deque(maxlen=_KEPT_LOG)
    screen = Screen(sys.stdout)
    display = Live(screen, options.format or "simple", title, log)

    def press(key: str) -> None:
        display.keys.put(key)
        inbox.nudge()

    # in the end, what was logged comes first, so that the last picture is what a person sees
    stack.callback(lambda: screen.leave(display.picture))
    if sys.stderr.isatty():
        stack.enter_context(kept_log(log, settings.log_level, "stats"))
    stack.enter_context(screen)
    if not options.stop_at_eof:  # or standard input is another program's
        stack.enter_context(Keyboard(sys.stdin, press))
    return display
