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
        base = part.get("~")
        topic = _either(part, "state_topic", "stat_t")
        keys = _keys(_either(part, "value_template", "val_tpl"))
        if not isinstance(topic, str) or keys is None or len(self._found) >= _MOST:
            return
        if isinstance(base, str):
            topic = base + topic[1:] if topic.startswith("~") else topic
            topic = topic[:-1] + base if topic.endswith("~") else topic
        words = {}
        for number, names in ((1.0, ("payload_on", "pl_on")), (0.0, ("payload_off", "pl_off"))):
            if isinstance(word := _either(part, *names), str | bool) and len(str(word)) <= 64:
                words[str(word).strip().lower()] = number
        self._found[topic, keys] = Meaning(
            _label(_either(part, "unit_of_measurement", "unit_of_meas")),
            _label(_either(part, "device_class", "dev_cla")),
            _either(part, "state_class", "stat_cla") in ("total", "total_increasing"),
            words if len(words) == 2 else {},
        )


def _parts(content: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what a message says of each component of a device."""
    components = _either(content, "components", "cmps")
    if not isinstance(components, dict):
        yield content
        return
    shared = {name: content[name] for name in ("~", "state_topic", "stat_t") if name in content}
    for component in components.values():
        if isinstance(component, dict):
            yield shared | component


def _either(content: Mapping[str, Any], *names: str) -> Any:
    return next((content[name] for name in names if name in content), None)


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
