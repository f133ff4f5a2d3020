"""`manage.py version`: tells which version this is."""

import argparse
from typing import TYPE_CHECKING

from scheduler_app.management import BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings


class Command(BaseCommand):
    help = "Print the version of this program and of Python; --version does the same."

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from scheduler_app.version import version_line

        print(version_line())
