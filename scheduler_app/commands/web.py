"""`manage.py web`: the page, its API, and metrics for Prometheus."""

import argparse
from typing import TYPE_CHECKING

from scheduler_app.management import BROKER_SETTINGS, WEB_SETTINGS, BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings


class Command(BaseCommand):
    help = "Show every series in a browser, and give them to Prometheus and other programs."
    settings = (
        *BROKER_SETTINGS,
        "stats_topic",
        "max_series",
        "stats_interval",
        "max_clock_skew",
        "windows",
        "retention",
        "db_file",
        "db_url",
        *WEB_SETTINGS,
        "health_file",
    )
    is_role = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--published-on-loopback",
            action="store_true",
            help="in a container whose port is published on 127.0.0.1 alone: WEB_HOST may be 0.0.0.0 without "
            "WEB_TOKEN",
        )

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from scheduler_app.web.role import run_web

        run_web(options, settings)
