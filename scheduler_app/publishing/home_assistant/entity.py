"""An entity of Home Assistant for one statistic over one window, as it stands in a discovery message."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from config.settings import Settings
from models.statistics.plan import AGE, ALWAYS
from scheduler_app.publishing.home_assistant.announcement import Announced
from scheduler_app.publishing.home_assistant.classes import DIFFERENCE_OF, NO_MEASUREMENT
from scheduler_app.publishing.home_assistant.identity import Identity
from scheduler_app.publishing.home_assistant.series import Described
from scheduler_app.publishing.messages import headline

# Seconds in which a series is published at least once, if STATS_INTERVAL is no longer; after so many times
# as long without a word, an entity is unavailable.
_AT_LEAST_EVERY = 60.0
_MISSED = 3
# What a statistic is called where it is not by its name.
_CALLED = {
    "avg": "average",
    "min": "minimum",
    "max": "maximum",
    "stddev": "standard deviation",
    "time_weighted_avg": "time-weighted average",
    "circular_avg": "circular average",
}
# What is no value of the kind that was measured: how far values are apart, what they add up to, and what
# has another unit altogether.
_DIFFERENCES, _TOTALS, _OTHERS = ("range", "stddev"), ("sum",), ("count", "rate")
_DEGREES = "°"


class Quantity(NamedTuple):
    """What is measured, as far as it is known."""

    unit: str | None = None
    device_class: str | None = None
    precision: int | None = None


class Entity(NamedTuple):
    """One entry of a discovery message."""

    key: str
    content: dict[str, Any]
    # Whether it is one that people look at; the others have to be switched on.
    enabled: bool


def entities(
    series: Described, announced: Announced | None, settings: Settings, identity: Identity
) -> Iterator[Entity]:
    """Yield the entities of a series. `announced` is what its source says of its values."""
    measured = quantity(series, announced)
    names = [name for name in series.plan.names if name not in (*ALWAYS, AGE)] or ["count"]
    shown = headline(dict.fromkeys(names))
    for window, _ in series.plan.windows:
        for name in names:
            key = identity.component(series.name, window, name)
            topic = f"{settings.stats_topic}/{series.name}"
            content: dict[str, Any] = {
                "platform": "sensor",
                "unique_id": identity.unique_id(key),
                "name": f"{series.label} {_CALLED.get(name, name)} {window}".strip(),
                "state_topic": topic,
                "value_template": _value_template(window, name, measured.precision),
                "expire_after": math.ceil(_MISSED * max(_AT_LEAST_EVERY, settings.stats_interval)),
                **_kind(name, measured),
            }
            if name == shown:
                content["json_attributes_topic"] = topic
                content["json_attributes_template"] = _attributes_template(window)
            else:
                content["enabled_by_default"] = False
            yield Entity(key, content, enabled=name == shown)


def quantity(series: Described, announced: Announced | None) -> Quantity:
    """Return what a series measures: what its stream says, and else what its source does.

    A class goes with its unit: where the stream says another one, that of the source is not taken.
    """
    theirs = Quantity()
    if announced is not None and not series.is_converted:
        theirs = Quantity(announced.unit, announced.device_class, announced.precision)
    device_class = series.device_class
    if device_class is None and series.unit in (None, theirs.unit):
        device_class = theirs.device_class
    if device_class in NO_MEASUREMENT:
        device_class = None
    return Quantity(series.unit or theirs.unit, device_class, theirs.precision)


def _kind(statistic: str, measured: Quantity) -> dict[str, Any]:
    """Return unit, class and precision of a statistic of what is measured."""
    unit, device_class, precision = measured
    if statistic in _OTHERS:
        unit = device_class = precision = None
    elif statistic in _TOTALS:
        device_class = None
    elif statistic in _DIFFERENCES and device_class is not None:
        device_class = DIFFERENCE_OF.get(device_class, device_class)
    state_class = "measurement_angle" if statistic == "circular_avg" and unit == _DEGREES else "measurement"
    found = {
        "unit_of_measurement": unit,
        "device_class": device_class,
        # without a unit it would not be known what a long-term statistic is of
        "state_class": None if unit is None else state_class,
        "suggested_display_precision": precision,
    }
    return {key: value for key, value in found.items() if value is not None}


def _value_template(window: str, statistic: str, precision: int | None) -> str:
    """Return what takes a statistic out of a message of ours, rounded: each new state is a row in a database.

    To a place more than the source; where that is not known to two places, and what is less than 1 to three
    digits. It takes also the empty message of a series that is gone, for which Home Assistant has no
    `value_json`: each of its entities would write errors into its log.
    """
    rounded = (
        "v | round(2) if v | abs >= 1 else '%.3g' | format(v)"
        if precision is None
        else f"v | round({precision + 1})"
    )
    return (
        "{% set windows = value_json.windows if value_json is defined else {} %}"
        f"{{% set v = windows.get('{window}', {{}}).get('{statistic}') %}}"
        f"{{{{ None if v is none else {rounded} }}}}"
    )


def _attributes_template(window: str) -> str:
    """Return what takes out of it how many readings there are, for how much of the window, and how old.

    Nothing, where the message is empty.
    """
    return (
        "{% if value_json is defined %}"
        f"{{% set w = value_json.windows.get('{window}', {{}}) %}}"
        "{{ {'count': w.get('count'), 'coverage': (w.get('coverage') or 0) | round(2), "
        "'age': [value_json.at - value_json.last.time, 0] | max | round | int} | tojson }}"
        "{% else %}{}{% endif %}"
    )
