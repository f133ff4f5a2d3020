"""The drivers of databases that peewee imports wherever they are installed, though nothing uses them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Of PostgreSQL; they take 10 MB.
_DRIVERS = ("psycopg", "psycopg2", "psycopg2cffi")


@contextmanager
def hidden_drivers() -> Iterator[None]:
    """Have these drivers appear not to be installed while inside, unless they have been imported before."""
    hidden = [name for name in _DRIVERS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None there is an ImportError
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
