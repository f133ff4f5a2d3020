"""`manage.py bench`: measures this service beside what one would use instead."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler_app.errors import CommandError
from scheduler_app.management import BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings

_ROOT = Path(__file__).resolve().parents[2]
# The benchmark is a program of its own. It lies with the tests, which the Docker image does not have.
PROGRAM = "tests.benchmarks"
NOT_HERE = (
    "the benchmark needs {}, which is not here: run it in a clone of the repository, with "
    "requirements-dev.txt installed"
)


class Command(BaseCommand):
    help = "Measure speed, memory and disk, each beside what one would use instead; takes 17 minutes."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--quick", action="store_true", help="measure less of everything, in one or two minutes"
        )
        parser.add_argument(
            "--growth",
            action="store_true",
            help="measure something else instead: 1 to 10,000 series, at 100 readings a second and more, "
            "up to the highest rate; over TLS and with the JSON of devices too",
        )
        parser.add_argument(
            "--small-board",
            action="store_true",
            help="with --growth: the subscriber gets half of one core and 512 MB, as on a small board",
        )
        parser.add_argument(
            "--postgresql",
            action="store_true",
            help="measure something else instead: PostgreSQL beside SQLite, several subscribers on it, and "
            "how soon another takes over",
        )
        parser.add_argument(
            "--broker",
            choices=("mosquitto", "embedded"),
            default="mosquitto",
            help="which broker is started for the measurement (default: %(default)s)",
        )
        parser.add_argument("--json", action="store_true", help="print JSON instead of a table")

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        if not (_ROOT / "tests" / "benchmarks").is_dir():
            raise CommandError(NOT_HERE.format("tests/benchmarks"))
        names = ("quick", "growth", "small_board", "postgresql", "json")
        flags = [f"--{name.replace('_', '-')}" for name in names if getattr(options, name)]
        # It takes the place of this process, so that signals and the exit status are its own.
        os.chdir(_ROOT)
        os.execv(sys.executable, [sys.executable, "-m", PROGRAM, "--broker", options.broker, *flags])
