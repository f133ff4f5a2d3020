"""A connection to the server: one that writes, or one that only reads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import peewee
import psycopg
from psycopg.conninfo import conninfo_to_dict

from models.storage.errors import UnreadableDatabase

# What libpq is told where the URL says nothing else: seconds, and for the last milliseconds. A server that is
# gone without a word is noticed after that long, and another host of the URL is tried.
_DEFAULTS: dict[str, str | int] = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "client_encoding": "UTF8",
}
# Whoever connects is told in these words that somebody must change something; libpq gives no code then.
_MISTAKES = (
    *("authentication failed", "does not exist", "no pg_hba.conf entry", "no password supplied"),
    *("permission denied", "certificate", "is not permitted to log in", "invalid"),
)
# The driver's errors, and peewee's where it has translated one of them.
ERRORS = (psycopg.Error, peewee.DatabaseError, peewee.InterfaceError)


class PatientConnection(psycopg.Connection[Any]):
    """A connection that lets something else be done, several times a second, while it waits."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # What is raised in it reaches whoever waits; the connection is of no use after that.
        self.while_waiting: Callable[[], None] | None = None

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        """Wait as the driver does, whose waiting tells its generator every 0.1 s that nothing has come."""
        look = self.while_waiting
        return super().wait(gen if look is None else _watched(gen, look), *args, **options)


def _watched(gen: Any, look: Callable[[], None]) -> Any:
    """Run a generator of the driver's, and call `look` whenever it is told that nothing has come."""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready:
                look()
            wanted = gen.send(ready)
    except StopIteration as end:
        return end.value


class Server(peewee.PostgresqlDatabase):
    """A database on a server, under the name that a user knows it by. Nothing is opened before it is used."""

    def __init__(self, url: str, shown: str, role: str, *, writes: bool = False) -> None:
        """`url` is as libpq takes it, `shown` without a password; `role` is what the server's lists call us.

        There is one connection, whichever thread uses it, one at a time. If it `writes`, or reads what was
        written just now, a host that is a standby is passed by, unless the URL says something else.
        """
        super().__init__("DB_URL", thread_safe=False, prefer_psycopg3=True)
        self.name = f"DB_URL={shown}"
        self._url = url
        self._defaults = _DEFAULTS | ({"target_session_attrs": "read-write"} if writes else {})
        self._role = role

    def _connect(self) -> PatientConnection:
        """Connect as peewee asks for it. Raises psycopg.Error."""
        parameters = self._defaults | conninfo_to_dict(self._url) | {"application_name": self._role}
        return PatientConnection.connect(**parameters, autocommit=True)  # type: ignore[arg-type]

    @property
    def driver(self) -> PatientConnection:
        """The driver's connection, opened if it must be."""
        connection: PatientConnection = self.connection()
        return connection


@contextmanager
def reading(server: Server) -> Iterator[None]:
    """Have a connection while inside. Raises UnreadableDatabase for what the server cannot do there."""
    try:
        with server.connection_context():
            yield
    except ERRORS as error:
        raise UnreadableDatabase(f"{server.name} cannot be read: {explain(error)}") from None


def explain(error: BaseException) -> str:
    """Return what an error says, in one line."""
    # what psycopg puts before the server's words tells nothing more
    text = " ".join(str(error).split()).removeprefix("connection failed: ")
    return text or type(error).__name__


def is_mistake(error: BaseException) -> bool:
    """Whether an error of connecting stays until somebody changes something."""
    if isinstance(error, psycopg.ProgrammingError | peewee.ProgrammingError):
        return True  # a parameter that libpq does not know
    text = str(error)
    return any(words in text for words in _MISTAKES)
