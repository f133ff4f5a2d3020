"""What `manage.py bench` runs."""

import json
import os
import platform
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from scheduler_app.errors import CommandError
from tests.benchmarks import (
    averages,
    devices,
    figure,
    growth,
    keeping,
    page,
    postgresql,
    publishing,
    receiving,
    starting,
    takeover,
    tls,
)
from tests.benchmarks.arena import FULL, QUICK, Arena
from tests.benchmarks.figure import Figure
from tests.benchmarks.small_board import BOUNDS
from tests.support.brokers import program_path
from tests.support.postgresql import find as find_postgresql

Tell = Callable[[float, str], object]

Steps = Mapping[str, Callable[[Arena], list[Figure]]]

STEPS: Steps = {
    "ingest, 1 topic": receiving.one_topic,
    "ingest, many topics": receiving.many_topics,
    "ingest, many senders": receiving.many_senders,
    "ingest, devices": devices.zigbee2mqtt,
    "ingest over TLS": tls.one_topic,
    "low rates": receiving.low_rates,
    "latency": receiving.latency,
    "memory and disk, 1 series": receiving.one_series,
    "memory, many series": receiving.many_series,
    "tick and restart, 1 series": keeping.one_series,
    "tick and restart, many series": keeping.many_series,
    "growth of the tick": keeping.growth,
    "publishing, many series": publishing.many_series,
    "start": starting.start,
    "page at rest": page.at_rest,
    "page, list": page.listing,
    "page, history": page.history,
}


# Of `--postgresql`.
POSTGRESQL_STEPS: Steps = {
    "PostgreSQL: ingest": postgresql.one_member,
    "PostgreSQL: two members": postgresql.two_members,
    "PostgreSQL: tick": averages.ticks,
    "PostgreSQL: takeover of a slot": takeover.slot,
    "PostgreSQL: takeover of the lead": takeover.lead,
}


def run(
    *,
    quick: bool,
    grow: bool,
    small_board: bool = False,
    postgresql: bool = False,
    embedded: bool,
    as_json: bool,
) -> None:
    """Measure, and print what was found; how far it is goes to standard error. Raises CommandError."""
    _check(embedded=embedded)
    if small_board and not grow:
        raise CommandError("--small-board is for --growth")
    if postgresql:
        _check_postgresql(embedded=embedded)
    arena = Arena(QUICK if quick else FULL, embedded=embedded, small_board=small_board)
    try:
        if grow:
            rows = growth.measure(arena, tell)
            text, found = growth.render(rows), [row.as_dict() for row in rows]
        else:
            figures = measure(arena, tell, POSTGRESQL_STEPS if postgresql else STEPS)
            text, found = figure.render(figures), [each.as_dict() for each in figures]
    except KeyboardInterrupt:
        raise CommandError("stopped before the end") from None
    except AssertionError as error:
        raise CommandError(f"the benchmark has failed: {error}") from None
    machine = describe_machine(embedded=embedded) + (f"; a subscriber with {BOUNDS}" if small_board else "")
    print(json.dumps({"machine": machine, "found": found}) if as_json else f"{text}\n\n{machine}")


def measure(arena: Arena, tell: Tell, steps: Steps) -> list[Figure]:
    """Take all figures; `tell` gets the share that is done, and what comes next."""
    figures: list[Figure] = []
    for number, (name, step) in enumerate(steps.items()):
        tell(number / len(steps), name)
        figures += step(arena)
    tell(1.0, "")
    return figures


def tell(share: float, what: str) -> None:
    """Show how far it is: a bar that stays in its line on a terminal, else a line for each step."""
    line = f"[{'=' * round(20 * share):<20}] {share:4.0%} {what}"
    if sys.stderr.isatty():
        print(f"\r{line:<70}", end="" if what else "\n", file=sys.stderr, flush=True)
    elif what:
        print(line, file=sys.stderr, flush=True)


def describe_machine(*, embedded: bool) -> str:
    """Say on what it was measured."""
    broker = "the embedded broker" if embedded else f"Mosquitto {_mosquitto_version()}"
    software = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {broker}"
    return f"{os.cpu_count()} cores, {_processor()}, {platform.system()}, {software}"


def _check(*, embedded: bool) -> None:
    if sys.platform != "linux":
        raise CommandError("the benchmark reads memory and processor time from /proc, which is Linux's")
    if embedded and find_spec("iotcore") is None:
        raise CommandError("the embedded broker is not installed: requirements-broker.txt")
    if not embedded and not (program_path("mosquitto") and program_path("mosquitto_sub")):
        raise CommandError(
            "Mosquitto is not installed: 'sudo apt install mosquitto mosquitto-clients', or --broker embedded"
        )


def _check_postgresql(*, embedded: bool) -> None:
    if embedded:
        raise CommandError(
            "--postgresql needs --broker mosquitto, whose topics several subscribers can share"
        )
    if find_spec("psycopg") is None:
        raise CommandError("psycopg is not installed: requirements-postgresql.txt")
    if find_postgresql("postgres") is None:
        raise CommandError("PostgreSQL is not installed: 'sudo apt install postgresql'")


def _mosquitto_version() -> str:
    program = program_path("mosquitto")
    assert program is not None
    told = subprocess.run([program, "-h"], capture_output=True, text=True, check=False).stdout
    return told.split()[2]


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
