"""Whether all slots are taken."""

from collections.abc import Iterable, Iterator

from models.storage.cluster import Slot
from scheduler_app.averages.slot_watch import empty
from scheduler_app.checks.finding import Finding, Level


def check_slots(slots: Iterable[Slot], members: int) -> Iterator[Finding]:
    """Look at all slots that were ever taken; `members`: how many there are to be."""
    known = {slot.number: slot for slot in slots}
    if not known:
        yield Finding(Level.OK, "slots", f"none of {members} has been taken yet: no subscriber has started")
        return
    for number in sorted({*known, *range(1, members + 1)}):
        slot = known.get(number)
        if slot is None:
            text = f"slot {number} of MEMBERS={members} has never been taken: start one more subscriber"
            yield Finding(Level.WARN, "slots", text)
        elif not slot.held:
            yield Finding(Level.WARN, "slots", empty(slot))
        elif number > members:
            text = f"slot {number} is in use, on {slot.host}, but MEMBERS={members}: set it alike everywhere"
            yield Finding(Level.WARN, "slots", text)
    if all(slot.held for slot in known.values()) and set(known) == set(range(1, members + 1)):
        hosts = ", ".join(f"{slot.number} on {slot.host}" for slot in known.values())
        yield Finding(Level.OK, "slots", f"all {members} are taken: {hosts}")
