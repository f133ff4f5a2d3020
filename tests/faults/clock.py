"""A clock that jumps, for one process: Debian's package faketime (libfaketime)."""

import time
from pathlib import Path

from tests.support.brokers import missing

_LIBRARY = "faketime/libfaketimeMT.so.1"


class JumpingClock:
    """The wall clock of the processes that are started with `environment`. Their monotonic clock is true."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.jump_to(0.0)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def jump_to(self, offset: float) -> None:
        """Set the clock `offset` seconds ahead of the true one."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset:+.3f}\n")
        new.replace(self._file)

    def jump_to_1970(self) -> None:
        """Set the clock to a minute after it began, as on a machine without a battery."""
        self.jump_to(60.0 - time.time())


def _library() -> Path:
    found = list(Path("/usr/lib").glob(f"*/{_LIBRARY}"))
    return found[0] if found else missing("libfaketime is not installed (Debian: faketime)")
