"""The discovery message of one device, and what of it a broker keeps. The one file that knows its JSON."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from config.settings import Settings
from scheduler_app.publishing.home_assistant.entity import Entity
from scheduler_app.publishing.topics import state_topic

# Bytes. Brokers that allow less than a megabyte are rare, and nobody looks at so many entities.
LARGEST = 900_000
# What an entity is called that is to disappear.
_GONE = {"platform": "sensor"}


class Kept(NamedTuple):
    """What a broker keeps of a device, as far as it matters to what is sent next."""

    # Of the payload; None if it is to be sent again in any case.
    digest: bytes | None
    # By what Home Assistant knows the device, and the keys of the entities on it.
    device: str
    keys: frozenset[str]


class DeviceMessage(NamedTuple):
    """A discovery message."""

    payload: str
    kept: Kept
    # How many entities had no room.
    left_out: int = 0


def own_device(device_id: str, name: str) -> str:
    """Return what makes out a device of ours, as JSON."""
    return json.dumps({"identifiers": [device_id], "name": name, "manufacturer": "Rolling averages"})


def write_message(
    settings: Settings, device: str, entities: Sequence[Entity], gone: Iterable[str] = ()
) -> DeviceMessage:
    """Return the message of a device with its entities, of which the enabled ones come first.

    `gone` are the keys of entities that were there: each must be taken back by name before it is left out.
    """
    components: dict[str, dict[str, Any]] = {}
    size = 0
    ordered = sorted(entities, key=lambda entity: not entity.enabled)
    for entity in ordered:
        size += len(json.dumps({entity.key: entity.content}))
        if size > LARGEST:
            break
        components[entity.key] = entity.content
    keys = frozenset(components)
    device_content = json.loads(device)
    content = {
        "device": device_content,
        "origin": {"name": "Rolling averages"},
        "availability_topic": state_topic(settings),
        "components": components | {key: _GONE for key in sorted(gone) if key not in keys},
    }
    payload = json.dumps(content)
    kept = Kept(_digest(payload.encode()), known_by(device_content), keys)
    return DeviceMessage(payload, kept, len(ordered) - len(keys))


def read_kept(payload: bytes) -> Kept:
    """Return what a broker keeps of a device of ours. What is no such message is to be sent again."""
    try:
        content = json.loads(payload.decode())
        device = known_by(content["device"])
        keys = frozenset(key for key, component in content["components"].items() if component != _GONE)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return Kept(None, "", frozenset())
    return Kept(_digest(payload), device, keys)


def known_by(device: Mapping[str, Any]) -> str:
    """Return by what Home Assistant knows a device, whatever it is called."""
    return json.dumps([device.get("identifiers"), device.get("connections")])


def _digest(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest()[:16]
