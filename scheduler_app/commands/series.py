"""`manage.py series`: lists the series that are stored."""

import argparse
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from config.text import printable
from scheduler_app.arguments import order, table_format, topic_filter
from scheduler_app.console.order import Order, name_key
from scheduler_app.management import BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings
    from models.storage.records import SeriesSummary

_VALUES: "dict[str, Callable[[SeriesSummary], object]]" = {
    "name": lambda summary: name_key(summary.series.name),
    "count": lambda summary: summary.count,
    "rate": lambda summary: summary.per_minute,
    "first": lambda summary: summary.first,
    "last": lambda summary: summary.last,
}


class Command(BaseCommand):
    help = (
        "List the series that are stored: how many readings of each are stored, how often, from when to when."
    )
    settings = ("db_file", "db_url")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--filter",
            type=topic_filter,
            metavar="FILTER",
            help="only series whose names match an MQTT topic filter, such as 'zigbee2mqtt/#' (default: all)",
        )
        parser.add_argument(
            "--sort",
            type=order(tuple(_VALUES)),
            default="name",
            metavar="COLUMN",
            help=f"sort by {', '.join(_VALUES)}; a - before it sorts in descending order "
            "(default: %(default)s)",
        )
        parser.add_argument(
            "--format",
            type=table_format,
            default="simple",
            metavar="FORMAT",
            help="a table format of tabulate, or json: one object in each line, times in UTC epoch seconds "
            "(default: %(default)s)",
        )

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from config.topics import matches
        from scheduler_app.console.table import render_columns
        from scheduler_app.formatting import zone_text
        from scheduler_app.runtime.chosen_database import stored_readings

        with stored_readings(settings) as stored:
            found = [
                summary
                for summary in stored.summaries()
                if options.filter is None or matches(options.filter, summary.series.name)
            ]
        rows = in_order(found, options.sort)
        if options.format == "json":
            for summary in rows:
                print(json.dumps(as_json(summary)))
        elif not rows:
            text = "there are no series" if options.filter is None else f"no series matches {options.filter}"
            print(printable(text))
        else:
            zone = zone_text()
            headings = ("series", "count", "per minute", f"first ({zone})", f"last ({zone})")
            print(render_columns([as_row(summary) for summary in rows], headings, {1, 2}, options.format))


def in_order(rows: "Sequence[SeriesSummary]", sort: Order) -> "list[SeriesSummary]":
    """Return the rows sorted; those without a value come last."""

    def value_of(summary: "SeriesSummary") -> object:
        return _VALUES[sort.column](summary)

    rows = sorted(rows, key=_VALUES["name"])  # type: ignore[arg-type]
    known = [summary for summary in rows if value_of(summary) is not None]
    known.sort(key=value_of, reverse=sort.descending)  # type: ignore[arg-type]
    return known + [summary for summary in rows if value_of(summary) is None]


def as_row(summary: "SeriesSummary") -> tuple[str, ...]:
    """Return the cells of a series."""
    from scheduler_app.formatting import local_text, number_text

    return (
        printable(summary.series.name),
        str(summary.count),
        number_text(summary.per_minute),
        local_text(summary.first),
        local_text(summary.last),
    )


def as_json(summary: "SeriesSummary") -> dict[str, object]:
    """Return a series for export; times and retention in seconds."""
    return {
        "series": summary.series.name,
        "topic": summary.series.topic,
        "field": summary.series.field,
        "count": summary.count,
        "per_minute": summary.per_minute,
        "first": summary.first,
        "last": summary.last,
        "since": summary.series.since,
        "retention": summary.series.retention,
    }
