"""A connection that is kept for small questions which are asked again and again."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from models.storage.errors import StoreUnavailable, UnreadableDatabase, UnusableDatabase
from models.storage.postgresql.connection import ERRORS, PatientConnection, Server, explain, is_mistake


@contextmanager
def asking(server: Server) -> Iterator[PatientConnection]:
    """Have a connection while inside, and keep it after that; after an error the next one is new.

    Raises StoreUnavailable, and UnusableDatabase for what somebody must change before one can connect.
    """
    opening = server.is_closed()
    try:
        yield server.driver
    except ERRORS as error:
        never_open = server.is_closed()
        leave(server)
        if opening and never_open and is_mistake(error):
            raise UnusableDatabase(f"{server.name} cannot be used: {explain(error)}") from None
        raise StoreUnavailable(explain(error)) from None
    except BaseException:
        leave(server)
        raise


@contextmanager
def looking(server: Server) -> Iterator[PatientConnection]:
    """Do the same for who only reads. Raises UnreadableDatabase."""
    try:
        with asking(server) as connection:
            yield connection
    except StoreUnavailable as error:
        raise UnreadableDatabase(f"{server.name} cannot be read: {error}") from None
    except UnusableDatabase as error:
        raise UnreadableDatabase(str(error)) from None


def leave(server: Server) -> None:
    """Close the connection, if there is one, in whatever state it is."""
    with suppress(*ERRORS):
        server.close()
