"""The log: loguru on standard error, with the standard library's loggers passed through it."""

import logging
import sys
import time
from collections.abc import Callable, Iterator, MutableSequence
from contextlib import contextmanager
from traceback import format_exception
from typing import TYPE_CHECKING

from loguru import logger

from config.colors import colored
from config.text import printable

if TYPE_CHECKING:
    from loguru import Record

# The time is local (TZ), with its offset.
_FORMAT = "{time:YYYY-MM-DD HH:mm:ss Z} | <level>{level: <7}</level> | {extra[role]}: {message}"
# Libraries log at INFO what is a detail to our users: each run of a job, each packet. A job that fails is
# logged by the scheduler's own listener; rumqttd (in iotcore) calls every packet an error.
_LIBRARY_LEVELS = {
    "apscheduler": "CRITICAL",
    "iotcore": "WARNING",
    "rumqttd": "CRITICAL",
    "tracing": "WARNING",
    # it warns of each request that is no HTTP
    "uvicorn": "ERROR",
}


class _PassOn(logging.Handler):
    """Hands a record of the standard library's logging to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        name = record.levelname if record.levelname in logging.getLevelNamesMapping() else record.levelno
        logger.opt(exception=record.exc_info).log(name, f"{record.name}: {{}}", record.getMessage())


def _make_printable(record: "Record") -> None:
    """Escape all that a terminal would obey: topics, payloads and reasons come from outside.

    A message is one line. A traceback keeps its lines; its last line may repeat what came from outside.
    """
    lines = [printable(record["message"])]
    if (error := record["exception"]) is not None:
        traceback = "".join(format_exception(error.type, error.value, error.traceback))
        lines += [printable(line) for line in traceback.rstrip("\n").split("\n")]
        record["exception"] = None
    record["message"] = "\n".join(lines)


def configure_log(level: str, role: str) -> None:
    """Send all logs at or above `level` to standard error, with the name of the `role` in each line.

    At DEBUG the libraries' own details are shown too.
    """
    logger.remove()
    logger.configure(extra={"role": role}, patcher=_make_printable)
    logger.add(
        sys.stderr,
        level=level,
        format=_FORMAT,
        colorize=colored(sys.stderr),
        backtrace=False,
        diagnose=False,
    )
    logging.basicConfig(handlers=[_PassOn()], level="DEBUG" if level == "DEBUG" else "INFO", force=True)
    for name, library_level in _LIBRARY_LEVELS.items():
        logging.getLogger(name).setLevel("DEBUG" if level == "DEBUG" else library_level)


@contextmanager
def kept_log(lines: MutableSequence[str], level: str, role: str) -> Iterator[None]:
    """Keep what is logged in `lines` while the terminal is drawn on, and print it on leaving."""
    logger.remove()
    handler = logger.add(
        lambda line: lines.append(line.rstrip("\n")),
        level=level,
        format=_FORMAT,
        colorize=False,
        backtrace=False,
        diagnose=False,
    )
    try:
        yield
    finally:
        logger.remove(handler)
        configure_log(level, role)
        for line in lines:
            print(line, file=sys.stderr)


class LogLimit:
    """Lets one log line through for each reason and interval, and counts those it held back."""

    def __init__(self, interval: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        """`interval` is in seconds; `clock` tells the seconds of a clock that never jumps."""
        self._interval = interval
        self._clock = clock
        self._last: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def allows(self, reason: str) -> int | None:
        """Return how many lines were held back since the last one, or None to hold this one too."""
        now = self._clock()
        if now - self._last.get(reason, float("-inf")) < self._interval:
            self._held[reason] = self._held.get(reason, 0) + 1
            return None
        self._last[reason] = now
        return self._held.pop(reason, 0)


def more_like_it(held: int) -> str:
    """Return what to add to a line that goes through after `held` others like it were held back."""
    return f" ({held} more like it since the last such line)" if held else ""


def log_unexpected(errors: LogLimit, what: str, detail: str = "") -> None:
    """Log the exception that is being handled, with its traceback; once a minute for each `what`."""
    held = errors.allows(what)
    if held is not None:
        more = f"; {held} more since the last such line" if held else ""
        logger.exception("{} failed{}{}", what, f": {detail}" if detail else "", more)


def attempt(
    errors: LogLimit, what: str, work: Callable[[], object], *, but: tuple[type[Exception], ...] = ()
) -> bool:
    """Call `work`, which must not keep what comes after it from being done; return whether it succeeded.

    Raises only the errors named in `but`, which the caller knows how to tell.
    """
    try:
        work()
    except but:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, the rest must go on
        log_unexpected(errors, what)
        return False
    return True
