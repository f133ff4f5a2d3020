"""`manage.py broker`: the embedded broker alone."""

import argparse
from typing import TYPE_CHECKING

from scheduler_app.arguments import port_number
from scheduler_app.management import BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings


class Command(BaseCommand):
    help = "Run the embedded MQTT broker alone."
    settings = ("health_file",)
    is_role = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=port_number, default=1883, help="port (default: %(default)s)")

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from loguru import logger

        from scheduler_app.embedded_broker import accepts_connections, run_embedded_broker
        from scheduler_app.lifecycle import role, serve

        with role(options) as stop:
            run_embedded_broker(options.host, options.port)
            logger.info("the embedded broker listens on {}:{}", options.host, options.port)
            serve(stop, lambda: accepts_connections(options.host, options.port), settings.health_file)
