"""`manage.py broker`: the embedded broker alone."""

import argparse
import threading
import time
from typing import TYPE_CHECKING

from scheduler_app.arguments import listening_address, port_number
from scheduler_app.management import BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings
    from scheduler_app.runtime.lifecycle import StopSignal

# Seconds between two tests of the broker, and seconds that an answer may take.
_WATCH_INTERVAL = 5.0
_ANSWER_TIMEOUT = 3.0
# Tests in a row without an answer after which the broker is given up.
_FAILURES = 2


class Command(BaseCommand):
    help = "Run the embedded MQTT broker alone."
    settings = ("health_file",)
    is_role = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--host",
            type=listening_address,
            default="127.0.0.1",
            help="IP address to listen on (default: %(default)s)",
        )
        parser.add_argument("--port", type=port_number, default=1883, help="port (default: %(default)s)")

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from loguru import logger

        from config.broker_address import is_loopback
        from scheduler_app.mqtt.embedded_broker import run_embedded_broker
        from scheduler_app.mqtt.probe import answers
        from scheduler_app.runtime.lifecycle import role, serve

        with role(options) as stop:
            run_embedded_broker(options.host, options.port)
            host = f"[{options.host}]" if ":" in options.host else options.host
            logger.info("the embedded broker listens on {}:{}", host, options.port)
            if not is_loopback(options.host):
                logger.warning(
                    "the embedded broker has no passwords: anybody who reaches {}:{} can read and publish "
                    "everything. On a network with others, use a broker with passwords, such as Mosquitto",
                    host,
                    options.port,
                )
            watch = threading.Thread(target=_watch, args=(stop, options.host, options.port), daemon=True)
            watch.start()
            serve(stop, lambda: answers(options.host, options.port, _ANSWER_TIMEOUT), settings.health_file)


def _watch(stop: "StopSignal", host: str, port: int) -> None:
    """Stop when the broker accepts no client any more: its router can fail while it still listens."""
    from scheduler_app.mqtt.probe import answers

    failures = 0
    while not stop.requested:
        time.sleep(_WATCH_INTERVAL)
        failures = 0 if answers(host, port, _ANSWER_TIMEOUT) else failures + 1
        if failures == _FAILURES:
            stop.request(failure=f"the embedded broker on {host}:{port} accepts no client any more")
