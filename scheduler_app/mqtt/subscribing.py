"""The watch for the broker's answer to our SUBSCRIBE."""

import time
from collections.abc import Callable, Sequence

from loguru import logger
from paho.mqtt.client import Client
from paho.mqtt.reasoncodes import ReasonCode

from config.text import listed
from scheduler_app.mqtt.packets import Unusual

# Seconds to wait for the answer to a SUBSCRIBE before it is sent again, and after a refusal: at first, and
# at most.
SUBACK_TIMEOUT = (10.0, 60.0)
# What helps where a subscription is refused.
_ALLOW = "have the broker's rules (ACL) allow us to subscribe to it and to read it"


class Subscribing:
    """Sees to it that our SUBSCRIBE is answered, and granted: else we are deaf, and would not know.

    What is refused is asked for again, ever less often: the broker's rules may change.
    """

    def __init__(
        self,
        topic_filters: Sequence[str],
        *,
        quiet: bool,
        qos: int = 1,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`qos` is asked for. `monotonic` returns seconds of a clock that nobody sets."""
        self._monotonic = monotonic
        self._qos = qos
        self._topic_filters = topic_filters
        self._quiet = quiet
        # Those that have not been granted on this connection yet.
        self._missing = list(topic_filters)
        # Whether all have been.
        self.done = False
        # Those that were granted on this connection, though not at QoS 1.
        self.at_qos_0: list[str] = []
        # The packet ids of those on this connection that may still be answered, and what each asks for.
        self._asked: dict[int, list[str]] = {}
        # When to send the next one, and how many seconds there are to be between it and the one after it.
        self._next: float | None = None
        self._pause, _ = SUBACK_TIMEOUT
        # What is wrong now, in one line; empty if nothing is known to be. It is told only once.
        self.trouble = ""

    def forget(self) -> None:
        """There is a new connection, on which nothing is asked for yet."""
        self._asked.clear()
        self._missing = list(self._topic_filters)
        self.at_qos_0 = []
        self.done = False
        self._next = None
        self._pause, _ = SUBACK_TIMEOUT

    def ask(self, client: Client) -> None:
        """Subscribe to what has not been granted yet."""
        _, packet_id = client.subscribe([(topic_filter, self._qos) for topic_filter in self._missing])
        if packet_id is not None:
            self._asked[packet_id] = list(self._missing)
        self._next = self._monotonic() + self._pause
        _, longest = SUBACK_TIMEOUT
        self._pause = min(2 * self._pause, longest)

    def tend(self, client: Client) -> None:
        """Ask again if it is time. Call it when all is read that has come."""
        if self._next is None or self._monotonic() < self._next:
            return
        if not self.trouble:
            self._tell("WARNING", "the broker does not answer our SUBSCRIBE: nothing may come; asking again")
        self.ask(client)

    def answered(self, packet_id: int, reasons: Sequence[ReasonCode]) -> bool:
        """Take a SUBACK; return whether it is the first that grants us all we ask for."""
        asked = self._asked.get(packet_id)
        if asked is None:
            return False
        if len(reasons) != len(asked):
            raise Unusual(f"a SUBACK for {len(reasons)} of {len(asked)} topic filters")
        refused = [(each, reason) for each, reason in zip(asked, reasons, strict=True) if reason.is_failure]
        self.at_qos_0 += [each for each, reason in zip(asked, reasons, strict=True) if reason.value == 0]
        granted = set(asked) - {topic_filter for topic_filter, _ in refused}
        self._missing = [each for each in self._missing if each not in granted]
        if self._missing:
            if refused:
                named = listed([f"{topic_filter} ({reason})" for topic_filter, reason in refused])
                self._tell("ERROR", f"the broker refuses the subscription to {named}: {_ALLOW}")
            return False
        self.trouble = ""
        self.done = True
        self._next = None
        self._asked.clear()
        return True

    def _tell(self, level: str, line: str) -> None:
        if line != self.trouble:
            logger.log("DEBUG" if self._quiet else level, "{}", line)
            self.trouble = line
