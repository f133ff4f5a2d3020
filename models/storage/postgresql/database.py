"""The database that DB_URL names: a Database, which is described in models/storage/interface.py."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from models.storage.errors import UnreadableDatabase, UnusableDatabase
from models.storage.interface import Durability
from models.storage.postgresql.connection import Server, reading
from models.storage.postgresql.opening import prepare, why_unknown
from models.storage.postgresql.reader import ReadingSource, StoreReader
from models.storage.postgresql.store import PostgresqlStore


class PostgresqlDatabase:
    """Nothing is opened before a method is called."""

    def __init__(self, url: str, shown: str) -> None:
        """`url` is as libpq takes it, `shown` the same without a password."""
        self._url = url
        self.place = shown
        self.name = f"DB_URL={shown}"

    def prepare(self) -> None:
        prepare(Server(self._url, self.place, "averages preparing", writes=True))

    @contextmanager
    def sole_owner(self) -> Iterator[None]:
        """Do nothing: the connection that writes owns the database as long as it lives (claim.py)."""
        yield

    def writing_store(self, member: str) -> PostgresqlStore:
        return PostgresqlStore(self._url, self.place, member)

    def reader(self) -> AbstractContextManager[StoreReader]:
        # what was written just now may not have reached a standby
        return self._reading(writes=True)

    def reader_for_commands(self) -> AbstractContextManager[StoreReader]:
        """Return that of any host: to look at what is stored, a standby is good enough."""
        return self._reading(writes=False)

    # It is always found as it is: nothing is created, nor brought up to date, by those who only read.
    reader_as_it_is = reader_for_commands

    @contextmanager
    def _reading(self, *, writes: bool) -> Iterator[StoreReader]:
        server = Server(self._url, self.place, "averages reading", writes=writes)
        with reading(server):
            try:
                why = why_unknown(server.driver, self.name)
            except UnusableDatabase as error:
                why = str(error)
            if why is not None:
                raise UnreadableDatabase(why)
            yield StoreReader(server)

    def source(self) -> ReadingSource:
        return ReadingSource(Server(self._url, self.place, "averages statistics", writes=True))

    def size(self) -> int:
        """Return the bytes that the database takes on the server. Raises UnreadableDatabase."""
        with self.reader() as stored:
            return stored.size()

    def durability(self) -> Durability:
        with self.reader() as stored:
            return stored.durability()
