"""Child processes of a test: started, watched, signalled, and always ended by their process id."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from config.settings import SETTINGS
from tests.support.waiting import TIMEOUT, on_this_machine, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
MANAGE = ROOT / "manage.py"
# A role ends within this many seconds of being told to, where nothing else takes the processors.
END_TIMEOUT = 5.0


class Process:
    """A child process whose output goes to files in `folder`, which keep what every start of it wrote."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        working_folder: Path | None = None,
    ) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self._working_folder = working_folder or folder
        self._stdout_path = folder / f"{name}.stdout"
        self._stderr_path = folder / f"{name}.stderr"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        with self._stdout_path.open("ab") as stdout, self._stderr_path.open("ab") as stderr:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=self._environment,
                cwd=self._working_folder,
                start_new_session=True,
            )
        return self

    @property
    def pid(self) -> int:
        return self._started.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def stdout(self) -> str:
        return self._stdout_path.read_text(errors="replace")

    @property
    def stderr(self) -> str:
        return self._stderr_path.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        self._started.send_signal(number)

    def wait(self, timeout: float = TIMEOUT) -> int:
        """Return the exit status (negative: the signal it ended by); fail if it takes longer."""
        try:
            return self._started.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {timeout:g} s:\n{self.stderr}") from None

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = TIMEOUT) -> int:
        """Send a signal and return the exit status."""
        self.send(number)
        return self.wait(timeout)

    def kill(self) -> None:
        """End it by SIGKILL, as a crash would."""
        assert self.stop(signal.SIGKILL) == -signal.SIGKILL, f"{self.name} had ended already:\n{self.stderr}"

    def terminate(self) -> None:
        """Send SIGTERM, if it is running, and go on."""
        if self.running:
            self.send(signal.SIGTERM)

    def end(self) -> None:
        """End it in any case; nothing happens if it has ended."""
        self.terminate()
        if self._process is None:
            return
        try:
            self._process.wait(2 * END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def _started(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, f"{self.name} was not started"
        return self._process


class Role(Process):
    """`manage.py COMMAND`, run as a user runs it, in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        command: str,
        *arguments: str,
        name: str | None = None,
        environment: Mapping[str, str] | None = None,
        program: Path = MANAGE,
    ) -> None:
        """`environment` holds settings; those of the surroundings are taken out."""
        name = name or command
        self._health_file = folder / f"{name}.health"
        super().__init__(
            name,
            [sys.executable, str(program), command, *arguments],
            folder,
            environment=settings_only({"HEALTH_FILE": str(self._health_file), **(environment or {})}),
        )

    def start(self) -> Self:
        self._health_file.unlink(missing_ok=True)
        return super().start()

    def start_and_wait(self) -> Self:
        """Start it, and wait until it is connected and at work."""
        self.start()
        self.wait_healthy()
        return self

    @property
    def healthy(self) -> bool:
        """Whether it has been connected and at work since its start."""
        return self._health_file.exists()

    def wait_healthy(self, timeout: float = TIMEOUT) -> None:
        def is_healthy() -> bool:
            assert self.running, f"{self.name} ended:\n{self.stderr}"
            return self.healthy

        wait_for(is_healthy, lambda: f"{self.name} is at work; its log:\n{self.stderr}", timeout)

    def wait_for_log(self, text: str, timeout: float = TIMEOUT) -> None:
        """Wait until `text` stands in the log."""
        wait_for(lambda: text in self.stderr, lambda: f"{text!r} in the log:\n{self.stderr}", timeout)

    def log_lines(self, *levels: str) -> list[str]:
        """Return the lines of the log that have one of `levels`."""
        return [line for line in self.stderr.splitlines() if any(f"| {level}" in line for level in levels)]

    def complaints(self, about: str = "") -> list[str]:
        """Return the warnings and errors in the log, or those that contain `about`."""
        return [line for line in self.log_lines("WARNING", "ERROR") if about in line]

    def wait_for_complaint(self, about: str = "") -> None:
        wait_for(lambda: self.complaints(about), lambda: f"a complaint in the log:\n{self.stderr}")

    def assert_no_traceback(self) -> None:
        assert "Traceback" not in self.stderr, f"{self.name}:\n{self.stderr}"

    @property
    def cpu_seconds(self) -> float:
        """The processor time it has taken so far. Linux only."""
        return cpu_seconds(self.pid)


def end_well(number: signal.Signals, *roles: Role) -> None:
    """Send all a signal; fail unless each ends with status 0, in time, and with no traceback."""
    started = time.monotonic()
    for role in roles:
        role.send(number)
    for role in roles:
        status = role.wait()
        took = time.monotonic() - started
        assert status == 0, f"{role.name} ended with status {status} on {number.name}:\n{role.stderr}"
        allowed = on_this_machine(END_TIMEOUT)
        assert took < allowed, f"{role.name} took {took:.1f} s to end on {number.name}:\n{role.stderr}"
        role.assert_no_traceback()


def manage(
    *arguments: str,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    timeout: float = 2 * TIMEOUT,
) -> "subprocess.CompletedProcess[str]":
    """Run `manage.py` in `folder` to its end; return its exit status and output."""
    return subprocess.run(
        [sys.executable, str(MANAGE), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=folder,
        env=settings_only(environment or {}),
        timeout=timeout,
        check=False,
    )


def settings_only(settings: Mapping[str, str]) -> dict[str, str]:
    """Return our environment with `settings` in place of all settings that it may hold."""
    ours = {name: value for name, value in os.environ.items() if name.lower() not in SETTINGS}
    return ours | dict(settings)


def cpu_seconds(pid: int) -> float:
    """Return the seconds of processor time that a process has taken so far. Linux only.

    More exactly than /proc tells them, which counts hundredths of a second. Raises OSError for a process
    that has ended.
    """
    # the id of the clock is made as clock_getcpuclockid(3) makes it
    return time.clock_gettime(~pid << 3 | 2)


def peak_memory(pid: int) -> float:
    """Return the most memory that a process has held so far, in MB. Linux only."""
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmHWM" in line]
    return int(line.split()[1]) / 1024


def descendants(pid: int) -> set[int]:
    """Return the process ids of all children of `pid`, and of theirs. Linux only."""
    parents = {child: parent for child, parent, _ in _process_table()}
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in found | {pid}} - found:
        found |= more
    return found


def still_running(pids: set[int]) -> set[int]:
    """Return those of `pids` that run; one that has ended and waits to be collected does not."""
    return pids & {pid for pid, _, state in _process_table() if state != "Z"}


def _process_table() -> list[tuple[int, int, str]]:
    """Return process id, parent's process id and state of every process (proc(5))."""
    table = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:  # it has just ended
            continue
        state, parent = text.rpartition(")")[2].split()[:2]
        table.append((int(path.parent.name), int(parent), state))
    return table
