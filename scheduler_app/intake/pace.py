"""How long a reading that is here waits for others, so that they share a commit."""

import math
from collections import deque

# Seconds from the beginning of one commit to that of the next, where they would come closer together.
SPACING = 0.003
# That is so when as many commits in a row as this began within so many seconds. It is twice as long as
# so many take at that spacing, so that to be spaced does not end it.
IN_A_ROW = 16
WITHIN = 2 * IN_A_ROW * SPACING
# So many messages wait no longer, and where as many come in that time none waits at all: a commit costs
# each of them but little. They are no more than any broker has on its way before they are acknowledged
# (10, RabbitMQ), or it would be waiting for us as we for it.
ENOUGH = 10


class CommitPace:
    """Spaces commits where a processor or a memory card would be busy with hardly anything else.

    Where readings are few none waits: not before the commits come close together, or the user asks for it.
    """

    def __init__(self, interval: float = 0.0) -> None:
        """`interval`: how many seconds the user wants from one commit to the next, at the least."""
        self._interval = interval
        # When the latest commits began (monotonic time), and how many messages there had been before.
        self._begins: deque[tuple[float, int]] = deque(maxlen=IN_A_ROW)
        self._messages = 0
        self._last = -math.inf
        self._waited = False

    def pause(self, messages: int, now: float) -> float:
        """Return how many seconds the `messages` that are here should wait for more, 0 for not at all.

        `now`: seconds by a clock that never jumps.
        """
        if messages >= ENOUGH:
            return 0.0
        spacing = max(self._interval, SPACING) if self._crowded(now) else self._interval
        pause = max(0.0, self._last + spacing - now)
        self._waited = self._waited or pause > 0
        return pause

    def begin(self, messages: int, now: float) -> None:
        """Take note that a commit of so many `messages` begins."""
        if self._waited and messages == 1:
            self._begins.clear()  # it has waited for nothing: no other shall soon
        self._begins.append((now, self._messages))
        self._messages += messages
        self._last = now
        self._waited = False

    def _crowded(self, now: float) -> bool:
        """Whether the latest commits came close together, with few messages in each."""
        if len(self._begins) < IN_A_ROW:
            return False
        began, messages = self._begins[0]
        return now - began < WITHIN and (self._messages - messages) * SPACING < ENOUGH * (now - began)
