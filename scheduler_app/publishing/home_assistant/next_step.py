"""What to send next, so that a broker and Home Assistant have of a device what they are to have.

One message at a time: Home Assistant leaves out parts of a message that comes while it still works on the one
before. So between two of a device there is a pause, which the caller makes.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

from config.settings import Settings
from scheduler_app.publishing.home_assistant.device_message import Kept, known_by, write_message
from scheduler_app.publishing.home_assistant.entity import Entity


class Wanted(NamedTuple):
    """What a device is to be."""

    # What makes it out, as JSON.
    device: str
    entities: Sequence[Entity]


class Step(NamedTuple):
    """A message to be sent."""

    payload: str
    # What is kept after it; None: nothing.
    kept: Kept | None
    # Whether there is another step after it.
    more: bool
    left_out: int = 0


def next_step(settings: Settings, wanted: Wanted | None, kept: Kept | None) -> Step | None:
    """Return the next message, None if there is nothing to be sent."""
    if wanted is None or not wanted.entities:
        return None if kept is None else Step("", None, more=False)
    if kept is not None and kept.keys and kept.device != known_by(json.loads(wanted.device)):
        # an entity stays on the device it began on, and its history comes back with its id
        return Step("", None, more=True)
    payload, new, left_out = write_message(settings, wanted.device, wanted.entities)
    if kept is not None and (gone := kept.keys - new.keys):
        payload, new, left_out = write_message(settings, wanted.device, wanted.entities, gone)
        return Step(payload, new, more=True, left_out=left_out)
    if kept is not None and kept.digest == new.digest:
        return None
    return Step(payload, new, more=False, left_out=left_out)
