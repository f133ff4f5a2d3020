"""Whether a disk is full, also where SQLite tells of an I/O error only."""

import os
from pathlib import Path

# Bytes that SQLite takes for the -shm of a file that nobody has open yet. Where they are not free it fails
# with an I/O error.
_LEAST_ROOM = 1 << 15


def is_full(path: Path, text: str) -> bool:
    """Whether SQLite failed with this text because there is no room where the file is."""
    return "disk is full" in text or ("disk I/O error" in text and _room(path) < _LEAST_ROOM)


def with_cause(path: Path, text: str) -> str:
    """Return what SQLite says of a failure, and that the disk is full, where it says that not by itself."""
    return f"{text}: the disk is full" if is_full(path, text) and "full" not in text else text


def _room(path: Path) -> float:
    """Return how many bytes are free where the file is; infinity where that cannot be told."""
    try:
        found = os.statvfs(path.resolve().parent)
    except OSError:
        return float("inf")
    return found.f_bavail * found.f_frsize
