"""The schema that fast tests hold our messages against is that of Home Assistant."""

import json
import subprocess
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from models.statistics.plan import Plan
from scheduler_app.publishing.home_assistant.classes import MEASUREMENT, NO_MEASUREMENT
from tests.support.discovery_schema import UNITS, component_complaints, content_complaints
from tests.unit import discovery_payloads as payloads
from tests.unit.home_assistant_broker import Site

pytestmark = pytest.mark.home_assistant
VERDICTS = Path(__file__).with_name("schema_verdicts.py")
GONE = {"platform": "sensor"}
STATISTICS = ("avg", "max", "stddev", "sum", "rate", "circular_avg", "p99.9")


def changed(content: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    copy = deepcopy(content)
    change(copy)
    return copy


def changed_entity(content: dict[str, Any], **change: object) -> dict[str, Any]:
    """Return a message with something else in its first entity; None takes a key away."""
    copy = deepcopy(content)
    first = next(iter(copy["components"].values()))
    for key, value in change.items():
        first[key] = value
        if value is None:
            del first[key]
    return copy


def messages(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a message of ours, and others that are nearly one."""
    yield content
    yield changed(content, lambda copy: copy["components"].update({"gone": dict(GONE)}))
    for key in ("device", "origin", "components"):
        yield {name: value for name, value in content.items() if name != key}
        yield {**content, key: "x"}
    yield changed(content, lambda copy: copy.update(availability_topic=""))
    yield changed(content, lambda copy: copy.update(device={"name": "x"}))
    yield changed(content, lambda copy: copy.update(device={"identifiers": []}))
    yield changed(content, lambda copy: copy.update(device={"connections": [["mac", "02:00:00:00:00:01"]]}))
    yield changed(content, lambda copy: copy.update(origin={}))
    changes: list[dict[str, Any]] = [
        *[{key: None} for key in ("platform", "unique_id", "state_topic", "name", "value_template")],
        {"state_topic": ""},
        {"expire_after": -1},
        {"expire_after": 0},
        {"suggested_display_precision": -1},
        {"suggested_display_precision": 0},
        {"enabled_by_default": "perhaps"},
        {"json_attributes_topic": ""},
        {"state_class": "average"},
        {"state_class": "measurement_angle", "unit_of_measurement": "°", "device_class": None},
        {"state_class": "measurement_angle", "unit_of_measurement": "rad", "device_class": None},
        {"device_class": "warmth"},
        *[
            {"device_class": device_class, "unit_of_measurement": unit}
            for device_class in UNITS
            for unit in ("°C", "K", "%", "W", "m/s", "x")
        ],
    ]
    for change in changes:
        first = next(iter(content["components"].values()))
        yield changed_entity(content, **{k: v for k, v in change.items() if v is not None or k in first})


def test_our_schema_takes_and_refuses_what_home_assistant_does(
    python: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    site = Site(monkeypatch, tmp_path, '[[stream]]\ntopic = "zigbee2mqtt/+"\nvalue = ["temperature", "x"]')
    plan = Plan([("1min", 60_000), ("1.5h", 5_400_000)], STATISTICS)
    for field in ("temperature", "x"):
        site.series("zigbee2mqtt/kitchen", field, plan=plan)
    site.tell(payloads.ZIGBEE2MQTT, suggested_display_precision=1)
    [(_, content)] = site.up()
    assert content is not None
    # what has a unit comes first, so that it is what is changed
    content["components"] = dict(
        sorted(content["components"].items(), key=lambda item: "device_class" not in item[1])
    )
    sent = list(messages(content))
    lines = "".join(f"{json.dumps(each)}\n" for each in sent)
    answer = subprocess.run(
        [python, VERDICTS], input=lines, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert answer.returncode == 0, answer.stderr
    known, *verdicts = map(json.loads, answer.stdout.splitlines())
    for each, (whole, of_entities) in zip(sent, verdicts, strict=True):
        ours = not [what for what in content_complaints(each) if not is_of_entity(each, what)]
        assert ours == whole, list(content_complaints(each))
        for key, is_taken in of_entities.items():
            component = each["components"][key]
            found = [] if component == GONE else list(component_complaints(component))
            assert (not found) == is_taken, (found, component)
    assert {name for name, is_measured in known["classes"].items() if is_measured} == MEASUREMENT
    forbidding = {name for name, is_measured in known["classes"].items() if not is_measured}
    assert NO_MEASUREMENT - forbidding == {"uptime"}  # a later version has it
    assert forbidding < NO_MEASUREMENT
    assert {name: set(known["units"][name]) for name in UNITS} == UNITS


def is_of_entity(content: dict[str, Any], complaint: str) -> bool:
    """Whether a complaint is about one entity, and keeps the others from nothing."""
    components = content.get("components")
    key, _, what = complaint.partition(": ")
    refuses_all = ("platform is missing", "unique_id is missing")
    return isinstance(components, dict) and key in components and what not in refuses_all
