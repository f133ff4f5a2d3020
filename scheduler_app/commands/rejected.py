"""`manage.py rejected`: shows the messages that were no readings."""

import argparse
import json
from typing import TYPE_CHECKING

from config.text import printable, shortened
from scheduler_app.arguments import positive
from scheduler_app.cures import cure_of
from scheduler_app.management import BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings

_SHOWN_TEXT = 60
_KEPT = ("kept", "reason", "topic")


class Command(BaseCommand):
    help = "List and count the rejected messages, by reason and topic; export them as JSON."
    settings = ("db_file", "db_url")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--limit",
            type=positive,
            default=20,
            help="how many of the newest messages to list (default: %(default)s)",
        )
        parser.add_argument(
            "--json",
            action="store_true",
            help="print all of them as JSON, the oldest first, one object in each line",
        )

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from scheduler_app.console.table import render_table
        from scheduler_app.formatting import local_text, zone_text
        from scheduler_app.runtime.chosen_database import stored_readings

        with stored_readings(settings) as stored:
            if options.json:
                for row in stored.rejected_messages():
                    print(json.dumps(row.content()))
                return
            kept = stored.rejected_counts()
            newest = list(stored.rejected_messages(newest=options.limit))
            counters = stored.counters()
        print(summary(counters.get("rejected", 0), counters["since"], sum(number for number, _, _ in kept)))
        if not kept:
            return
        print()
        print(render_table([(number, reason, shown_topic(topic)) for number, reason, topic in kept], _KEPT))
        rows = [
            (
                local_text(row.arrived),
                shown_topic(row.topic),
                row.reason + (f": {row.detail}" if row.detail else ""),
                row.size,
                shown_payload(row.payload.decode(errors="backslashreplace")),
            )
            for row in newest
        ]
        print()
        print(render_table(rows, (f"arrived ({zone_text()})", "topic", "reason", "bytes", "payload")))
        print()
        for reason in dict.fromkeys(reason for _, reason, _ in kept):
            print(f"{printable(reason)}: {cure_of(reason)}")


def summary(counted: int, since: int, kept: int) -> str:
    """Return in one line how many were counted since then (UTC epoch seconds), and how many are kept."""
    from scheduler_app.formatting import moment_text

    if not counted and not kept:
        return "no messages were rejected"
    return f"rejected since {moment_text(since)}: {counted:,}, of which {kept:,} are kept"


def shown_topic(topic: str) -> str:
    """Return a topic on one line, without anything a terminal might obey, and not too long."""
    return shortened(printable(topic), _SHOWN_TEXT)


def shown_payload(text: str) -> str:
    """Return the beginning of a payload in the same way."""
    safe = printable(text)
    return safe if len(safe) <= _SHOWN_TEXT else f"{safe[: _SHOWN_TEXT - 1]}…"
