"""The databases that readings can be kept in, so that one test can be run over each of them."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg

from models.storage.interface import Database, WritingStore
from models.storage.postgresql.claim import Writer
from models.storage.postgresql.connection import PatientConnection
from models.storage.postgresql.database import PostgresqlDatabase
from models.storage.postgresql.store import PostgresqlStore
from models.storage.sqlite.database import SqliteDatabase
from tests.support.postgresql import Database as RealDatabase


class NoClaim:
    """Lets anybody write, as several members do."""

    def take(self, connection: PatientConnection, writer: Writer, *, again: bool) -> None:
        """Take nothing."""


class Kind(Protocol):
    """A database, and a look into it that does not go through the code under test."""

    database: Database

    def store(self, member: str = "me", now: Callable[[], float] = time.time) -> WritingStore:
        """Return a store, which the test closes."""

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what `sql` gives; in it, {series} is the column of a reading's series."""

    def breaking(self, table: str) -> Any:
        """Have every insertion into a table fail while inside, with the words `no luck`."""

    @property
    def counters(self) -> dict[str, int]:
        """Return the counters that are not 0, and no `since`."""


class Sqlite:
    """A database file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.database: Database = SqliteDatabase(path)
        self.database.prepare()

    def store(self, member: str = "me", now: Callable[[], float] = time.time) -> WritingStore:
        return self.database.writing_store(member)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._path)) as connection:
            return connection.execute(sql.format(series="series_id")).fetchall()

    @contextmanager
    def breaking(self, table: str) -> Iterator[None]:
        with closing(sqlite3.connect(self._path)) as connection:
            connection.execute(
                f"CREATE TRIGGER broken BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no luck'); END"
            )
            yield
            connection.execute("DROP TRIGGER broken")

    @property
    def counters(self) -> dict[str, int]:
        query = "SELECT name, sum(value) FROM counter WHERE name NOT IN ('since', 'sequence') GROUP BY name"
        return dict(self.query(query))


class Postgresql:
    """A database on a server."""

    def __init__(self, real: RealDatabase) -> None:
        self._url = real.url
        self.database: Database = PostgresqlDatabase(real.url, real.url)
        self.database.prepare()

    def store(self, member: str = "me", now: Callable[[], float] = time.time) -> PostgresqlStore:
        return PostgresqlStore(self._url, self._url, member, NoClaim(), now)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._url, autocommit=True) as connection:
            return connection.execute(sql.format(series="series")).fetchall()

    @contextmanager
    def breaking(self, table: str) -> Iterator[None]:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(
                "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'no luck'; END $$"
            )
            connection.execute(
                f"CREATE TRIGGER broken BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fail()"
            )
            yield
            connection.execute(f"DROP TRIGGER broken ON {table}")
            connection.execute("DROP FUNCTION fail()")

    @property
    def counters(self) -> dict[str, int]:
        with self.database.reader() as stored:
            counts = stored.counters()
        return {name: count for name, count in counts.items() if name != "since"}
