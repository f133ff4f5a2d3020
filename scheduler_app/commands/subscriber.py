"""`manage.py subscriber`: stores the readings, publishes their averages, prunes."""

import argparse
from typing import TYPE_CHECKING

from scheduler_app.errors import CommandError
from scheduler_app.management import SUBSCRIBER_SETTINGS, BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings


class Command(BaseCommand):
    help = "Store the readings on TOPIC and publish their rolling averages on STATS_TOPIC."
    settings = (*SUBSCRIBER_SETTINGS, "health_file")
    is_role = True

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        if settings.members is not None:
            from scheduler_app.subscriber.member import run_member

            run_member(options, settings)
            return
        if settings.share is not None:
            raise CommandError(
                f"SHARE={settings.share} is for several subscribers: set MEMBERS, how many there are, or "
                "leave SHARE out",
                status=2,
            )
        from scheduler_app.subscriber.role import run_subscriber

        run_subscriber(options, settings)
