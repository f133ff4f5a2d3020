"""The program that `manage.py bench` becomes; it takes the same arguments."""

import argparse
import sys
from collections.abc import Sequence

from scheduler_app.commands.bench import NOT_HERE, Command
from scheduler_app.errors import CommandError
from scheduler_app.interrupts import exit_status_of
from scheduler_app.management import exit_status


def main(arguments: Sequence[str]) -> int:
    """Measure what the `arguments` ask for, and return the exit status."""
    command = Command()
    parser = argparse.ArgumentParser(prog="manage.py bench", description=command.help)
    command.add_arguments(parser)
    options = parser.parse_args(arguments)
    return exit_status(lambda: measure(options))


def measure(options: argparse.Namespace) -> None:
    """Run the benchmark; CommandError if a library is missing or it cannot be run here."""
    try:
        from tests.benchmarks import bench
    except ModuleNotFoundError as error:
        raise CommandError(NOT_HERE.format(error.name)) from None
    bench.run(
        quick=options.quick,
        grow=options.growth,
        small_board=options.small_board,
        postgresql=options.postgresql,
        embedded=options.broker == "embedded",
        as_json=options.json,
    )


if __name__ == "__main__":
    # interrupted, it ends the broker and the programs that are measured
    sys.exit(exit_status_of(lambda: main(sys.argv[1:])))
