"""Real brokers on free ports of 127.0.0.1, as child processes."""

import getpass
import os
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, NoReturn, Self
from urllib.parse import quote

import pytest

from tests.support.certificates import Certificates
from tests.support.ports import HOST, accepts_connections, free_port
from tests.support.processes import Process, Role
from tests.support.waiting import TIMEOUT, wait_for

# Where a package manager puts it is not on everybody's PATH.
_SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
# Nothing that was acknowledged is dropped, and everything is on disk after SIGTERM.
_MOSQUITTO_SETTINGS = ("persistence true", "max_queued_messages 0", "max_inflight_messages 1000")


class Login(NamedTuple):
    username: str
    password: str


@dataclass(frozen=True)
class Access:
    """How a client reaches a broker."""

    port: int
    scheme: str = "mqtt"
    login: Login | None = None
    authority: Path | None = None

    @property
    def url(self) -> str:
        login = ":".join(quote(part, safe="") for part in self.login) + "@" if self.login else ""
        return f"{self.scheme}://{login}{self.address}"

    @property
    def address(self) -> str:
        """What a log calls it."""
        return f"{HOST}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The settings by which a role reaches it."""
        settings = {"BROKER": self.url}
        if self.authority:
            settings["BROKER_CAFILE"] = str(self.authority)
        return settings


class Broker(ABC):
    """A broker that can be stopped, killed and started again, always at the same port."""

    # Whether sessions and what they hold outlive the process.
    persistent: bool
    # Seconds after which what is not acknowledged comes again on the same connection; 0: it does not.
    resends_after = 0.0
    # Seconds in which it must have started.
    patience = TIMEOUT
    # Settings that a role needs there, beside its address.
    settings: Mapping[str, str] = {}

    def __init__(self, access: Access) -> None:
        self.access = access

    @property
    def port(self) -> int:
        return self.access.port

    @property
    def address(self) -> str:
        return self.access.address

    @property
    def environment(self) -> dict[str, str]:
        return self.access.environment

    @property
    def log(self) -> str:
        return self.process.stderr

    @cached_property
    def process(self) -> Process:
        return self._process()

    @abstractmethod
    def _process(self) -> Process: ...

    def start(self) -> Self:
        """Start it, and wait until it accepts connections."""
        self.process.start()
        wait_for(self._accepts, lambda: f"a broker at port {self.port}; its log:\n{self.log}", self.patience)
        return self

    def stop(self) -> None:
        """End it by SIGTERM."""
        self.process.stop()

    def kill(self) -> None:
        """End it by SIGKILL."""
        self.process.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def end(self) -> None:
        """End it in any case, at the end of a test."""
        self.process.end()

    def _accepts(self) -> bool:
        assert self.process.running, f"the broker ended:\n{self.log}"
        return accepts_connections(self.port)


class Mosquitto(Broker):
    """Mosquitto with persistence in `folder`. Its log holds every packet, if not told otherwise."""

    persistent = True

    def __init__(
        self,
        folder: Path,
        *,
        login: Login | None = None,
        certificates: Certificates | None = None,
        client_certificates: bool = False,
        websockets: bool = False,
        port: int | None = None,
        settings: Sequence[str] = (),
        listener: Sequence[str] = (),
        log: Sequence[str] = ("all",),
    ) -> None:
        """`client_certificates` asks each client for one; `settings` are more lines of configuration.

        `listener`: those that must stand after the listener. `log`: the types of its messages that it logs.
        """
        scheme = "mqtts" if certificates else "ws" if websockets else "mqtt"
        super().__init__(
            Access(port or free_port(), scheme, login, certificates.authority if certificates else None)
        )
        self._folder = folder
        self._certificates = certificates
        self._client_certificates = client_certificates
        self._settings = settings
        self._listener = listener
        self._log = log

    def set_password(self, login: Login) -> None:
        """Write the password file; a running Mosquitto takes it at SIGHUP."""
        path = self._folder / "passwords"
        command = [find_program("mosquitto_passwd"), "-b", str(path), *login]
        path.touch(mode=0o600)
        subprocess.run(command, check=True, capture_output=True)

    def reload(self) -> None:
        """Have it read its configuration, passwords and rules anew."""
        self.process.send(signal.SIGHUP)

    def packets(self, what: str) -> list[str]:
        """Return the lines of the log with `what`, such as `Received PUBACK from averages-subscriber`."""
        return [line for line in self.log.splitlines() if what in line]

    def _process(self) -> Process:
        if self.access.login:
            self.set_password(self.access.login)
        path = self._folder / "mosquitto.conf"
        path.write_text("\n".join(self._configuration()) + "\n")
        return Process("mosquitto", [find_program("mosquitto"), "-c", str(path)], self._folder)

    def _configuration(self) -> list[str]:
        lines = [
            *_MOSQUITTO_SETTINGS,
            f"persistence_location {self._folder}/",
            # started by root it would become another user, who may not read our files
            f"user {getpass.getuser()}",
            "log_dest stderr",
            *(f"log_type {kind}" for kind in self._log),
            *self._settings,
        ]
        if self.access.login:
            lines += ["allow_anonymous false", f"password_file {self._folder}/passwords"]
        else:
            lines += ["allow_anonymous true"]
        if self.access.scheme == "ws":
            # Debian's refuses to start with no other listener, and listens everywhere without the last line
            lines += [f"listener {free_port()} {HOST}"]
            lines += [f"listener {self.port} {HOST}", "protocol websockets", "socket_domain ipv4"]
        else:
            lines += [f"listener {self.port} {HOST}"]
        lines += self._listener
        if self._certificates:
            lines += [
                f"cafile {self._certificates.authority}",
                f"certfile {self._certificates.server.certificate}",
                f"keyfile {self._certificates.server.key}",
                f"require_certificate {str(self._client_certificates).lower()}",
            ]
        return lines


class EmbeddedBroker(Broker):
    """Our own `manage.py broker`."""

    persistent = False

    def __init__(self, folder: Path) -> None:
        super().__init__(Access(free_port()))
        self._folder = folder

    def _process(self) -> Process:
        if find_spec("iotcore") is None:
            missing("the embedded broker is not installed")
        return Role(self._folder, "broker", "--host", HOST, "--port", str(self.port))


def missing(what: str) -> NoReturn:
    """Skip a test that cannot run here; fail it in CI, where everything must be there."""
    if os.environ.get("CI"):
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


def find_program(program: str) -> str:
    """Return the path of `program`; without it the test cannot run."""
    return program_path(program) or missing(f"{program} is not installed")


def program_path(program: str) -> str | None:
    """Return the path of `program`, if it is installed."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_FOLDERS}")
