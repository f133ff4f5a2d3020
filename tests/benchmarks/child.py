"""A program that is measured, or that measures with us: it says in lines how far it is."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from tests.support.processes import END_TIMEOUT, ROOT

# Seconds. Long, since a million packets are built meanwhile.
TIMEOUT = 120.0


class Child:
    """A child process with pipes for lines, running while entered."""

    def __init__(self, name: str, command: Sequence[str], *, silent: bool = False) -> None:
        """`silent`: its output is of no interest."""
        self._name = name
        self._command = command
        self._output = subprocess.DEVNULL if silent else subprocess.PIPE

    @classmethod
    def module(cls, name: str, *arguments: object) -> "Child":
        """Return one of the programs in this folder."""
        return cls(name, [sys.executable, "-m", f"{__package__}.{name}", *map(str, arguments)])

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=self._output,
            text=True,
            cwd=ROOT,
            start_new_session=True,  # Ctrl-C is ours to handle
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.communicate(timeout=END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    @property
    def pid(self) -> int:
        return self._process.pid

    def expect(self, line: str, timeout: float = TIMEOUT) -> None:
        """Wait for a line of its output; fail if it says something else, ends, or takes so many seconds."""
        assert self._process.stdout is not None
        with self._ended_after(timeout):
            told = self._process.stdout.readline().rstrip("\n")
        assert told == line, f"{self._name} said {told!r} in place of {line!r}"

    def go(self) -> None:
        """Send it a line."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def wait(self, timeout: float = TIMEOUT) -> None:
        """Wait until it ends by itself; fail if that takes so many seconds."""
        with self._ended_after(timeout):
            status = self._process.wait()
        assert not status, f"{self._name} ended with status {status}"

    @contextmanager
    def _ended_after(self, seconds: float) -> Iterator[None]:
        timer = threading.Timer(seconds, self._process.kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
