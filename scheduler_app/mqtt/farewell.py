"""Ending a connection in such a way that no acknowledgement is lost."""

import time
from collections.abc import Callable

from scheduler_app.mqtt.buffered_socket import READ_SIZE, BufferedSocket

# Seconds that a broker may take to work off our acknowledgements.
_LEAVE_TIMEOUT = 30.0
# Meanwhile so many bytes are thrown away at a time.
_DISCARD_SIZE = 1 << 18
# The packet of MQTT 3.1.1, and of MQTT 5 with reason code 0 (section 3.14): the session goes on.
_DISCONNECT = b"\xe0\x00"


class Farewell:
    """Sends DISCONNECT, and waits for the broker to end the connection.

    A broker works off our packets in order, so when it ends the connection at our DISCONNECT
    (MQTT-3.14.4) it has worked off the acknowledgements before. If we ended it, they could be lost.
    """

    def __init__(self, sock: BufferedSocket, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`monotonic` returns seconds of a clock that nobody sets."""
        self._socket = sock
        self._monotonic = monotonic
        self._until = monotonic() + _LEAVE_TIMEOUT
        sock.send(_DISCONNECT)

    def answered(self) -> bool:
        """Return whether the broker has ended the connection. What has come is thrown away.

        It is not acknowledged, so it is sent again. Not much at a time, since a broker that can always
        write may hardly read.
        """
        self._socket.flush()
        size = _DISCARD_SIZE
        try:
            while size > 0 and (data := self._socket.recv(min(size, READ_SIZE))):
                size -= len(data)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return size > 0

    @property
    def overdue(self) -> bool:
        """Whether it has taken so long that it is not worth waiting for."""
        return self._monotonic() >= self._until
