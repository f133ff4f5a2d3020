"""`manage.py demo`: a thousand sensors and the live table, in one terminal, and nothing left behind."""

import argparse
import os
import socket
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from scheduler_app.arguments import rate, sensor_count
from scheduler_app.errors import CommandError
from scheduler_app.management import BROKER_SETTINGS, BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings

_HOST, _PORT = "127.0.0.1", 1883
# So that something moves while one looks.
_STATS_INTERVAL = "2s"
# The client id, and at a broker that is not our own also the topic that all others are below.
_NAME = "averages-demo"
# Seconds in which a broker answers, and without a message after which all that it had retained is here.
_ANSWER_TIMEOUT = 5.0
_QUIET = 0.5


class Command(BaseCommand):
    help = "Show what it is like: a thousand sensors and a live table, in this terminal."
    settings = BROKER_SETTINGS
    is_role = True
    is_apart = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--series",
            type=sensor_count,
            default="1000",
            metavar="N",
            help="stand in for N sensors (default: %(default)s)",
        )
        parser.add_argument(
            "--rate",
            type=rate,
            default="200",
            metavar="R",
            help="publish R readings a second in total (default: %(default)s)",
        )

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from loguru import logger

        from config.settings import settings_from
        from scheduler_app.commands.stats import begin_to_show
        from scheduler_app.runtime.lifecycle import role
        from scheduler_app.runtime.supervisor import Supervisor

        if not sys.stdout.isatty():
            raise CommandError(
                "the demo needs a terminal to draw on; 'manage.py runbroker-clients' prints tables"
            )
        with ExitStack() as stack:
            stop = stack.enter_context(role(options))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="averages-demo-")))
            log = folder / "log"
            stack.callback(show_complaints, log)
            given = given_broker(options)
            values = demo_values(options, given, folder)
            demo = settings_from(values)
            if given is not None:
                logger.info("using the broker at {}, with topics below {}/", demo.broker, _NAME)
                stack.callback(forget_statistics, demo)
            supervisor = stack.enter_context(
                Supervisor(stop, folder, environment_of(values), working_folder=folder, log=log)
            )
            logger.info("starting {:,} sensors; all that they send is kept in {}", options.series, folder)
            if given is None:
                supervisor.start("broker", "--host", _HOST, "--port", str(demo.broker.port))
            supervisor.start("subscriber", "--topic", f"{demo.topic}/+")
            supervisor.start("publisher", "--series", str(options.series), "--rate", str(options.rate))
            view = argparse.Namespace(
                all=True,
                live=True,
                once=False,
                filter=None,
                sort=None,
                format=None,
                stop_at_eof=options.stop_at_eof,
            )
            if not stop.requested:
                begin_to_show(stack, stop, view, demo)
            supervisor.watch()


def given_broker(options: argparse.Namespace) -> str | None:
    """Return the broker to use, as a setting; None if one of our own is to be started.

    What `.env` or the environment say is for real readings. Raises CommandError if there is no broker.
    """
    from scheduler_app.mqtt.embedded_broker import accepts_connections, check_installed

    if "broker" in options:
        return str(options.broker)
    try:
        check_installed()
    except CommandError:
        if accepts_connections(_HOST, _PORT):
            return f"{_HOST}:{_PORT}"
        raise
    return None


def demo_values(options: argparse.Namespace, given: str | None, folder: Path) -> dict[str, str]:
    """Return the settings of the demo by their names; none is taken from those of real readings."""
    names = (*BROKER_SETTINGS, "log_level")
    flags = {name: str(getattr(options, name)) for name in names if name in options}
    below = "" if given is None else f"{_NAME}/"
    return (
        {"client_id": _NAME, "log_level": "WARNING"}
        | flags
        | {
            "broker": given or f"{_HOST}:{free_port()}",
            "topic": f"{below}sensor",
            "stats_topic": f"{below}STATS",
            "stats_interval": _STATS_INTERVAL,
            "db_file": str(folder / "demo.db"),
            "outbox_file": str(folder / "outbox.db"),
        }
    )


def environment_of(values: dict[str, str]) -> dict[str, str]:
    """Return the environment for the roles: these settings, and no others."""
    from config.settings import SETTINGS

    surroundings = {name: value for name, value in os.environ.items() if name.lower() not in SETTINGS}
    return surroundings | {name.upper(): value for name, value in values.items()}


def free_port() -> int:
    """Return a port of this machine that nothing uses."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def forget_statistics(settings: "Settings") -> None:
    """Clear what the broker has retained of the demo: it is not ours, and it would keep that for ever."""
    from scheduler_app.mqtt.connection import Connection

    topics: SimpleQueue[str] = SimpleQueue()
    connection = Connection(
        settings,
        "forget",
        subscribe=[f"{settings.stats_topic}/#"],
        on_message=lambda message: topics.put(message.topic) if message.payload else None,
        quiet=True,
    )
    connection.start()
    with suppress(Empty):
        connection.publish(topics.get(timeout=_ANSWER_TIMEOUT), "", retain=True)
        while True:
            connection.publish(topics.get(timeout=_QUIET), "", retain=True)
    connection.stop()


def show_complaints(log: Path) -> None:
    """Print what the roles have complained of, which could not be shown in the midst of the table."""
    with suppress(FileNotFoundError):
        sys.stderr.write(log.read_text(errors="replace"))
