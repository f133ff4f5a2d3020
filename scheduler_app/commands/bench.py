"""`manage.py bench`: measures this service beside what one would use instead."""

import argparse
import importlib
from typing import TYPE_CHECKING

from scheduler_app.errors import CommandError
from scheduler_app.management import BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings


class Command(BaseCommand):
    help = "Measure speed, memory and disk, each beside what one would use instead; takes eight minutes."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--quick", action="store_true", help="less of everything, in less than a minute")
        parser.add_argument(
            "--growth",
            action="store_true",
            help="in place of that, measure 1 to 10,000 series at 100 readings a second to the highest rate",
        )
        parser.add_argument(
            "--broker",
            choices=("mosquitto", "embedded"),
            default="mosquitto",
            help="which one is started for it (default: %(default)s)",
        )
        parser.add_argument("--json", action="store_true", help="print JSON in place of a table")

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        try:
            bench = importlib.import_module("tests.benchmarks.bench")
        except ModuleNotFoundError as error:
            raise CommandError(
                f"the benchmark needs {error.name}, which is not here: run it in a clone of the repository, "
                "with requirements-dev.txt installed"
            ) from None
        bench.run(
            quick=options.quick,
            grow=options.growth,
            embedded=options.broker == "embedded",
            as_json=options.json,
        )
