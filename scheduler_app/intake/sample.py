"""Which rejected messages are kept for a person to look at. A flood of them leaves a sample."""

# A minute: so many with the same topic and reason, since more of them tell nothing new.
KEPT_OF_A_KIND = 100
# And so many of whatever kind, with so many bytes of topics and payloads in all: topics can be made up.
KEPT = 5000
KEPT_BYTES = 5_000_000
# Seconds.
INTERVAL = 60.0


class Sample:
    """Counts what it has taken in the minute at hand. What is too much is not kept, and holds up nobody."""

    def __init__(self) -> None:
        # UTC epoch seconds.
        self._begin = float("-inf")
        self._taken: dict[tuple[str, str], int] = {}
        self._messages = 0
        self._bytes = 0

    def takes(self, arrived: float, topic: str, reason: str, size: int) -> bool:
        """Whether a message is to be kept. It `arrived` at UTC epoch seconds, and takes `size` bytes."""
        if not 0 <= arrived - self._begin < INTERVAL:  # a clock that was set back begins a minute too
            self._begin = arrived
            self._taken.clear()
            self._messages = self._bytes = 0
        kind = topic, reason
        taken = self._taken.get(kind, 0)
        if taken >= KEPT_OF_A_KIND or self._messages >= KEPT or self._bytes + size > KEPT_BYTES:
            return False
        self._taken[kind] = taken + 1
        self._messages += 1
        self._bytes += size
        return True
