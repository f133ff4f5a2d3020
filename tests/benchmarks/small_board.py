"""A subscriber that gets no more of this machine than a small board would give it."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scheduler_app.errors import CommandError

# Bytes that it may have: as much as a Raspberry Pi Zero 2 has in all.
MEMORY = 512 << 20
# What the table is called.
BOUNDS = f"half of one core, and {MEMORY >> 20} MB of memory"
# What takes the other half of the core. It ends with us.
_BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: sum(range(100_000))"


def leave_a_core() -> int:
    """Keep this process, and all that it starts from now on, off a core; return it. Raises CommandError."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise CommandError("--small-board needs a second core, for the broker and the load")
    os.sched_setaffinity(0, cores[1:])
    return cores[0]


@contextmanager
def bounded(pid: int, core: int) -> Iterator[None]:
    """Keep a process on that core, which another one keeps busy: the kernel gives half to each.

    That takes no rights, as a control group would.
    """
    resource.prlimit(pid, resource.RLIMIT_DATA, (MEMORY, MEMORY))
    competitor = subprocess.Popen(
        [sys.executable, "-c", _BUSY],
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is ours to handle
    )
    try:
        os.sched_setaffinity(competitor.pid, {core})
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})
        yield
    finally:
        competitor.kill()
        competitor.wait()
