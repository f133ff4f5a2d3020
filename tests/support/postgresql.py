"""Real PostgreSQL servers on free ports of 127.0.0.1, as child processes, with a standby if one is wanted."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache, cached_property
from itertools import count
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import quote

from tests.support.brokers import find_program, missing, program_path
from tests.support.ports import HOST, free_port
from tests.support.processes import Process, descendants, still_running
from tests.support.waiting import wait_for

# Who may do everything, and who owns the databases and is used by our roles: an ordinary user.
SUPERUSER = "postgres"
USER = "averages"
_SETTINGS = {
    "listen_addresses": HOST,
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "50",
    "shared_buffers": "32MB",
    "log_line_prefix": "%m [%p] ",
    "timezone": "UTC",
    # a standby that is killed and comes back finds what it has missed
    "wal_keep_size": "512MB",
    # what waits for a standby that is gone ends soon when the server is stopped
    "wal_sender_timeout": "10s",
}
_SEPARATOR = "\x1f"
# PostgreSQL refuses to run as root. Debian's package has made this user; any other serves as well.
_OTHER_USERS = ("postgres", "nobody")
_names = count(1)


class PostgreSQL:
    """A server with its data in a folder of its own, which is removed by `end`.

    It can be stopped, killed and started again, always at the same port.
    """

    def __init__(
        self,
        name: str = "postgresql",
        *,
        settings: Mapping[str, str] | None = None,
        password: str | None = None,
        port: int | None = None,
        wal_segment_megabytes: int = 16,
    ) -> None:
        """Take `settings` as those of postgresql.conf; without a `password` everybody is let in.

        `wal_segment_megabytes`: the size of each file of the log; a power of two.
        """
        self.name = name
        self.password = password
        self.port = port or free_port()
        # No folder of pytest's: another user could not get there, and the path of a socket must be short.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._wal_segment_megabytes = wal_segment_megabytes
        self._settings = {**_SETTINGS, **(settings or {})}
        self._standbys: list[PostgreSQL] = []
        hand_over(self.folder)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> str:
        return self.process.stderr

    @cached_property
    def process(self) -> Process:
        """The first process of the server, which starts all others."""
        settings = {"port": str(self.port), "unix_socket_directories": str(self.folder), **self._settings}
        options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
        command = [*as_server_user(), program("postgres"), "-D", str(self.data), *options]
        return Process(self.name, command, self.folder, environment=_environment())

    def start(self) -> Self:
        """Start it, and wait until it answers. The first time, make its data before."""
        if not self.data.exists():
            self._make()
        self.process.start()
        self.wait_ready()
        return self

    def wait_ready(self) -> None:
        """Wait until it answers; fail if it has ended."""

        def answers() -> bool:
            assert self.process.running, f"PostgreSQL ended:\n{self.log}"
            return self._answers()

        wait_for(answers, lambda: f"PostgreSQL answers at port {self.port}; its log:\n{self.log}")

    def stop(self) -> None:
        """End it, and with it all connections (a "fast" shutdown)."""
        assert self.process.stop(signal.SIGINT) == 0, self.log

    def kill9(self) -> None:
        """End all of its processes by SIGKILL, as when the machine is gone."""
        family = {self.process.pid} | descendants(self.process.pid)
        # the first one last: its children would end by themselves, and tell their clients so
        self.process.send(signal.SIGSTOP)
        for pid in [*(family - {self.process.pid}), self.process.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        wait_for(lambda: not still_running(family), "all processes of PostgreSQL have ended")

    def restart(self) -> None:
        self.stop()
        self.start()

    def end(self) -> None:
        """End it in any case, and remove what it has written; its standbys before it."""
        for standby in self._standbys:
            standby.end()
        if "process" in self.__dict__ and self.process.running:
            family = {self.process.pid} | descendants(self.process.pid)
            for pid in family:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            # SIGQUIT ends it without a checkpoint: nobody will ever start it again
            self.process.send(signal.SIGQUIT)
            self.process.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def sql(self, statement: str, database: str = "postgres") -> list[list[str]]:
        """Execute a statement as the superuser; return its rows, each value as text and NULL as ''."""
        command = [program("psql"), "-XqAt", "-F", _SEPARATOR, "-v", "ON_ERROR_STOP=1", "-c", statement]
        done = subprocess.run(
            command,
            env=_environment() | self._connection(database),
            capture_output=True,
            text=True,
            timeout=120.0,
            check=False,
        )
        assert done.returncode == 0, f"{statement}: {done.stderr}"
        return [line.split(_SEPARATOR) for line in done.stdout.splitlines()]

    def set(self, **settings: str) -> None:
        """Change settings of the running server, and wait until they hold."""
        for name, value in settings.items():
            self.sql(f"ALTER SYSTEM SET {name} = {_literal(value)}")
        self.sql("SELECT pg_reload_conf()")
        wait_for(
            lambda: all(self.sql(f"SHOW {name}") == [[value]] for name, value in settings.items()),
            f"the settings hold: {settings}",
        )

    def new_database(self, *, tablespace: str = "pg_default") -> "Database":
        """Make an empty database, which USER owns."""
        name = f"test{next(_names)}"
        self.sql(f"CREATE DATABASE {name} OWNER {USER} TABLESPACE {tablespace}")
        return Database(self, name)

    def url(self, database: str, *others: "PostgreSQL", **parameters: str) -> str:
        """Return the address of a database as a setting: here, or at whichever of the others has it."""
        hosts = ",".join(f"{HOST}:{server.port}" for server in (self, *others))
        login = USER if self.password is None else f"{USER}:{quote(self.password, safe='')}"
        question = "?" if parameters else ""
        tail = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
        return f"postgresql://{login}@{hosts}/{database}{question}{tail}"

    def add_standby(
        self,
        *,
        synchronous: bool = True,
        name: str = "standby",
        port: int | None = None,
        by_port: int | None = None,
    ) -> "PostgreSQL":
        """Start a standby of this running server at a `port`, and wait until it follows.

        If it is `synchronous`, each COMMIT here waits until it has written down what is committed. `by_port`:
        where it reaches this server, if there is something in between.
        """
        standby = PostgreSQL(name, settings=self._settings, password=self.password, port=port)
        self._standbys.append(standby)
        follow = f"host={HOST} port={by_port or self.port} user={SUPERUSER} application_name={name}"
        command = [*as_server_user(), program("pg_basebackup"), "-D", str(standby.data), "-d", follow, "-R"]
        command += ["--checkpoint=fast", "--no-sync"]
        _run(command, _environment() | {"PGPASSWORD": self.password or ""}, self.folder)
        standby.start()
        wait_for(lambda: self.standby_state(name) is not None, lambda: f"a standby; its log:\n{standby.log}")
        if synchronous:
            self.set(synchronous_standby_names=name)
            wait_for(lambda: self.standby_state(name) == "sync", "the standby is synchronous")
        return standby

    def standby_state(self, name: str = "standby") -> str | None:
        """Return `sync` or `async` for a standby that follows, None for one that does not."""
        query = f"SELECT sync_state FROM pg_stat_replication WHERE application_name = {_literal(name)}"
        rows = self.sql(f"{query} AND state = 'streaming'")
        return rows[0][0] if rows else None

    def promote(self) -> None:
        """Make a standby the primary; return when it takes in what is to be written."""
        assert self.sql("SELECT pg_promote(true, 60)") == [["t"]], self.log
        wait_for(lambda: self.sql("SELECT pg_is_in_recovery()") == [["f"]], "it is the primary")

    def hold_back_standby(self, name: str = "standby") -> int:
        """Send a standby nothing from now on, as if the way there were slow; return what to continue.

        That is a process id. A synchronous standby lets every COMMIT wait.
        """
        query = f"SELECT pid FROM pg_stat_replication WHERE application_name = {_literal(name)}"
        [[pid]] = self.sql(query)
        os.kill(int(pid), signal.SIGSTOP)
        return int(pid)

    def _make(self) -> None:
        command = [*as_server_user(), program("initdb"), "-D", str(self.data), "-U", SUPERUSER, "-E", "UTF8"]
        command += ["--locale=C", "--no-sync", f"--wal-segsize={self._wal_segment_megabytes}"]
        command += ["-A", "trust" if self.password is None else "scram-sha-256"]
        if self.password is not None:
            path = self.folder / "password"
            path.write_text(self.password)
            hand_over(path)
            command += ["--pwfile", str(path)]
        _run(command, _environment(), self.folder)
        self.process.start()
        self.wait_ready()
        secret = "" if self.password is None else f" PASSWORD {_literal(self.password)}"
        self.sql(f"CREATE ROLE {USER} LOGIN{secret}")
        self.stop()

    def _answers(self) -> bool:
        done = subprocess.run(
            [program("psql"), "-XqAt", "-c", "SELECT 1"],
            env=_environment() | self._connection("postgres"),
            capture_output=True,
            check=False,
        )
        return done.returncode == 0

    def _connection(self, database: str) -> dict[str, str]:
        """Return how `psql` connects as the superuser."""
        return {
            "PGHOST": str(self.folder),
            "PGPORT": str(self.port),
            "PGUSER": SUPERUSER,
            "PGDATABASE": database,
            "PGPASSWORD": self.password or "",
            "PGCONNECT_TIMEOUT": "10",
            # what a test arranges does not wait for a standby
            "PGOPTIONS": "-c synchronous_commit=local",
        }


class Database(NamedTuple):
    """An empty database of a running server, for one test."""

    server: PostgreSQL
    name: str

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    def sql(self, statement: str) -> list[list[str]]:
        return self.server.sql(statement, self.name)

    def drop(self) -> None:
        """Remove it, whoever is connected to it."""
        self.server.sql(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")


def program(name: str) -> str:
    """Return the path of a program of PostgreSQL's; without it a test cannot run."""
    return find(name) or missing(f"PostgreSQL is not installed: there is no {name}")


