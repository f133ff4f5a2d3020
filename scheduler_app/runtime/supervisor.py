"""Runs other roles as child processes that end together."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import Self

from scheduler_app.runtime.lifecycle import StopSignal

_MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
# Seconds that a child may take until it is at work; after that the next one is started all the same. And
# seconds that all of them together may take to end.
_START_TIMEOUT = 10.0
_END_TIMEOUT = 4.5
# Seconds between two looks at the children.
_POLL = 0.05


class Supervisor:
    """Starts children one after the other; when one ends, or this process is told to stop, ends them all.

    Each child's standard input is a pipe from this process, and closes when it ends in whatever way. Each
    child is in a session of its own, so that Ctrl-C reaches this process alone and the children end in order.
    """

    def __init__(
        self,
        stop: StopSignal,
        folder: Path,
        environment: Mapping[str, str],
        *,
        working_folder: Path | None = None,
        log: Path | None = None,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """`folder` is for the children's health files; the clock `elapsed` tells seconds and never jumps.

        The children work in our own folder, and log to our own standard error, if nothing else is given.
        """
        self._stop = stop
        self._folder = folder
        self._environment = environment
        self._working_folder = working_folder
        self._log = log
        self._elapsed = elapsed
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        deadline = self._elapsed() + _END_TIMEOUT
        # the last one first: what the publisher still sends is then stored by the subscriber
        for child in reversed(self._children.values()):
            child.terminate()
            try:
                child.wait(max(0.1, deadline - self._elapsed()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            assert child.stdin is not None
            child.stdin.close()

    def start(self, command: str, *arguments: str) -> bool:
        """Start `manage.py command` and wait until it is at work; False if we are to stop."""
        if self._stop.requested:
            return False
        health_file = self._folder / command
        with self._log.open("ab") if self._log is not None else nullcontext() as log:
            self._children[command] = subprocess.Popen(
                [sys.executable, str(_MANAGE), command, *arguments, "--stop-at-eof"],
                stdin=subprocess.PIPE,
                stderr=log,
                cwd=self._working_folder,
                env={**self._environment, "HEALTH_FILE": str(health_file)},
                start_new_session=True,
            )
        deadline = self._elapsed() + _START_TIMEOUT
        while not health_file.exists() and self._elapsed() < deadline and not self._stop.requested:
            self._look()
            self._stop.wait(_POLL)
        return not self._stop.requested

    def watch(self) -> None:
        """Return when a child has ended, or we are told to stop."""
        while not self._stop.requested:
            self._look()
            self._stop.wait(_POLL)

    def _look(self) -> None:
        for name, child in self._children.items():
            if child.poll() is not None:
                self._stop.request(
                    failure=f"{name} ended {_ending(child.returncode)}, so everything is stopped"
                )


def _ending(returncode: int) -> str:
    if returncode < 0:
        return f"by {signal.Signals(-returncode).name}"
    return f"with exit status {returncode}" + (" (its own message above says why)" if returncode else "")
