"""What is done to a server."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.brokers import find_program
from tests.support.postgresql import SUPERUSER, Database, PostgreSQL, as_server_user
from tests.support.processes import descendants, still_running


def connect(database: Database) -> Any:
    """Return a connection of the superuser's, which the caller closes; each statement is a transaction."""
    psycopg = pytest.importorskip("psycopg", reason="requirements-postgresql.txt is not installed")
    server = database.server
    return psycopg.connect(
        host=str(server.folder),
        port=server.port,
        user=SUPERUSER,
        password=server.password,
        dbname=database.name,
        options="-c statement_timeout=0 -c synchronous_commit=local",
        autocommit=True,
    )


@contextmanager
def locked(database: Database, table: str) -> Iterator[None]:
    """Let nobody write to a table while inside."""
    with connect(database) as connection, connection.transaction():
        connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        yield


@contextmanager
def reading_for_long(database: Database, table: str) -> Iterator[None]:
    """Have somebody read a table in a transaction that does not end while inside."""
    with connect(database) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute(f"SELECT count(*) FROM {table}")
        yield


@contextmanager
def no_file_grows_beyond(server: PostgreSQL, size: int) -> Iterator[None]:
    """Cut short each write of the server's beyond `size` bytes of a file while inside."""
    limit(server, str(size))
    try:
        yield
    finally:
        limit(server, "unlimited")


def limit(server: PostgreSQL, size: str) -> None:
    """Set how far a file may grow for all processes of a server, and those that it starts.

    As its own user, since even root may not everywhere.
    """
    for pid in [server.process.pid, *descendants(server.process.pid)]:
        command = [*as_server_user(), find_program("prlimit"), "--pid", str(pid), f"--fsize={size}:"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not still_running({pid}), done.stderr


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """Stop a process by SIGSTOP while inside."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
