"""What sources tell Home Assistant of their sensors, and what of it holds for ours."""

import json

import pytest

from config.field_path import FieldPath
from scheduler_app.publishing.home_assistant import sources as module
from scheduler_app.publishing.home_assistant.announcement import Announced, read_announcement
from scheduler_app.publishing.home_assistant.sources import Sources
from scheduler_app.publishing.home_assistant.value_template import handed_on, rounded_to
from tests.unit import discovery_payloads as payloads

UNCHANGED = {
    "{{ value }}": (),
    "{{value|float}}": (),
    "{{ value_json }}": (),
    "{{ value_json.temperature }}": ("temperature",),
    "{{value_json['ENERGY'].Power}}": ("ENERGY", "Power"),
    '{{ value_json["a b"]["c.d"] }}': ("a b", "c.d"),
    "{{ value_json.phases[0] }}": ("phases", "0"),
    "{{- value_json.t | float(0) | round(1) -}}": ("t",),
    "{{ value_json.t | default('') | is_defined }}": ("t",),
    "{{ value_json.t|round(1, 'floor') }}": ("t",),
}
CHANGED = (
    "{{ value_json.t * 3.6 }}",
    "{{ float(value|float) * 3.6 }}",
    "{{ value_json.t if value_json.t is defined else -55 }}",
    "{{ value_json.t | int }}",
    "{{ value_json.t | multiply(2) }}",
    "{{ value_json.t }} °C",
    "{% if value_json.t %}{{ value_json.t }}{% endif %}",
    "{{ value.t }}",
    "{{ value_json[''] }}",
    "{{ value_json.a }}{{ value_json.b }}",
    "{{ states('sensor.x') }}",
    "",
    "21",
    "{{ value_json.t }}" + " " * 500,
)


@pytest.mark.parametrize("template", UNCHANGED)
def test_a_template_that_hands_a_value_on_tells_where_it_stands(template: str) -> None:
    assert handed_on(template) == FieldPath(UNCHANGED[template])


@pytest.mark.parametrize("template", CHANGED)
def test_a_template_that_makes_another_value_tells_nothing(template: str) -> None:
    assert handed_on(template) is None


def test_without_a_template_the_whole_message_is_the_value() -> None:
    assert handed_on(None) == FieldPath(())


@pytest.mark.parametrize(
    ("template", "digits"),
    [("{{ value | round(2) }}", 2), ("{{ value|round(0, 'ceil') }}", 0), ("{{ value | round }}", None)],
)
def test_the_places_that_a_template_rounds_to_are_known(template: str, digits: int | None) -> None:
    assert rounded_to(template) == digits


def ids(*identifiers: str) -> str:
    return json.dumps({"identifiers": list(identifiers)})


OF_PROJECTS = {
    "zigbee2mqtt": [
        Announced(
            "zigbee2mqtt/kitchen",
            FieldPath(("temperature",)),
            "°C",
            "temperature",
            device=ids("zigbee2mqtt_0x00158d0001a2b3c4"),
        )
    ],
    "Tasmota": [
        Announced("tele/plug/SENSOR", FieldPath(("ENERGY", "Power")), "W", "power", device=ids("B0EA2C"))
    ],
    "ESPHome": [
        Announced("attic/sensor/humidity/state", FieldPath(()), "%", "humidity", 1, ids("a4cf12b3c4d5"))
    ],
    "EMS-ESP": [],
    "rtl_433, wind": [],
    "rtl_433, temperature": [
        Announced(
            "rtl_433/pi/devices/Acurite-5n1/A/1234/temperature_C",
            FieldPath(()),
            "°C",
            "temperature",
            1,
            ids("Acurite-5n1-A-1234"),
        )
    ],
    "OpenMQTTGateway": [
        Announced(
            "+/+/BTtoMQTT/A4C138000102",
            FieldPath(("tempc",)),
            "°C",
            "temperature",
            device=ids("A4C138000102"),
        )
    ],
    "Frigate": [
        Announced(
            "frigate/stats", FieldPath(("cameras", "front", "camera_fps")), "fps", device=ids("frigate")
        ),
        Announced(
            "frigate/stats",
            FieldPath(("detectors", "coral", "inference_speed")),
            "ms",
            "duration",
            2,
            ids("frigate"),
        ),
    ],
}


