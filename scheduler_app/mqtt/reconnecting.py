"""How an outage of the broker is told and waited for."""

import random

from loguru import logger

from config.broker_address import BrokerAddress

# Seconds.
_LEAST_PAUSE, _MOST_PAUSE = 1.0, 30.0
# What stands behind a trouble in the log.
_AGAIN = "; trying again until it works"


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
        # Which kinds of trouble were told since all was well.
        self._told: set[str] = set()
        # What is wrong now, in one line; None if nothing is known to be.
        self.trouble: str | None = None

    def over(self) -> None:
        self._told.clear()
        self.trouble = None
        self._log("INFO", f"connected to the broker at {self._address}")

    def away(self, line: str) -> None:
        """Tell in a whole line that there is no broker now. It may come back by itself."""
        self._tell("away", "WARNING", line)

    def silent(self, line: str, *, at_once: str = "") -> None:
        """Tell in a whole line that a broker does not answer, and what is tried `at_once` instead, if any.

        That may work, so there is no trouble yet.
        """
        before = self.trouble
        self._tell("silent", "WARNING", line, f"; {at_once}" if at_once else _AGAIN)
        if at_once:
            self.trouble = before

    def wrong(self, line: str) -> None:
        """Tell in a whole line what somebody must change before there will be a connection."""
        self._tell("refused", "ERROR", line)

    def refused(self, reason: str) -> None:
        self.wrong(f"the broker at {self._address} refuses us: {reason}")

    def lost(self, reason: str) -> None:
        known = "" if reason == "Unspecified error" else f": {reason}"
        self.away(f"lost the connection to the broker at {self._address}{known}")

    def _tell(self, kind: str, level: str, line: str, then: str = _AGAIN) -> None:
        if kind == "refused" or "refused" not in self._told:
            self.trouble = line
        if self._told.isdisjoint((kind, "refused")):
            self._log(level, f"{line}{then}")
            self._told.add(kind)

    def _log(self, level: str, line: str) -> None:
        logger.log("DEBUG" if self._quiet else level, "{}", line)
