"""`manage.py check`: tells what works, what does not, and what will lose readings one day."""

import argparse
import sys
from typing import TYPE_CHECKING

from config.text import printable
from scheduler_app.arguments import pause
from scheduler_app.errors import CommandError
from scheduler_app.management import SUBSCRIBER_SETTINGS, BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings
    from scheduler_app.checks.finding import Finding

# How a terminal colours a level: green, yellow, bold red.
_COLORS = {"ok": "32", "warn": "33", "FAIL": "1;31"}


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
        from config.colors import colored
        from scheduler_app.checks.doctor import examine
        from scheduler_app.checks.finding import Level
        from scheduler_app.console.progress import Progress

        in_color = colored(sys.stdout)
        progress = Progress(sys.stderr)
        found = []
        try:
            for finding in examine(settings, options.downtime, progress=progress.show):
                progress.clear()
                print(line(finding, in_color=in_color), flush=True)
                found.append(finding)
        finally:
            progress.clear()
        print(line(summary(found), in_color=in_color), flush=True)
        failed = dict.fromkeys(finding.name for finding in found if finding.level == Level.FAIL)
        if failed:
            raise CommandError(f"these checks failed: {', '.join(failed)}")


def line(finding: "Finding", *, in_color: bool) -> str:
    """Return a finding as one line of a table."""
    level = f"{finding.level:<4}"
    if in_color:
        level = f"\x1b[{_COLORS[finding.level]}m{level}\x1b[0m"
    return f"{level}  {finding.name:<9} {printable(finding.text)}"


def summary(found: "list[Finding]") -> "Finding":
    """Return what all findings come to."""
    from scheduler_app.checks.finding import Finding, Level

    failed = sum(finding.level == Level.FAIL for finding in found)
    warnings = sum(finding.level == Level.WARN for finding in found)
    told = f"{warnings} warning{'' if warnings == 1 else 's'}"
    if failed:
        return Finding(Level.FAIL, "result", f"{failed} of {len(found)} failed, and {told}")
    if warnings:
        return Finding(Level.WARN, "result", f"it works, with {told}")
    return Finding(Level.OK, "result", "all is well")
