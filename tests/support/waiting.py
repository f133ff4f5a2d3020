"""Waiting for a condition, with a deadline; never a bare sleep."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Seconds. Long, since a loaded machine is no failure; what is waited for comes much sooner.
TIMEOUT = 60.0
_POLL = 0.02


def on_this_machine(seconds: float) -> float:
    """Return how long `seconds` of a machine with nothing else to do may take on this one.

    Where the load of the last minute is more than there are processors, each of us gets its share.
    """
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def wait_for(condition: Callable[[], T | None], what: str | Callable[[], str], timeout: float = TIMEOUT) -> T:
    """Return the first true value of `condition()`; fail, telling `what` was expected, after `timeout` s."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            told = what if isinstance(what, str) else what()
            raise AssertionError(f"not within {timeout:g} s: {told}")
        time.sleep(_POLL)
    return value


def stays(condition: Callable[[], object], what: str, seconds: float) -> None:
    """Fail, telling `what` was expected to last, unless `condition()` is true for all of `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), f"did not last {seconds:g} s: {what}"
        time.sleep(_POLL)
