"""The leader's look at the slots: one that nobody has is told."""

from collections.abc import Iterable

from loguru import logger

from models.storage.cluster import Slot

# Seconds that a slot is empty before that is told: a spare has it by then.
PATIENCE = 5.0


class SlotWatch:
    """Tells once when a slot stays empty, and once when somebody has it again."""

    def __init__(self) -> None:
        # By its number, since when each is empty, and which of them were told.
        self._since: dict[int, float] = {}
        self._told: set[int] = set()

    def look(self, slots: Iterable[Slot], now: float) -> None:
        """Look at all slots that were ever taken; `now` in UTC epoch seconds."""
        for slot in slots:
            if slot.held:
                self._since.pop(slot.number, None)
                if slot.number in self._told:
                    self._told.discard(slot.number)
                    logger.info("slot {} is taken again, on {}", slot.number, slot.host)
            elif now - self._since.setdefault(slot.number, now) >= PATIENCE and slot.number not in self._told:
                self._told.add(slot.number)
                logger.warning("{}", empty(slot))


def empty(slot: Slot) -> str:
    """Say what it means that nobody has a slot, and what to do."""
    waits = "its part of the shared messages" if slot.standing.shared else "what comes on its topics"
    return (
        f"slot {slot.number} is empty: {waits} waits at the broker, in the queue of its session, until a "
        f"subscriber takes it. Start one more; it was last taken on {slot.host}"
    )
