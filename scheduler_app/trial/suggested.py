"""A stream as it is suggested: what it says of its topics and fields."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scheduler_app.intake.number_names import is_time_name, path_text
from scheduler_app.trial.discovery import Discovery, Meaning
from scheduler_app.trial.grouping import Group
from scheduler_app.trial.observed import Field, Keys
from scheduler_app.trial.time_field import TimeField, find_time

# So many values may a stream have that is suggested.
_MOST_VALUES = 40
# What words mean that stand for two states.
PAIRS: tuple[Mapping[str, float], ...] = (
    {"on": 1, "off": 0},
    {"true": 1, "false": 0},
    {"open": 1, "closed": 0},
    {"opened": 1, "closed": 0},
    {"yes": 1, "no": 0},
    {"occupied": 1, "clear": 0},
)
# Fields that are called so tell of the device, and not of what it measures, and so do those below them.
_OF_DEVICE = frozenset(
    {
        *("id", "uid", "pid", "uptime", "port", "channel", "version", "firmware", "build", "linkquality"),
        *("update", "device", "end_device_ids", "signature", "mac", "ip", "seq", "from", "to"),
    }
)
_OF_DEVICE_ENDING = re.compile(r"_(?:id|ids|pid|uid|version|addr|eui|ts)$")
# Fields that tell one sensor from another where several publish on one topic.
_OF_SENSOR = ("model", "device", "device_id", "node", "from", "mac", "sensor", "id", "channel", "name")
_TOTAL = re.compile(
    r"total|energy|kwh|consum|counter|volume|import|export|delivered|returned|rain", re.IGNORECASE
)
_UNITS_OF_TOTALS = frozenset({"Wh", "kWh", "MWh", "m³", "L", "gal", "ft³"})


@dataclass
class SuggestedValue:
    """One number of a stream."""

    keys: Keys
    unit: str | None = None
    device_class: str | None = None
    words: Mapping[str, float] = field(default_factory=dict)
    total: bool = False

    @property
    def kind(self) -> str:
        """What makes its numbers comparable with others."""
        return self.unit or self.device_class or ("/".join(self.keys) if self.keys else "")


@dataclass
class SuggestedStream:
    """One stream, with the remarks that stand before it."""

    group: Group
    values: list[SuggestedValue]
    time: TimeField | None = None
    # How its series are named, where several sensors publish on one topic.
    series: str | None = None
    # Fields that are numbers or words and are not read.
    left_out: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def statistics(self) -> list[str]:
        numbers = any(not value.words for value in self.values)
        names = ["avg", "min", "max"] if numbers else []
        if any(value.words for value in self.values):
            names.append("time_weighted_avg")
        if any(value.total for value in self.values):
            names.append("rate")
        return [*names, "last"]


def suggested_stream(
    group: Group, discovery: Discovery, skew: float, retention: float
) -> SuggestedStream | None:
    """Return the stream that reads a group of topics, None if there is nothing to read."""
    found = group.fields()
    stream = SuggestedStream(group, [])
    if group.is_object:
        samples = {
            keys: [sample for one in fields for sample in one.samples] for keys, fields in found.items()
        }
        stream.time, remark = find_time(samples, skew, retention)
        if remark:
            stream.remarks.append(remark)
        stream.series, remark = _series(group, found)
        if remark:
            stream.remarks.append(remark)
    _read_fields(stream, found, discovery)
    quiet = [topic.name for topic in group.topics if not topic.is_live]
    if quiet and stream.values:
        stream.remarks.append(
            f"only old copies, which the broker keeps and nobody counts, were seen of {some(quiet)}"
        )
        if stream.time is not None:
            stream.remarks.append('retained = "take" counts such copies once, by their own time')
    return stream if stream.values else None


def _read_fields(
    stream: SuggestedStream, found: Mapping[Keys, Sequence[Field]], discovery: Discovery
) -> None:
    """Take those fields as values of the stream that are readings."""
    naming = {stream.time.keys} if stream.time is not None else set()
    naming |= {(name,) for name in _OF_SENSOR if stream.series is not None and f"{{{name}}}" in stream.series}
    beyond: list[str] = []
    for keys, fields in found.items():
        if keys and (is_time_name(keys[-1]) or keys in naming):
            continue
        value = _value(keys, fields, [discovery.meaning(name, keys) for name in stream.group.names])
        if value is None:
            continue
        if _is_of_device(keys):
            stream.left_out.append(path_text(keys))
        elif len(stream.values) < _MOST_VALUES:
            stream.values.append(value)
        else:
            beyond.append(path_text(keys))
    if beyond:
        stream.remarks.append(f"left out, beyond {_MOST_VALUES} values: {some(beyond)}")


def _series(group: Group, found: Mapping[Keys, Sequence[Field]]) -> tuple[str | None, str]:
    """Return how series are named where several sensors publish on one topic, and what is to be said.

    A field tells sensors apart if all messages have it and its values come again; an id of messages is none.
    """
    messages = sum(topic.messages for topic in group.topics)
    varying = [name for name in _OF_SENSOR if any(field.distinct > 1 for field in found.get((name,), ()))]
    telling = [
        name
        for name in varying
        if sum(field.seen for field in found[name,]) == messages
        and all(_is_name(field) and (field.distinct == 1 or field.comes_again) for field in found[name,])
    ]
    if telling:
        named = "/".join(f"{{{name}}}" for name in telling)
        return (
            f"{{topic}}/{named}",
            f"several sensors publish on one topic: told apart by {', '.join(telling)}",
        )
    if varying:
        named = "/".join(f"{{{name}}}" for name in varying)
        return None, (
            f"{', '.join(varying)} differ between messages of one topic: if those are several sensors, add "
            f'series = "{{topic}}/{named}" with what tells them apart'
        )
    return None, ""


def _is_name(field: Field) -> bool:
    """Whether what stands in a field can name a series."""
    values = [sample.value for sample in field.samples]
    return all(
        isinstance(value, str | int) and not isinstance(value, bool) and value != "" for value in values
    )


def value_kind(fields: Sequence[Field], meanings: Sequence[Meaning | None]) -> object:
    """Return what tells a number or a word that is a message from others: words, unit, what is measured."""
    value = _value((), fields, meanings)
    return (
        None if value is None else (tuple(value.words.items()), value.unit, value.device_class, value.total)
    )


def some(names: Sequence[str]) -> str:
    """Return the first names of many in one line."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _value(keys: Keys, fields: Sequence[Field], meanings: Sequence[Meaning | None]) -> SuggestedValue | None:
    if any(one.others for one in fields):
        return None
    known = [meaning for meaning in meanings if meaning is not None]
    words = set().union(*(one.words for one in fields))
    numbers = sum(one.numbers for one in fields)
    pairs = [*(meaning.words for meaning in known if meaning.words), *PAIRS]
    pair: Mapping[str, float] = next((pair for pair in pairs if words and words <= pair.keys()), {})
    if (words and not pair) or not (words or numbers):
        return None
    units = {meaning.unit for meaning in known}
    unit = units.pop() if len(units) == 1 else None
    classes = {meaning.device_class for meaning in known}
    device_class = classes.pop() if len(classes) == 1 else None
    named = keys and _TOTAL.search("/".join(keys)) is not None
    grows = any(one.grows for one in fields) and not any(one.falls for one in fields)
    total = any(meaning.total for meaning in known) or (grows and (bool(named) or unit in _UNITS_OF_TOTALS))
    return SuggestedValue(keys, unit, device_class, pair, total and not pair)


def _is_of_device(keys: Keys) -> bool:
    return any(key.lower() in _OF_DEVICE or _OF_DEVICE_ENDING.search(key.lower()) for key in keys)
