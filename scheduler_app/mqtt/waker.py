"""A wait of one thread that any other thread can end."""

import select
import socket
from contextlib import suppress


class Waker:
    """Ends a wait at once, be it `sleep` or a `select` that has this among what it reads."""

    def __init__(self) -> None:
        self._waker, self._wakened = socket.socketpair()
        self._waker.setblocking(False)
        self._wakened.setblocking(False)
        # What `select` asks for each time it waits.
        self.fileno = self._wakened.fileno

    def wake(self) -> None:
        """End this wait, or the next. Safe in any thread, also after `close`."""
        with suppress(OSError):  # it is awake already, or has ended
            self._waker.send(b"\0")

    @property
    def awake(self) -> bool:
        """Whether the next wait would end at once."""
        return bool(select.select([self._wakened], [], [], 0)[0])

    def sleep(self, timeout: float) -> None:
        """Wait up to `timeout` seconds, or until `wake`."""
        if select.select([self._wakened], [], [], timeout)[0]:
            self.take()

    def take(self) -> None:
        """Have all wakes so far end no further wait. One must be there."""
        self._wakened.recv(4096)

    def close(self) -> None:
        self._waker.close()
        self._wakened.close()
