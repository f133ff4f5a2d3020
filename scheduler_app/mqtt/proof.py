"""Proof that the acknowledgements on a connection have arrived."""

import time
from collections.abc import Callable

from scheduler_app.mqtt.paho_client import PahoClient

# Seconds of silence after which a request is not going to be answered.
_TIMEOUT = 10.0


class Proof:
    """Asks a broker for something that it answers when it has worked off all that we sent before.

    A broker works off our packets in order, so any answer to a later packet is the proof. A ping would do,
    but paho tells nobody of its answer; unsubscribing from nothing is answered too (MQTT-3.10.4-5).
    """

    def __init__(self, topic_filter: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Unsubscribe from `topic_filter`, which nothing is subscribed to.

        `monotonic` returns seconds of a clock that nobody sets.
        """
        self._topic_filter = topic_filter
        self._monotonic = monotonic
        # The packet id of the request that waits for its answer, and when it was sent.
        self._packet_id: int | None = None
        self._asked_at = 0.0
        self._here = False

    def begin_connection(self) -> None:
        """Forget what was asked for on the connection before."""
        self._packet_id, self._here = None, False

    def request(self, client: PahoClient) -> bool:
        """Ask for it; False if it is asked for already, or could only wait behind other packets.

        A broker that has been silent since is asked again: the embedded one has been seen to leave a request
        without an answer.
        """
        waits = self._packet_id is not None
        if waits and min(client.silent_for, self._monotonic() - self._asked_at) < _TIMEOUT:
            return False
        if client.want_write():
            return False
        _, self._packet_id = client.unsubscribe(self._topic_filter)
        self._asked_at = self._monotonic()
        return True

    def answered(self, packet_id: int) -> None:
        """Take an UNSUBACK, which may be that of another request."""
        if packet_id == self._packet_id:
            self._packet_id, self._here = None, True

    def take(self) -> bool:
        """Return, once for each request, whether the proof has come."""
        here, self._here = self._here, False
        return here
