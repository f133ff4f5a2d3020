"""`manage.py check`: tells what works, what does not, and what will lose readings one day."""

import argparse
from typing import TYPE_CHECKING

from config.text import printable
from scheduler_app.arguments import pause
from scheduler_app.errors import CommandError
from scheduler_app.management import SUBSCRIBER_SETTINGS, BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings


class Command(BaseCommand):
    help = "Check the settings, the database and the broker; exit status 1 if one does not work."
    settings = SUBSCRIBER_SETTINGS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--downtime",
            type=pause,
            default="10min",
            help="how long the subscriber may be away; the broker must keep all that comes in that time, "
            "at the present rate (default: %(default)s)",
        )

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from scheduler_app.checks.doctor import Level, examine

        failed = []
        for finding in examine(settings, options.downtime):
            print(f"{finding.level:<4}  {finding.name:<9} {printable(finding.text)}", flush=True)
            if finding.level == Level.FAIL:
                failed.append(finding.name)
        if failed:
            raise CommandError(f"these checks failed: {', '.join(failed)}")
