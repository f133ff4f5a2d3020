"""Messages that wait to be shown. Their number and their size are limited."""

import threading
from queue import Empty, SimpleQueue

from loguru import logger

from scheduler_app.log import LogLimit, more_like_it
from scheduler_app.mqtt.message import Message
from scheduler_app.publishing.messages import SERIES_BYTES

# What 10,000 series publish at once is 6 MB in 10,000 messages.
MOST_MESSAGES = 200_000
MOST_BYTES = 32 * 2**20


# No message, but a sign to look up.
_NUDGE = Message("", b"", 0, retained=False, duplicate=False, packet_id=0, arrived=0.0)


class Inbox:
    """A queue from the connection's thread to the one that shows, which may be slower.

    Anybody who can publish to the broker can fill it: what does not fit is left out, and a line in the log
    says so once a minute. A message that is larger than any of a subscriber's is never taken in.
    """

    def __init__(self, most_messages: int = MOST_MESSAGES, most_bytes: int = MOST_BYTES) -> None:
        self._queue: SimpleQueue[Message | None] = SimpleQueue()
        self._most_messages = most_messages
        self._most_bytes = most_bytes
        self._changing = threading.Lock()
        self._bytes = 0
        self._warnings = LogLimit()

    def put(self, message: Message) -> None:
        """Take a message in, if there is room. For one thread."""
        size = len(message.payload) + len(message.topic)
        if len(message.payload) > SERIES_BYTES:
            self._complain(f"messages larger than {SERIES_BYTES} bytes are not shown")
        elif self._bytes + size > self._most_bytes or self._queue.qsize() >= self._most_messages:
            self._complain("messages come faster than they can be shown: some are left out")
        else:
            with self._changing:
                self._bytes += size
            self._queue.put(message)

    def nudge(self) -> None:
        """Make `get` raise queue.Empty at once, so that whoever waits looks at something else."""
        self._queue.put(_NUDGE)

    def end(self) -> None:
        """Make `get` return None after all messages that are there."""
        self._queue.put(None)

    def get(self, timeout: float | None = None) -> Message | None:
        """Return the next message, None at the end.

        Raises queue.Empty after `timeout` seconds, and after `nudge`.
        """
        message = self._queue.get(timeout=timeout)
        if message is _NUDGE:
            raise Empty
        if message is not None:
            with self._changing:
                self._bytes -= len(message.payload) + len(message.topic)
        return message

    def _complain(self, reason: str) -> None:
        if (held := self._warnings.allows(reason)) is not None:
            logger.warning("{}{}", reason, more_like_it(held))
