"""What devices tell Home Assistant of their numbers (MQTT discovery): units, what is measured, words."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from config.stream_values import read_label
from config.topics import matches

# Where devices say so, in messages that the broker keeps.
DISCOVERY = ("homeassistant/+/+/config", "homeassistant/+/+/+/config")
# So many numbers are remembered.
_MOST = 20_000
# A template that takes one field as it stands; what is computed in one has another unit than the field.
_TEMPLATE = re.compile(
    r"\{\{\s*value_json((?:\.\w{1,100}|\[['\"][^'\"\]]{1,100}['\"]\]){1,8})"
    r"(?:\s*\|\s*(?:float|int|is_defined|round|default)(?:\([^(){}|]{0,20}\))?){0,4}\s*\}\}"
)
_KEY = re.compile(r"\.(\w+)|\[['\"]([^'\"\]]+)['\"]\]")
# What may be written shorter.
_FULL_NAMES = {
    "stat_t": "state_topic",
    "val_tpl": "value_template",
    "unit_of_meas": "unit_of_measurement",
    "dev_cla": "device_class",
    "stat_cla": "state_class",
    "pl_on": "payload_on",
    "pl_off": "payload_off",
    "cmps": "components",
}
_PLAIN = re.compile(r"\{\{\s*value(?:\s*\|\s*(?:float|int)(?:\([^(){}|]{0,20}\))?)?\s*\}\}")


class Meaning(NamedTuple):
    """What is said of one field."""

    unit: str | None = None
    device_class: str | None = None
    # Whether it is a total that only grows.
    total: bool = False
    # Numbers for its words, which are in lower case here.
    words: Mapping[str, float] = {}


class Discovery:
    """Collects what is said, by topic and field."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, tuple[str, ...]], Meaning] = {}

    def takes(self, topic: str, payload: bytes) -> bool:
        """Take a message if it is one of discovery; return whether it is."""
        if not any(matches(topic_filter, topic) for topic_filter in DISCOVERY):
            return False
        try:
            content = json.loads(payload)
        except (ValueError, RecursionError):
            return True
        if isinstance(content, dict):
            for part in _parts(content):
                self._take(part)
        return True

    def meaning(self, topic: str, keys: tuple[str, ...]) -> Meaning | None:
        """Return what is said of a field of the messages on a topic, None if nothing is."""
        return self._found.get((topic, keys))

    def _take(self, part: Mapping[str, Any]) -> None:
        topic, keys = part.get("state_topic"), _keys(part.get("value_template"))
        if not isinstance(topic, str) or keys is None or len(self._found) >= _MOST:
            return
        if isinstance(base := part.get("~"), str):
            topic = base + topic[1:] if topic.startswith("~") else topic
            topic = topic[:-1] + base if topic.endswith("~") else topic
        words = {}
        for number, name in ((1.0, "payload_on"), (0.0, "payload_off")):
            if isinstance(word := part.get(name), str | bool) and len(str(word)) <= 64:
                words[str(word).strip().lower()] = number
        self._found[topic, keys] = Meaning(
            _label(part.get("unit_of_measurement")),
            _label(part.get("device_class")),
            part.get("state_class") in ("total", "total_increasing"),
            words if len(words) == 2 else {},
        )


def _parts(content: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what a message says of each component of a device, by the full names."""
    content = _in_full(content)
    components = content.get("components")
    if not isinstance(components, dict):
        yield content
        return
    shared = {name: content[name] for name in ("~", "state_topic") if name in content}
    for component in components.values():
        if isinstance(component, dict):
            yield shared | _in_full(component)


def _in_full(content: Mapping[str, Any]) -> dict[str, Any]:
    return {_FULL_NAMES.get(name, name): value for name, value in content.items()}


def _keys(template: object) -> tuple[str, ...] | None:
    """Return where a template finds its value; None if it computes one."""
    if template is None:
        return ()
    if not isinstance(template, str) or len(template) > 1000:
        return None
    if _PLAIN.fullmatch(template.strip()):
        return ()
    found = _TEMPLATE.fullmatch(template.strip())
    return None if found is None else tuple(one or other for one, other in _KEY.findall(found[1]))


def _label(found: object) -> str | None:
    try:
        return read_label(found)
    except ValueError:
        return None
