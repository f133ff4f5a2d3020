"""How long a reading that is here waits for others, so that they share a commit."""

import math
from collections import deque

# Seconds from the beginning of one commit to that of the next, where they would come closer together.
SPACING = 0.003
# That is so when as many commits in a row as this began within so many seconds. It is twice as long as
# so many take at that spacing, so that to be spaced does not end it.
IN_A_ROW = 16
WITHIN = 2 * IN_A_ROW * SPACING
# With so many messages in each commit none waits: a commit costs each of them but little. They are no more
# than any broker has on its way before they are acknowledged (10, RabbitMQ), or it would be waiting for us as
# we for it.
ENOUGH = 10
# So many that have waited for others one after the other, while none came, end the waiting: who publishes the
# next only when the last is acknowledged would wait each time.
ALONE = 2


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
        # When the latest of them began, how many messages it had, and whether we have just rested.
        self._last = -math.inf
        self._latest = 0
        self._rested = False
        # How many commits in a row had one message, which had waited.
        self._alone = 0

    def rest(self, now: float) -> float:
        """Return for how many seconds not even to look for messages, 0 where commits are not to be spaced.

        One look is then enough for all that share the next commit. `now`: seconds by a clock that never
        jumps.
        """
        spaced = self._latest < ENOUGH and self._crowded(now)
        pause = max(0.0, self._last + SPACING - now) if spaced else 0.0
        self._rested = pause > 0
        return pause

    def pause(self, messages: int, now: float) -> float:
        """Return how many seconds the `messages` that are here should wait for more, as the user wants it."""
        return 0.0 if messages >= ENOUGH else max(0.0, self._last + self._interval - now)

    def begin(self, messages: int, now: float) -> None:
        """Take note that a commit of so many `messages` begins."""
        if messages > 1:
            self._alone = 0
        elif self._rested:
            self._alone += 1
        if self._alone >= ALONE:
            self._alone = 0
            self._begins.clear()
        self._begins.append((now, self._messages))
        self._messages += messages
        self._latest = messages
        self._last = now
        self._rested = False

    def _crowded(self, now: float) -> bool:
        """Whether the latest commits came close together, with few messages in each."""
        if len(self._begins) < IN_A_ROW:
            return False
        began, messages = self._begins[0]
        return now - began < WITHIN and (self._messages - messages) * SPACING < ENOUGH * (now - began)
