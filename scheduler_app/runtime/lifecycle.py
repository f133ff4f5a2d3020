"""How a role runs until it is told to stop."""

import argparse
import os
import resource
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType
from typing import Self

from loguru import logger

from scheduler_app.errors import CommandError
from scheduler_app.interrupts import STOP_SIGNALS
from scheduler_app.log import LogLimit
from scheduler_app.runtime.service_manager import ServiceManager

# Seconds between two touches of the health file, and between two looks while there is no health.
_HEALTH_INTERVAL = 2.0
_HEALTH_POLL = 0.1
# What `systemctl status` shows of us.
_AT_WORK = "connected and working"
_NOT_AT_WORK = "not connected, or what arrives cannot be stored: see the log"
_ENDING = "ending"
# Seconds between two looks at a condition.
_POLL = 0.02
# Seconds that a thread may take to end. A role ends within 5 s of being told to, even if a thread waits for
# the answer of a broker or a name server. Such a thread is a daemon, and ends with the process; a commit that
# is cut off by that loses nothing.
_END_TIMEOUT = 2.5


class StopSignal:
    """Collects requests to stop: from SIGINT and SIGTERM while entered, or from `request`.

    Leaving the context restores the former signal handlers.
    """

    def __init__(self) -> None:
        # SimpleQueue.put is reentrant, so a signal handler may call it at any moment;
        # threading.Event.set is not.
        self._requests: SimpleQueue[None] = SimpleQueue()
        self._former: dict[int, object] = {}
        self.requested = False
        self.failure: str | None = None

    def __enter__(self) -> Self:
        for number in STOP_SIGNALS:
            self._former[number] = signal.signal(number, self._on_signal)
        # the command line holds them back while a role is imported
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def request(self, failure: str | None = None) -> None:
        """Ask to stop; `failure` says why, if it is no ordinary end."""
        self.failure = self.failure or failure
        self.requested = True
        self._requests.put(None)

    def look(self) -> None:
        """Raise Stopped if a request to stop has come: for work that takes long, in any thread."""
        if self.requested:
            raise Stopped

    def wait(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds for a request to stop; return whether one has come."""
        if not self.requested:
            with suppress(Empty):
                self._requests.get(timeout=timeout)
        return self.requested

    def wake(self) -> None:
        """End a wait, though nothing was asked for."""
        self._requests.put(None)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.request()


class Stint(StopSignal):
    """A part of a role's life: it ends when the role is told to stop, or before that by `end`.

    A failure in it is one of the role. It has no signal handlers of its own.
    """

    def __init__(self, whole: StopSignal) -> None:
        self._whole = whole
        self._ended = threading.Event()

    @property
    def requested(self) -> bool:  # type: ignore[override]
        return self._ended.is_set() or self._whole.requested

    def request(self, failure: str | None = None) -> None:
        self._whole.request(failure)

    def end(self) -> None:
        """End it. Safe in any thread."""
        self._ended.set()
        self._whole.wake()

    def wait(self, timeout: float | None = None) -> bool:
        if not self.requested:
            self._whole.wait(timeout)
        return self.requested

    def rest(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for `end`: in a thread beside the one that waits for signals."""
        self._ended.wait(timeout)


def stop_at_end_of_input(stop: StopSignal) -> None:
    """Ask to stop when standard input closes, so that a child goes when its parent is killed."""

    def watch() -> None:
        # not through sys.stdin: a thread that holds its lock keeps the interpreter from ending
        while os.read(sys.stdin.fileno(), 4096):
            pass
        stop.request()

    threading.Thread(target=watch, name="stdin", daemon=True).start()


def serve(stop: StopSignal, healthy: Callable[[], bool], health_file: Path | None) -> None:
    """Wait until `stop`; while `healthy()`, say so every few seconds: to `health_file`, and to systemd.

    If the file cannot be touched, the log says so, and also when it can again; the role goes on.
    """
    manager = ServiceManager()
    if health_file is None and not manager:
        while not stop.wait():
            pass
        return
    file = None if health_file is None else _HealthFile(health_file)
    was_healthy = None
    while not stop.requested:
        is_healthy = healthy()
        if is_healthy:
            # READY=1 again each time: it does nothing the second time, and the first may not have arrived
            manager.tell("READY=1", "WATCHDOG=1", f"STATUS={_AT_WORK}")
            if file is not None:
                file.touch()
        elif was_healthy is not False:
            manager.tell(f"STATUS={_NOT_AT_WORK}")
        was_healthy = is_healthy
        stop.wait(_HEALTH_INTERVAL if is_healthy else _HEALTH_POLL)
    manager.tell("STOPPING=1", f"STATUS={_ENDING}")


class _HealthFile:
    """A file whose time says when the role was at work last."""

    def __init__(self, path: Path) -> None:
        """Remove what an earlier run has left at `path`."""
        self._path = path
        self._warnings = LogLimit()
        self._complained = False
        with suppress(OSError):  # to touch it will fail in the same way, and say so
            _remove(path)

    def touch(self) -> None:
        """Set its time to now. The log says if that cannot be done, and when it can again."""
        try:
            _touch(self._path)
        except OSError as error:
            if self._warnings.allows("health") is not None:
                self._complained = True
                logger.error("HEALTH_FILE={} cannot be written: {}", self._path, error.strerror)
        else:
            if self._complained:
                self._complained = False
                logger.info("HEALTH_FILE={} can be written again", self._path)


def _remove(path: Path) -> None:
    """Remove a file of an earlier run, or a symbolic link; a device such as /dev/null stays."""
    mode = path.lstat().st_mode
    if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
        path.unlink()


def _touch(path: Path) -> None:
    """Set the time of a file that nobody else may write. A symbolic link is not followed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o600)
    try:
        os.utime(descriptor)
    finally:
        os.close(descriptor)


def wait_until(
    condition: Callable[[], bool],
    timeout: float = float("inf"),
    *,
    elapsed: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> bool:
    """Wait up to `timeout` seconds for `condition`; return whether it became true."""
    deadline = elapsed() + timeout
    while not condition():
        if elapsed() > deadline:
            return False
        sleep(_POLL)
    return True


class Stopped(Exception):
    """Ends early what takes long, such as the body of `role`, as if it had returned: it was told to stop."""


@contextmanager
def role(options: argparse.Namespace) -> Iterator[StopSignal]:
    """Run the body until it is told to stop; CommandError if that was because of a failure."""
    _leave_no_core()
    with StopSignal() as stop:
        if options.stop_at_eof:
            stop_at_end_of_input(stop)
        with suppress(Stopped):
            yield stop
    if stop.failure:
        raise CommandError(stop.failure)


def _leave_no_core() -> None:
    """Keep a crash from writing a core file, which would hold the password of the broker.

    Only the soft limit is set, so that whoever looks for a fault can raise it again (`prlimit --core`).
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


@contextmanager
def background(
    name: str, run: Callable[[], None], end: Callable[[], None], stop: StopSignal
) -> Iterator[threading.Thread]:
    """Call `run` in a thread while inside; on leaving call `end` and wait for it to return.

    An error in `run` stops the role, since nobody would notice that a thread is gone.
    """

    def guarded() -> None:
        try:
            run()
        except Exception:  # noqa: BLE001 - whatever it is, it must be logged
            logger.exception("{} failed", name)
            stop.request(failure=f"{name} failed; the traceback is in the log above")

    thread = threading.Thread(target=guarded, name=name, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        end()
        thread.join(_END_TIMEOUT)
        if thread.is_alive():
            logger.warning("{} did not end within {} s", name, _END_TIMEOUT)
