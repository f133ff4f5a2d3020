"""The watch for the broker's answer to our SUBSCRIBE."""

import time
from collections.abc import Callable, Sequence

from loguru import logger
from paho.mqtt.client import Client
from paho.mqtt.reasoncodes import ReasonCode

from scheduler_app.mqtt.packets import Unusual

# Seconds to wait for the answer to a SUBSCRIBE before it is sent again: at first, and at most.
SUBACK_TIMEOUT = (10.0, 60.0)


class Subscribing:
    """Sees to it that our SUBSCRIBE is answered: without an answer we are deaf, and would not know."""

    def __init__(
        self,
        topic_filters: Sequence[str],
        *,
        quiet: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`monotonic` returns seconds of a clock that nobody sets."""
        self._monotonic = monotonic
        self._topic_filters = topic_filters
        self._level = "DEBUG" if quiet else "WARNING"
        # The packet ids of those on this connection that may still be answered.
        self._packet_ids: set[int] = set()
        # When to send the next one, and how many seconds there are to be between it and the one after it.
        self._next: float | None = None
        self._pause = 0.0
        # What was told last; told again only after all was well.
        self._trouble = ""

    def forget(self) -> None:
        """There is a new connection, on which nothing is asked for yet."""
        self._packet_ids.clear()
        self._next = None
        self._pause, _ = SUBACK_TIMEOUT

    def ask(self, client: Client) -> None:
        _, packet_id = client.subscribe([(topic_filter, 1) for topic_filter in self._topic_filters])
        if packet_id is not None:
            self._packet_ids.add(packet_id)
        self._next = self._monotonic() + self._pause
        _, longest = SUBACK_TIMEOUT
        self._pause = min(2 * self._pause, longest)

    def tend(self, client: Client) -> None:
        """Ask again if it is time. Call it when all is read that has come."""
        if self._next is None or self._monotonic() < self._next:
            return
        if not self._trouble:
            self._tell(
                self._level, "the broker does not answer our SUBSCRIBE: nothing may come; asking again"
            )
        self.ask(client)

    def answered(self, packet_id: int, reasons: Sequence[ReasonCode]) -> bool:
        """Take a SUBACK; return whether it is the first that grants us all we ask for."""
        if packet_id not in self._packet_ids:
            return False
        if len(reasons) != len(self._topic_filters):
            raise Unusual(f"a SUBACK for {len(reasons)} of {len(self._topic_filters)} topic filters")
        for topic_filter, reason in zip(self._topic_filters, reasons, strict=True):
            if reason.is_failure:
                self._tell("ERROR", f"the broker refuses the subscription to {topic_filter}: {reason}")
                return False
        self.forget()
        self._trouble = ""
        return True

    def _tell(self, level: str, line: str) -> None:
        if line != self._trouble:
            logger.log(level, "{}", line)
            self._trouble = line
