"""`manage.py` in a terminal of its own, whose size is known and whose screen can be read."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.processes import END_TIMEOUT, MANAGE, settings_only
from tests.support.waiting import on_this_machine, wait_for

_HOME = "\x1b[H"


class Terminal:
    """Runs a command while entered; `written` is all that it has drawn."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        environment: Mapping[str, str],
        lines: int = 12,
        columns: int = 100,
    ) -> None:
        self.written = ""
        self._command = [sys.executable, str(MANAGE), *arguments]
        self._folder = folder
        self._environment = settings_only(environment)
        self._size = struct.pack("HHHH", lines, columns, 0, 0)

    def __enter__(self) -> Self:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, self._size)
        self._process = subprocess.Popen(
            self._command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=self._folder,
            env=self._environment,
            start_new_session=True,
        )
        os.close(theirs)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._ours)

    @property
    def page(self) -> list[str]:
        """The lines that were drawn last, without what is for the terminal only."""
        self._read()
        _, _, page = self.written.rpartition(_HOME)
        return re.sub(r"\x1b\[\??[0-9]*[A-Za-z]", "", page).splitlines()

    def wait_for_page(self, *texts: str) -> list[str]:
        """Wait until all `texts` stand on a page; return it."""

        def found() -> list[str] | None:
            page = self.page
            return page if all(any(text in line for line in page) for text in texts) else None

        return wait_for(found, lambda: f"{texts} on the page:\n{self.written[-2000:]!r}")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def echoes(self) -> bool:
        """Whether the terminal shows what is typed."""
        return bool(termios.tcgetattr(self._ours)[3] & termios.ECHO)

    def type(self, keys: str) -> None:
        """Send what a keyboard would send."""
        os.write(self._ours, keys.encode())

    def wait_for_text(self, text: str) -> str:
        """Wait until `text` has been written; return all that has."""

        def found() -> str | None:
            self._read()
            return self.written if text in self.written else None

        return wait_for(found, lambda: f"{text!r} on the terminal:\n{self.written[-2000:]!r}")

    def wait(self) -> int:
        """Read to the end, and return the exit status."""
        return wait_for(self._ended, lambda: f"its end:\n{self.written[-2000:]!r}")[0]

    def interrupt(self) -> int:
        """Send SIGINT, read to the end, and return the exit status."""
        self._process.send_signal(signal.SIGINT)
        status = wait_for(self._ended, "its end", on_this_machine(END_TIMEOUT))
        return status[0]

    def _ended(self) -> tuple[int] | None:
        self._read()
        status = self._process.poll()
        if status is None:
            return None
        self._read()
        return (status,)

    def _read(self) -> None:
        while select.select([self._ours], [], [], 0)[0]:
            try:
                data = os.read(self._ours, 65536)
            except OSError:  # the other side is closed
                return
            if not data:
                return
            self.written += data.decode(errors="replace")