@pytest.mark.parametrize("project", payloads.ALL)
def test_what_a_project_tells_of_its_sensors_is_understood(project: str) -> None:
    told = payloads.ALL[project]
    platform = told.topic.split("/")[1]
    assert list(read_announcement(platform, told.payload)) == OF_PROJECTS[project]


@pytest.mark.parametrize("position", ["~/SENSOR", "tele/~"])
def test_the_base_of_a_topic_is_put_in_where_it_is_left_out(position: str) -> None:
    content = {"~": "base", "stat_t": position, "unit_of_meas": "W"}
    [found] = read_announcement("sensor", json.dumps(content).encode())
    assert found.topic == position.replace("~", "base")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"[]",
        b"{",
        b"[" * 100_000,
        b'{"stat_t": 5}',
        b'{"stat_t": ""}',
        b'{"unit_of_measurement": "W"}',
        b'{"stat_t": "a", "val_tpl": 5}',
        b'{"stat_t": "a", "x": "' + b"x" * (1 << 20) + b'"}',
    ],
)
@pytest.mark.parametrize("platform", ["sensor", "device"])
def test_what_is_no_announcement_tells_nothing(platform: str, payload: bytes) -> None:
    assert list(read_announcement(platform, payload)) == []


@pytest.mark.parametrize(
    ("part", "attribute"),
    [
        ({"unit_of_meas": 5}, "unit"),
        ({"unit_of_meas": " "}, "unit"),
        ({"unit_of_meas": "x" * 33}, "unit"),
        ({"unit_of_meas": "\x1b[1m"}, "unit"),
        ({"dev_cla": "Power Ranger"}, "device_class"),
        ({"dev_cla": None}, "device_class"),
        ({"sug_dsp_prc": True}, "precision"),
        ({"sug_dsp_prc": 11}, "precision"),
        ({"sug_dsp_prc": -1}, "precision"),
        ({"dev": "x"}, "device"),
        ({"dev": {"name": "x"}}, "device"),
        ({"dev": {"ids": [{}]}}, "device"),
        ({"dev": {"ids": ["x"] * 11}}, "device"),
        ({"dev": {"cns": [["mac"]]}}, "device"),
        ({"dev": {"cns": "mac"}}, "device"),
    ],
)
def test_a_part_of_another_form_is_left_out(part: dict[str, object], attribute: str) -> None:
    [found] = read_announcement("sensor", json.dumps({"stat_t": "a", **part}).encode())
    assert getattr(found, attribute) is None


def test_the_limits_of_what_is_taken_are_taken_themselves() -> None:
    content = {"stat_t": "a", "unit_of_meas": "x" * 32, "sug_dsp_prc": 10, "dev": {"ids": ["x"] * 10}}
    [found] = read_announcement("sensor", json.dumps(content).encode())
    assert found.unit == "x" * 32
    assert found.precision == 10
    assert found.device == ids(*["x"] * 10)


def test_a_device_without_identifiers_is_made_out_by_its_connections() -> None:
    content = {"stat_t": "a", "dev": {"cns": [["mac", "02:00:00:00:00:01"]]}}
    [found] = read_announcement("sensor", json.dumps(content).encode())
    assert found.device == '{"connections": [["mac", "02:00:00:00:00:01"]]}'


@pytest.mark.parametrize("platform", ["binary_sensor", "switch", "climate"])
def test_what_has_no_number_tells_nothing_of_one(platform: str) -> None:
    assert list(read_announcement(platform, b'{"stat_t": "a", "unit_of_meas": "W"}')) == []


