"""`manage.py averages`: takes the averages of what several subscribers store, or stands by to."""

import argparse
from typing import TYPE_CHECKING

from scheduler_app.errors import CommandError
from scheduler_app.management import SUBSCRIBER_SETTINGS, BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings

# What only those that take in readings need.
_OF_MEMBERS = ("db_file", "commit_interval", "members", "share")


class Command(BaseCommand):
    help = "Publish the averages of what subscribers with MEMBERS store at DB_URL; of several, one leads."
    settings = (*(name for name in SUBSCRIBER_SETTINGS if name not in _OF_MEMBERS), "health_file")
    is_role = True

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        if settings.db_url is None:
            raise CommandError(
                "averages needs DB_URL, the PostgreSQL database that subscribers with MEMBERS store in; "
                "with DB_FILE the subscriber takes the averages itself",
                status=2,
            )
        from scheduler_app.averages.role import run_averages

        run_averages(options, settings)
