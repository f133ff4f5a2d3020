"""Brokers that are written in Erlang: what they have in common."""

import os
import threading
from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Self

from tests.support.brokers import Access, Broker, Login, find_program, missing
from tests.support.ports import HOST, accepts_connections, free_port
from tests.support.processes import Process
from tests.support.waiting import wait_for


class ErlangBroker(Broker):
    """A broker with everything it writes in `folder`, and a port mapper of its own.

    Erlang's port mapper (epmd) would else be started in the background, and outlive the test.
    """

    persistent = True
    # Erlang's machine takes much of the processors while it starts.
    patience = 180.0

    def __init__(
        self, folder: Path, login: Login | None = None, *, beside: "ErlangBroker | None" = None
    ) -> None:
        """Build it; `beside`: the first node of a cluster, whose port mapper and secret this one shares."""
        super().__init__(Access(free_port(), login=login))
        self._folder = folder
        self._first = beside or self
        self._mapper_port = free_port()
        self._starting_mapper = threading.Lock()

    @cached_property
    def _mapper(self) -> Process:
        command = [find_program("epmd"), "-address", HOST, "-port", str(self._mapper_port)]
        return Process("epmd", command, self._folder)

    def start(self) -> Self:
        self._first.start_mapper()
        return super().start()

    def start_mapper(self) -> None:
        """Start the port mapper, unless it runs. Safe in any thread: the nodes of a cluster start at once."""
        with self._starting_mapper:
            if not self._mapper.running:
                self._mapper.start()
                wait_for(lambda: accepts_connections(self._mapper_port), "Erlang's port mapper")

    def end(self) -> None:
        super().end()
        if self._first is self:
            self._mapper.end()

    @property
    def log(self) -> str:
        return self.process.stdout + self.process.stderr

    def _process(self) -> Process:
        surroundings = {
            name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))
        }
        own = {
            # the secret that nodes share is made here
            "HOME": str(self._first._folder),
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(self._first._mapper_port),
            "ERL_CRASH_DUMP": str(self._folder / "erl_crash.dump"),
        }
        command, environment = self._program()
        return Process(
            type(self).__name__.lower(),
            command,
            self._folder,
            environment=surroundings | own | dict(environment),
        )

    @abstractmethod
    def _program(self) -> tuple[list[str], Mapping[str, str]]:
        """Return the command, and its part of the environment."""


def first_of(paths: list[Path], what: str) -> Path:
    """Return the first path there is; without one the test cannot run."""
    return next((path for path in paths if path.exists()), None) or missing(f"{what} is not installed")
