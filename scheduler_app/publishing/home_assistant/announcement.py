"""What a source tells Home Assistant of its own sensors: read from its discovery messages.

They come from whatever is at the broker. So each part is looked at, and what is of another form is left out.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from config.field_path import FieldPath
from config.text import printable
from scheduler_app.publishing.home_assistant.value_template import handed_on, rounded_to

# What it may call its keys for short, of those that are looked at here.
_SHORT = {
    "~": "~",
    "cmps": "components",
    "dev": "device",
    "dev_cla": "device_class",
    "p": "platform",
    "stat_t": "state_topic",
    "sug_dsp_prc": "suggested_display_precision",
    "unit_of_meas": "unit_of_measurement",
    "val_tpl": "value_template",
}
_SHORT_OF_DEVICE = {"ids": "identifiers", "cns": "connections"}
# What has one number, with a unit.
PLATFORMS = ("sensor", "number")
_LARGEST = 1 << 20
_MOST_COMPONENTS = 2000
_LONGEST_UNIT, _LONGEST_ID, _MOST_IDS, _MOST_DIGITS = 32, 256, 10, 10
_CLASS = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)


class Announced(NamedTuple):
    """What a source says of one of its values."""

    # On which topic it comes, and where in the message it stands.
    topic: str
    path: FieldPath
    unit: str | None = None
    device_class: str | None = None
    # Decimal places that it is shown with.
    precision: int | None = None
    # What makes out its device, as it goes into a discovery message: JSON, so that it can be compared.
    device: str | None = None


def read_announcement(platform: str, payload: bytes) -> Iterator[Announced]:
    """Yield what is announced of values that are handed on unchanged.

    `platform` is the first level of its topic below the prefix: `device`, or what a single one is.
    """
    content = _read(payload)
    if content is None:
        return
    whole = _long_keys(content, _SHORT)
    device = _device(whole.get("device"))
    if platform != "device":
        found = _announced(whole, device)
        if platform in PLATFORMS and found is not None:
            yield found
        return
    components = whole.get("components")
    if not isinstance(components, dict) or len(components) > _MOST_COMPONENTS:
        return
    shared = {"state_topic": whole["state_topic"]} if "state_topic" in whole else {}
    for component in components.values():
        if isinstance(component, dict):
            own = shared | _long_keys(component, _SHORT)
            found = _announced(own, device)
            if own.get("platform") in PLATFORMS and found is not None:
                yield found


def _read(payload: bytes) -> dict[str, Any] | None:
    if len(payload) > _LARGEST:
        return None
    try:
        content = json.loads(payload.decode())
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _long_keys(content: Mapping[str, Any], short: Mapping[str, str]) -> dict[str, Any]:
    return {short.get(key, key): value for key, value in content.items()}


def _announced(content: Mapping[str, Any], device: str | None) -> Announced | None:
    topic, template = content.get("state_topic"), content.get("value_template")
    if not isinstance(topic, str) or not topic or not (template is None or isinstance(template, str)):
        return None
    base = content.get("~")
    if isinstance(base, str):
        topic = f"{base}{topic[1:]}" if topic.startswith("~") else topic
        topic = f"{topic[:-1]}{base}" if topic.endswith("~") else topic
    path = handed_on(template)
    if path is None:
        return None
    precision = content.get("suggested_display_precision")
    if not _is_digits(precision):
        precision = rounded_to(template)
    return Announced(
        topic,
        path,
        _unit(content.get("unit_of_measurement")),
        _class(content.get("device_class")),
        precision if _is_digits(precision) else None,
        device,
    )


def _unit(value: object) -> str | None:
    good = isinstance(value, str) and 0 < len(value.strip()) <= _LONGEST_UNIT and printable(value) == value
    return str(value) if good else None


def _class(value: object) -> str | None:
    return value if isinstance(value, str) and _CLASS.fullmatch(value) else None


def _is_digits(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_DIGITS


def _device(value: object) -> str | None:
    """Return what makes out a device, None if nothing does."""
    if not isinstance(value, dict):
        return None
    content = _long_keys(value, _SHORT_OF_DEVICE)
    identifiers = content.get("identifiers") or []
    identifiers = [identifiers] if isinstance(identifiers, str | int) else identifiers
    if _are_ids(identifiers):
        return json.dumps({"identifiers": [str(each) for each in identifiers]})
    connections = content.get("connections") or []
    if not isinstance(connections, list) or not 0 < len(connections) <= _MOST_IDS:
        return None
    if not all(_are_ids(each) and len(each) == 2 for each in connections):
        return None
    return json.dumps({"connections": [[str(part) for part in each] for each in connections]})


def _are_ids(value: Any) -> bool:
    return (
        isinstance(value, list)
        and 0 < len(value) <= _MOST_IDS
        and all(isinstance(each, str | int) and 0 < len(str(each)) <= _LONGEST_ID for each in value)
    )