def taken(sources: Sources, told: payloads.Told, **other: object) -> set[str]:
    content = json.dumps({**told.content, **other}).encode()
    return sources.take(told.topic, told.topic.split("/")[1], content)


def test_a_value_is_found_by_its_topic_and_its_place() -> None:
    sources = Sources(lambda topic: True)
    assert taken(sources, payloads.ZIGBEE2MQTT) == {"zigbee2mqtt/kitchen"}
    found = sources.find("zigbee2mqtt/kitchen", ("humidity", "temperature"))
    assert found is not None
    assert found.unit == "°C"
    assert sources.find("zigbee2mqtt/kitchen", ("humidity",)) is None
    assert sources.find("zigbee2mqtt/bath", ("temperature",)) is None
    assert sources.find("zigbee2mqtt/kitchen", ()) is None


def test_what_is_told_otherwise_is_known_as_a_change_and_what_is_told_again_is_not() -> None:
    sources = Sources(lambda topic: True)
    taken(sources, payloads.ZIGBEE2MQTT)
    assert taken(sources, payloads.ZIGBEE2MQTT) == set()
    assert taken(sources, payloads.ZIGBEE2MQTT, unit_of_measurement="K") == {"zigbee2mqtt/kitchen"}
    assert taken(sources, payloads.ZIGBEE2MQTT, state_topic="zigbee2mqtt/k") == {
        "zigbee2mqtt/kitchen",
        "zigbee2mqtt/k",
    }
    assert sources.take(payloads.ZIGBEE2MQTT.topic, "sensor", b"") == {"zigbee2mqtt/k"}
    assert sources.find("zigbee2mqtt/k", ("temperature",)) is None


def test_a_source_may_name_its_topics_by_a_filter() -> None:
    sources = Sources(lambda topic: False)
    assert taken(sources, payloads.OPENMQTTGATEWAY) == {"+/+/BTtoMQTT/A4C138000102"}
    assert sources.find("home/gateway/BTtoMQTT/A4C138000102", ("tempc",)) is not None
    assert sources.find("home/gateway/BTtoMQTT/A4C138000103", ("tempc",)) is None
    sources.take(payloads.OPENMQTTGATEWAY.topic, "sensor", b"")
    assert sources.find("home/gateway/BTtoMQTT/A4C138000102", ("tempc",)) is None


def test_what_is_about_topics_that_nobody_reads_is_not_remembered() -> None:
    sources = Sources(lambda topic: topic == "tele/plug/SENSOR")
    assert taken(sources, payloads.ZIGBEE2MQTT) == set()
    assert taken(sources, payloads.TASMOTA) == {"tele/plug/SENSOR"}


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_MESSAGES", 2)
    monkeypatch.setattr(module, "MOST_FILTERS", 1)
    sources = Sources(lambda topic: True)
    content = json.dumps({"stat_t": "+/a"}).encode()
    assert sources.take("h/sensor/1/config", "sensor", content) == {"+/a"}
    assert sources.take("h/sensor/2/config", "sensor", json.dumps({"stat_t": "+/b"}).encode()) == set()
    assert sources.take("h/sensor/3/config", "sensor", json.dumps({"stat_t": "b"}).encode()) == {"b"}
    assert sources.take("h/sensor/4/config", "sensor", json.dumps({"stat_t": "c"}).encode()) == set()
    sources.forget_all()
    assert sources.take("h/sensor/4/config", "sensor", json.dumps({"stat_t": "+/c"}).encode()) == {"+/c"}


def test_of_several_that_speak_of_a_value_it_is_always_the_same_that_is_heard() -> None:
    for order in ((1, 2), (2, 1)):
        sources = Sources(lambda topic: True)
        for number in order:
            content = json.dumps({"stat_t": "a", "unit_of_meas": f"W{number}"}).encode()
            sources.take(f"homeassistant/sensor/{number}/config", "sensor", content)
        found = sources.find("a", ("",))
        assert found is not None
        assert found.unit == "W1"