@cache
def find(name: str) -> str | None:
    """Return the path of a program of PostgreSQL's, of the newest version that is installed.

    Debian has them in a folder for each version, and Homebrew too; neither is on the PATH.
    """
    homes = (("/usr/lib/postgresql", "*/bin"), ("/opt/homebrew/opt", "postgresql@*/bin"))
    folders = [folder for home, pattern in homes for folder in Path(home).glob(pattern)]
    folders.sort(key=lambda folder: int("0" + re.sub(r"\D", "", folder.parent.name)), reverse=True)
    found = next((folder / name for folder in folders if (folder / name).exists()), None)
    return program_path(name) if found is None else str(found)


def _other_user() -> pwd.struct_passwd | None:
    """Return as which other user a server runs; None if it runs as ours."""
    if os.geteuid():
        return None
    users = {user.pw_name: user for user in pwd.getpwall()}
    found = next((users[name] for name in _OTHER_USERS if name in users), None)
    return found or missing("PostgreSQL does not run as root, and there is no other user")


def as_server_user() -> list[str]:
    """Return what stands before a command that another user is to run."""
    user = _other_user()
    if user is None:
        return []
    ids = ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid)]
    return [find_program("setpriv"), *ids, "--clear-groups"]


def hand_over(path: Path) -> None:
    """Give a file or folder to the user as whom a server runs."""
    if user := _other_user():
        os.chown(path, user.pw_uid, user.pw_gid)


def _environment() -> dict[str, str]:
    """Return ours, without what would tell PostgreSQL's programs to connect elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _run(command: list[str], environment: Mapping[str, str], folder: Path) -> None:
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120.0, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def _literal(text: str) -> str:
    """Return a text as it stands in SQL."""
    return "'" + text.replace("'", "''") + "'"
