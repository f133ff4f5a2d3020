"""`manage.py runbroker-clients`: everything on one machine."""

import argparse
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler_app.management import SUBSCRIBER_SETTINGS, WEB_SETTINGS, BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings
    from scheduler_app.runtime.supervisor import Supervisor

_BROKER_HOST, _BROKER_PORT = "127.0.0.1", 1883


class Command(BaseCommand):
    help = "Run everything on one machine: a broker if there is none, subscriber, stats, publisher, the page."
    settings = (*SUBSCRIBER_SETTINGS, "outbox_file", *WEB_SETTINGS)
    is_role = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--no-web", action="store_true", help="leave the page out")

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from loguru import logger

        from config.settings import SETTINGS
        from scheduler_app.runtime.chosen_database import chosen_database
        from scheduler_app.runtime.lifecycle import role
        from scheduler_app.runtime.supervisor import Supervisor
        from scheduler_app.web.listening import check_reach

        if not options.no_web:
            check_reach(settings)
        environment = os.environ | {
            name.upper(): str(value) for name, value in vars(options).items() if name in SETTINGS
        }
        if "log_level" not in settings.given:
            environment["LOG_LEVEL"] = "WARNING"  # the lines below say what a person wants to know

        with ExitStack() as stack:
            stop = stack.enter_context(role(options))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="averages-")))
            supervisor = stack.enter_context(Supervisor(stop, folder, environment))
            _find_broker(supervisor, settings)
            if supervisor.start("subscriber"):
                topics = ", ".join(stream.topic for stream in settings.streams)
                logger.info("started subscriber: {} into {}", topics, chosen_database(settings).place)
            if settings.members is not None and supervisor.start("averages"):
                logger.info("started averages: of all that members store")
            if supervisor.start("stats"):
                logger.info("started stats: {} on standard output", settings.stats_topic)
            if set(settings.topic) & set("+#,"):
                logger.info("started no publisher: {} is not a single topic", settings.topic)
            elif supervisor.start("publisher"):
                logger.info("started publisher: random numbers to {}", settings.topic)
            if not options.no_web:
                _start_web(supervisor, settings)
            if not stop.requested:
                logger.info("Ctrl-C ends everything")
            supervisor.watch()


def _find_broker(supervisor: "Supervisor", settings: "Settings") -> None:
    """Start a broker, unless one is named or answers. Raises CommandError if there is none to start."""
    from loguru import logger

    from scheduler_app.mqtt.embedded_broker import accepts_connections, check_installed

    if "broker" in settings.given:
        logger.info("using the broker at {}", settings.broker)
    elif accepts_connections(_BROKER_HOST, _BROKER_PORT):
        logger.info("using the broker that answers at localhost:{}", _BROKER_PORT)
    else:
        check_installed()
        if supervisor.start("broker", "--host", _BROKER_HOST, "--port", str(_BROKER_PORT)):
            logger.info("started broker: embedded, on {}:{}", _BROKER_HOST, _BROKER_PORT)


def _start_web(supervisor: "Supervisor", settings: "Settings") -> None:
    """Start the page, on another port if the usual one is in use; the rest goes on without it if it must."""
    from loguru import logger

    from scheduler_app.web.listening import address_of, port_to_serve_on

    port = port_to_serve_on(settings)
    if port is None:
        logger.warning("started no page: WEB_PORT={} cannot be listened on", settings.web_port)
    elif supervisor.start("web", "--web-port", str(port)):
        logger.info("started web: open {}", address_of(settings.web_host, port))
