"""`manage.py stats`: prints the averages as they are published."""

import argparse
import json
from contextlib import ExitStack
from queue import SimpleQueue
from typing import TYPE_CHECKING

from scheduler_app.management import BROKER_SETTINGS, BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings
    from scheduler_app.packets import Message


class Command(BaseCommand):
    help = "Print the averages on STATS_TOPIC as tables."
    settings = (*BROKER_SETTINGS, "stats_topic", "health_file")
    is_role = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="print one table and end")
        parser.add_argument(
            "--format",
            type=_table_format,
            default="simple",
            metavar="FORMAT",
            help="a table format of tabulate, such as github or html, or json (default: %(default)s)",
        )

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from loguru import logger

        from scheduler_app.averages import NotAverages, parse_averages
        from scheduler_app.lifecycle import background, role, serve
        from scheduler_app.mqtt import Connection
        from scheduler_app.outlet import state_topic
        from scheduler_app.table import render

        inbox: SimpleQueue[Message | None] = SimpleQueue()
        state = state_topic(settings)

        def print_messages() -> None:
            while (message := inbox.get()) is not None:
                if message.topic == state:
                    if message.payload == b"offline":
                        logger.warning("the subscriber is offline; no newer averages until it is back")
                    continue
                try:
                    averages = parse_averages(message.payload)
                except NotAverages as error:
                    logger.warning("a message on {} holds no averages: {}", message.topic, error)
                    continue
                text = json.dumps(averages) if options.format == "json" else render(averages, options.format)
                try:
                    print(text, flush=True)
                except BrokenPipeError:  # whoever read the tables has gone
                    break
                if options.once:
                    break
            stop.request()

        with ExitStack() as stack:
            stop = stack.enter_context(role(options))
            stack.enter_context(background("printer", print_messages, lambda: inbox.put(None), stop))
            connection = Connection(
                settings, "stats", subscribe=(settings.stats_topic, state), on_message=inbox.put
            )
            connection.start()
            stack.callback(connection.stop)
            serve(stop, lambda: connection.connected, settings.health_file)


def _table_format(text: str) -> str:
    from scheduler_app.table import FORMATS

    if text != "json" and text not in FORMATS:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: json, {', '.join(sorted(FORMATS))}")
    return text
