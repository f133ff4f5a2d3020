"""What Home Assistant takes for a discovery message of a device with sensors, as far as we use it.

`tests/home_assistant` holds it against Home Assistant itself.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from scheduler_app.publishing.home_assistant.classes import MEASUREMENT, NO_MEASUREMENT

_TOPIC = re.compile(r"[^/]+(/[^/]+)*/device/[A-Za-z0-9_-]+/config")
# What a unit must be for a class, of those that the tests use.
UNITS = {
    "temperature": {"°C", "°F", "K"},
    "temperature_delta": {"°C", "°F", "K"},
    "humidity": {"%"},
    "power": {"mW", "W", "kW", "MW", "GW", "TW"},
    "wind_speed": {"Beaufort", "ft/s", "in/s", "km/h", "kn", "m/s", "mm/s", "mph", "m/min"},
}
_STATE_CLASSES = {"measurement", "measurement_angle", "total", "total_increasing"}


def _text(value: object) -> bool:
    return isinstance(value, str)


def _topic(value: object) -> bool:
    return isinstance(value, str) and bool(value) and "\0" not in value


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


_COMPONENT: Mapping[str, Callable[[Any], bool]] = {
    "platform": lambda value: value == "sensor",
    "unique_id": _text,
    "name": _text,
    "state_topic": _topic,
    "value_template": _text,
    "expire_after": _is_number,
    "unit_of_measurement": _text,
    "device_class": lambda value: value in MEASUREMENT | NO_MEASUREMENT,
    "state_class": lambda value: value in _STATE_CLASSES,
    "suggested_display_precision": _is_number,
    "json_attributes_topic": _topic,
    "json_attributes_template": _text,
    "enabled_by_default": lambda value: isinstance(value, bool),
}


def complaints(topic: str, payload: str) -> list[str]:
    """Return what is wrong with a message, as it is sent."""
    found = [] if _TOPIC.fullmatch(topic) else [f"topic: {topic}"]
    return found if not payload else [*found, *content_complaints(json.loads(payload))]


def content_complaints(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the content of a message."""
    device = content.get("device")
    if not isinstance(device, dict) or not (device.get("identifiers") or device.get("connections")):
        yield "device: nothing makes it out"
    if not isinstance(content.get("origin"), dict) or not _text(content["origin"].get("name")):
        yield "origin: no name"
    if not _topic(content.get("availability_topic")):
        yield "availability_topic"
    components = content.get("components")
    if not isinstance(components, dict):
        yield "components"
        return
    for key, component in components.items():
        if component != {"platform": "sensor"}:
            yield from (f"{key}: {what}" for what in component_complaints(component))


def component_complaints(component: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with one entity."""
    for needed in ("platform", "unique_id", "state_topic"):
        if needed not in component:
            yield f"{needed} is missing"
    for key, value in component.items():
        if key not in _COMPONENT:
            yield f"{key} is unknown"
        elif not _COMPONENT[key](value):
            yield f"{key}: {value!r}"
    unit, device_class = component.get("unit_of_measurement"), component.get("device_class")
    if unit is not None and device_class in UNITS and unit not in UNITS[device_class]:
        yield f"{device_class} in {unit}"
    if component.get("state_class") == "measurement_angle" and unit != "°":
        yield f"an angle in {unit}"
