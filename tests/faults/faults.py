"""What is done to the processes. Chances are drawn from a fixed seed."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

from tests.faults.load import Load
from tests.faults.verdict import storing
from tests.support.brokers import Broker
from tests.support.processes import Process, Role
from tests.support.waiting import wait_for

SEED = 20260
_HOLD = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(3600)
"""


def kill_at_work(subscriber: Role, database: Path, load: Load, times: int) -> None:
    """Kill the running `subscriber` and start it again, until it has died `times` times.

    One life in four ends while it starts, 0.15 to 0.5 s old; the others end when they are storing
    again, up to 0.5 s later.
    """
    random = Random(SEED)
    for life in range(times):
        if life:
            subscriber.start()
        if random.random() < 0.25:
            time.sleep(random.uniform(0.15, 0.5))
        else:
            storing(database, lambda: load.done)
            time.sleep(random.choice([0.0, random.uniform(0.0, 0.15), random.uniform(0.15, 0.5)]))
        subscriber.kill()


def kill(broker: Broker) -> None:
    """End a broker by SIGKILL and start it again."""
    broker.kill()
    broker.start()


def terminate(broker: Broker) -> None:
    """End a broker by SIGTERM and start it again."""
    broker.stop()
    broker.start()


@contextmanager
def held_by_another_process(database: Path) -> Iterator[None]:
    """Have another process hold the database's write lock while inside."""
    holder = Process("holder", [sys.executable, "-c", _HOLD, str(database)], database.parent)
    before = holder.start().stdout.count("held")
    wait_for(lambda: holder.stdout.count("held") > before, "the lock is held")
    try:
        yield
    finally:
        holder.kill()


@contextmanager
def stopped(process: Process) -> Iterator[None]:
    """Stop a process by SIGSTOP while inside."""
    process.send(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send(signal.SIGCONT)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """Mount a small file system at `folder` while inside; yields whether that is permitted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Fill the file system that `folder` is on, to the last byte, while inside."""
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            for size in (65536, 4096, 1):
                _write_until_full(file.fileno(), bytes(size))
        yield
    finally:
        filler.unlink()


@contextmanager
def no_file_grows_beyond(process: Process, size: int) -> Iterator[None]:
    """Make each write of `process` beyond `size` bytes of a file fail (EFBIG) while inside."""
    soft, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (soft, hard))


def _write_until_full(descriptor: int, chunk: bytes) -> None:
    with suppress(OSError):  # no space left
        while os.write(descriptor, chunk):
            pass
