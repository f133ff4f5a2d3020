"""`manage.py backup`: copies the database while the subscriber runs."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from config.text import printable
from scheduler_app.errors import CommandError
from scheduler_app.management import BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings


class Command(BaseCommand):
    help = "Copy the database to a new file, also while the subscriber runs."
    settings = ("db_file", "db_url")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path, help="the new file; it must not exist yet")

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        if settings.db_url is not None:
            raise CommandError(
                f"DB_URL={settings.db_url} is a PostgreSQL database, which a program of its own copies while "
                "it is in use: pg_dump --format=custom --file=FILE DB_URL"
            )
        from models.storage.errors import UnreadableDatabase, UnusableDatabase
        from models.storage.sqlite.backup import BackupFailed, back_up
        from models.storage.sqlite.reader import check_there

        try:
            check_there(settings.db_file, "there is nothing to copy")
            readings = back_up(settings.db_file, options.file)
        except (BackupFailed, UnreadableDatabase, UnusableDatabase) as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            if options.file.exists():
                raise
            raise CommandError("interrupted before there was a copy") from None  # nobody may take it for done
        size = options.file.stat().st_size
        print(f"{printable(str(options.file))}: {readings:,} readings, {size / 1000:,.0f} kB, checked")
