"""Which database the settings choose: the one place that knows which ones there are."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from config.settings import Settings
from models.storage.cluster import Cluster
from models.storage.errors import UnreadableDatabase
from models.storage.interface import Database, ReadingStore
from scheduler_app.errors import CommandError


def chosen_database(settings: Settings) -> Database:
    """Return the database at DB_URL, or else that in DB_FILE; nothing of it is opened yet.

    Raises CommandError if what it takes is not installed. Each is imported where it is chosen: most
    have only what the other needs.
    """
    if settings.db_url is None:
        from models.storage.sqlite.database import SqliteDatabase

        return SqliteDatabase(settings.db_file)
    if find_spec("psycopg") is None:
        raise CommandError(
            "DB_URL needs the library psycopg: type "
            "'.venv/bin/pip install -r requirements-postgresql.txt', or leave DB_URL out to use DB_FILE"
        )
    from models.storage.postgresql.database import PostgresqlDatabase

    return PostgresqlDatabase(settings.db_url.full, settings.db_url.shown)


def chosen_cluster(settings: Settings) -> Cluster:
    """Return the database at DB_URL, which several processes can share; nothing of it is opened yet.

    Raises CommandError if what it takes is not installed.
    """
    chosen_database(settings)
    assert settings.db_url is not None, "MEMBERS needs DB_URL, and so does what asks for this"
    from models.storage.postgresql.cluster import PostgresqlCluster

    return PostgresqlCluster(settings.db_url.full, settings.db_url.shown)


@contextmanager
def stored_readings(settings: Settings) -> Iterator[ReadingStore]:
    """Have a reading connection for a command while inside. Raises CommandError if there can be none."""
    try:
        with chosen_database(settings).reader_for_commands() as stored:
            yield stored
    except UnreadableDatabase as error:
        raise CommandError(str(error)) from None
