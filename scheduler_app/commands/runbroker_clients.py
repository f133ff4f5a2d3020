"""`manage.py runbroker-clients`: everything on one machine."""

import argparse
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler_app.management import SUBSCRIBER_SETTINGS, BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings

_BROKER_HOST, _BROKER_PORT = "127.0.0.1", 1883


class Command(BaseCommand):
    help = "Run everything on one machine: a broker if there is none, subscriber, stats, publisher."
    settings = (*SUBSCRIBER_SETTINGS, "outbox_file")
    is_role = True

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from loguru import logger

        from scheduler_app.mqtt.embedded_broker import accepts_connections, check_installed
        from scheduler_app.runtime.lifecycle import role
        from scheduler_app.runtime.supervisor import Supervisor

        environment = os.environ | {
            name.upper(): str(value)
            for name, value in vars(options).items()
            if name in type(settings).model_fields
        }
        if "log_level" not in settings.model_fields_set:
            environment["LOG_LEVEL"] = "WARNING"  # the lines below say what a person wants to know

        with ExitStack() as stack:
            stop = stack.enter_context(role(options))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="averages-")))
            supervisor = stack.enter_context(Supervisor(stop, folder, environment))
            if "broker" in settings.model_fields_set:
                logger.info("using the broker at {}", settings.broker)
            elif accepts_connections(_BROKER_HOST, _BROKER_PORT):
                logger.info("using the broker that answers at localhost:{}", _BROKER_PORT)
            else:
                check_installed()
                if supervisor.start("broker", "--host", _BROKER_HOST, "--port", str(_BROKER_PORT)):
                    logger.info("started broker: embedded, on {}:{}", _BROKER_HOST, _BROKER_PORT)
            if supervisor.start("subscriber"):
                topics = ", ".join(stream.topic for stream in settings.streams)
                logger.info("started subscriber: {} into {}", topics, settings.db_file.absolute())
            if supervisor.start("stats"):
                logger.info("started stats: {} on standard output", settings.stats_topic)
            if set(settings.topic) & set("+#,"):
                logger.info("started no publisher: {} is not a single topic", settings.topic)
            elif supervisor.start("publisher"):
                logger.info("started publisher: random numbers to {}", settings.topic)
            if not stop.requested:
                logger.info("Ctrl-C ends everything")
            supervisor.watch()
