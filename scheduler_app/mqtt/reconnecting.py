"""How an outage of the broker is told and waited for."""

import random

from loguru import logger

from config.broker_address import BrokerAddress

# Seconds.
_LEAST_PAUSE, _MOST_PAUSE = 1.0, 30.0


class Backoff:
    """The pauses between tries: none before the first, then doubling, with some chance in them."""

    def __init__(self) -> None:
        self._pause = 0.0

    def next(self) -> float:
        """Return how many seconds to wait before the next try."""
        pause = self._pause
        self._pause = min(max(2 * pause, _LEAST_PAUSE), _MOST_PAUSE)
        return pause * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Start over; what was tried has worked. One short pause stays, so that nothing spins."""
        self._pause = _LEAST_PAUSE


class OutageLog:
    """Tells an outage of the broker in one line, and its end in another."""

    def __init__(self, address: BrokerAddress, *, quiet: bool = False) -> None:
        """`quiet` logs at DEBUG only, for a second connection to the same broker."""
        self._address = address
        self._quiet = quiet
        self._kind: str | None = None
        # What is wrong now, in one line; None if nothing is known to be.
        self.trouble: str | None = None

    def over(self) -> None:
        self._kind = self.trouble = None
        self._log("INFO", f"connected to the broker at {self._address}")

    def unreachable(self, error: BaseException) -> None:
        reason = getattr(error, "strerror", None) or str(error)
        self._tell("away", "WARNING", f"no broker answers at {self._address}: {reason}")

    def refused(self, reason: str) -> None:
        self._tell("refused", "ERROR", f"the broker at {self._address} refuses us: {reason}")

    def lost(self, reason: str) -> None:
        known = "" if reason == "Unspecified error" else f": {reason}"
        self._tell("away", "WARNING", f"lost the connection to the broker at {self._address}{known}")

    def _tell(self, kind: str, level: str, line: str) -> None:
        if self._kind != "refused":
            self.trouble = line
        if self._kind not in (kind, "refused"):
            self._log(level, f"{line}; trying again until it works")
            self._kind = kind

    def _log(self, level: str, line: str) -> None:
        logger.log("DEBUG" if self._quiet else level, "{}", line)
