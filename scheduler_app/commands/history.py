"""`manage.py history`: plots the readings of a series and their rolling average."""

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from config.colors import colored
from config.text import printable
from scheduler_app.arguments import pause, window
from scheduler_app.console.order import name_key
from scheduler_app.errors import CommandError
from scheduler_app.management import BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings

_SUGGESTIONS = 3


class Command(BaseCommand):
    help = "Plot the readings of a series and their rolling average in the terminal; export them as CSV."
    settings = ("db_file", "db_url")

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """`now` tells UTC epoch seconds."""
        self.now = now

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "series", metavar="SERIES", help="name of the series; 'manage.py series' lists them"
        )
        parser.add_argument(
            "--window", type=window, default="5min", help="window to average over (default: %(default)s)"
        )
        parser.add_argument(
            "--since",
            type=pause,
            metavar="DURATION",
            help="only the readings of the last DURATION, such as 30min (default: all that are stored)",
        )
        parser.add_argument(
            "--csv",
            action="store_true",
            help="print time (UTC epoch seconds), value and rolling average as CSV (default: a plot)",
        )

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from models.statistics.rolling_average import rolling_averages
        from scheduler_app.runtime.chosen_database import stored_readings

        name, window = options.series, options.window
        since = float("-inf") if options.since is None else self.now() - options.since
        with stored_readings(settings) as stored:
            series = {row.name: row.id for row in stored.series()}
            if name not in series:
                raise CommandError(f"there is no series '{printable(name)}'. {suggestion(name, series)}")
            # the first average that is shown needs what its window holds
            readings = stored.readings_of(series[name], after=since - window.seconds)
        averages = rolling_averages(readings, window.seconds)
        rows = [
            (at, value, average)
            for (at, value), average in zip(readings, averages, strict=True)
            if at > since
        ]
        if options.csv:
            print_csv(rows, window.name)
        elif not rows:
            raise CommandError(f"{printable(name)} has no readings in the time that --since asks for")
        else:
            print_plot(rows, name, window.name)


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return the names that are most like `name`, or where to find one."""
    import difflib

    near = difflib.get_close_matches(name, names, n=_SUGGESTIONS)
    if not near:
        alike = [other for other in names if name.lower() in other.lower()]
        near = sorted(alike, key=name_key)[:_SUGGESTIONS]
    return f"Did you mean {' or '.join(map(printable, near))}?" if near else "'manage.py series' lists them."


def print_csv(rows: Iterable[tuple[float, float, float]], window: str) -> None:
    """Print each reading with its rolling average, with every digit."""
    print(f"time,value,avg_{window}")
    for at, value, average in rows:
        print(f"{at!r},{value!r},{average!r}")


def print_plot(rows: list[tuple[float, float, float]], name: str, window: str) -> None:
    """Print a plot that fills most of the terminal."""
    import shutil

    from scheduler_app.console.plot import plot

    columns, lines = shutil.get_terminal_size()
    curves = [
        ("readings", [(at, value) for at, value, _ in rows]),
        (f"avg_{window}", [(at, average) for at, _, average in rows]),
    ]
    text = plot(
        curves,
        title=printable(name),
        columns=columns,
        lines=max(lines - 2, 10),
        colored=colored(sys.stdout),
    )
    print(text.rstrip("\n"))
