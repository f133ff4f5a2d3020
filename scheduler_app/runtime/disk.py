"""How much room there is where the database is."""

import shutil
from pathlib import Path
from typing import NamedTuple

# Less free disk than either is little: bytes, and the share of the whole.
_LITTLE, _LITTLE_SHARE = 500_000_000, 0.05


class Disk(NamedTuple):
    """The file system that the database is on, in bytes."""

    free: int
    total: int

    @property
    def is_low(self) -> bool:
        """Whether it may soon be full."""
        return self.free < _LITTLE or self.free < _LITTLE_SHARE * self.total


def disk_of(path: Path) -> Disk | None:
    """Return how much room there is where a file is, or would be; None if that cannot be told."""
    try:
        usage = shutil.disk_usage(path.absolute().parent)
    except OSError:
        return None
    return Disk(usage.free, usage.total)
