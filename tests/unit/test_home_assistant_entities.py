"""The entities that Home Assistant is told of: their units and classes, names and ids."""

from pathlib import Path
from typing import Any

import pytest

from models.statistics.plan import Plan
from models.statistics.rules import Rules
from scheduler_app.publishing.home_assistant.classes import MEASUREMENT, NO_MEASUREMENT
from tests.unit import discovery_payloads as payloads
from tests.unit.home_assistant_broker import PLAN, Site, entities

Z2M = payloads.ZIGBEE2MQTT
STATISTICS = (
    *("avg", "min", "max", "median", "p95", "first", "last", "time_weighted_avg", "circular_avg"),
    *("stddev", "range", "sum", "rate"),
)


def kind(entity: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return unit, class and state class of an entity."""
    return tuple(entity.get(key) for key in ("unit_of_measurement", "device_class", "state_class"))  # type: ignore[return-value]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Site:
    return Site(
        monkeypatch, tmp_path, '[[stream]]\ntopic = "zigbee2mqtt/+"\nvalue = ["temperature", "humidity"]'
    )


def one_entity(site: Site, **told: object) -> dict[str, Any]:
    """Return the average of the kitchen's temperature, of which its source tells, some of it otherwise."""
    site.series("zigbee2mqtt/kitchen", "temperature")
    site.tell(Z2M, **told)
    [(_, content)] = site.up()
    return entities(content)["temperature average 5min"]


def test_an_average_has_the_unit_the_class_and_the_device_of_its_source(site: Site) -> None:
    site.series("zigbee2mqtt/kitchen", "temperature")
    site.series("zigbee2mqtt/kitchen", "humidity")
    site.tell(Z2M, suggested_display_precision=1)
    [(_, content)] = site.up()
    assert content is not None
    assert content["device"] == {"identifiers": ["zigbee2mqtt_0x00158d0001a2b3c4"]}
    found = entities(content)
    assert sorted(found) == [
        f"{field} average {window}" for field in ("humidity", "temperature") for window in ("1min", "5min")
    ]
    temperature = found["temperature average 5min"]
    assert kind(temperature) == ("°C", "temperature", "measurement")
    assert temperature["suggested_display_precision"] == 1
    assert "round(2)" in temperature["value_template"]
    assert temperature["state_topic"] == "STATS/zigbee2mqtt/kitchen/temperature"
    assert kind(found["humidity average 5min"]) == (None, None, None)


def test_each_template_takes_the_empty_message_of_a_series_that_is_gone(site: Site) -> None:
    """Of an empty message Home Assistant knows no `value_json`, and tells of each use of it in its log."""
    site.series("zigbee2mqtt/kitchen", "temperature")
    [(_, content)] = site.up()
    for entity in entities(content).values():
        for key in ("value_template", "json_attributes_template"):
            assert "if value_json is defined" in entity[key]


def test_without_any_of_it_there_is_an_entity_on_a_device_of_ours(site: Site) -> None:
    site.series("zigbee2mqtt/kitchen", "temperature")
    [(topic, content)] = site.up()
    assert content is not None
    device_id = topic.split("/")[2]
    assert content["device"] == {
        "identifiers": [device_id],
        "name": "zigbee2mqtt/kitchen",
        "manufacturer": "Rolling averages",
    }
    assert kind(entities(content)["temperature average 1min"]) == (None, None, None)


@pytest.mark.parametrize("device_class", sorted(NO_MEASUREMENT))
def test_a_class_that_forbids_averages_is_not_taken_over_and_its_unit_is(
    site: Site, device_class: str
) -> None:
    entity = one_entity(site, device_class=device_class, unit_of_measurement="kWh")
    assert kind(entity) == ("kWh", None, "measurement")


def test_no_class_both_allows_and_forbids_averages() -> None:
    assert not MEASUREMENT & NO_MEASUREMENT


def test_a_statistic_has_what_it_can_have_of_its_source(site: Site) -> None:
    itself, nothing = ("°C", "temperature", "measurement"), (None, None, None)
    site.series("zigbee2mqtt/kitchen", "temperature", plan=Plan([("1h", 3_600_000)], STATISTICS))
    site.tell(Z2M)
    [(_, content)] = site.up()
    found = {
        name.removeprefix("temperature ").removesuffix(" 1h"): kind(entity)
        for name, entity in entities(content).items()
    }
    names = ("average", "minimum", "maximum", "median", "p95", "first", "last")
    averages = ("time-weighted average", "circular average")
    assert found == {
        **dict.fromkeys((*names, *averages), itself),
        **dict.fromkeys(("standard deviation", "range"), ("°C", "temperature_delta", "measurement")),
        "sum": ("°C", None, "measurement"),
        "rate": nothing,
    }


def test_a_difference_of_another_class_is_of_that_class(site: Site) -> None:
    site.series("zigbee2mqtt/kitchen", "temperature", plan=Plan([("1h", 3_600_000)], ["stddev"]))
    site.tell(Z2M, device_class="humidity", unit_of_measurement="%")
    [(_, content)] = site.up()
    assert kind(entities(content)["temperature standard deviation 1h"]) == ("%", "humidity", "measurement")


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("°", ("°", None, "measurement_angle")), ("rad", ("rad", None, "measurement"))],
)
def test_an_average_of_directions_is_an_angle(
    site: Site, unit: str, expected: tuple[str | None, ...]
) -> None:
    site.series("zigbee2mqtt/kitchen", "temperature", plan=Plan([("1h", 3_600_000)], ["circular_avg"]))
    site.tell(Z2M, device_class="wind_direction", unit_of_measurement=unit)
    [(_, content)] = site.up()
    assert kind(entities(content)["temperature circular average 1h"]) == expected


def test_the_average_is_enabled_and_the_other_statistics_are_not(site: Site) -> None:
    site.series("zigbee2mqtt/kitchen", "temperature", plan=Plan(PLAN.windows, ["max", "avg"]))
    [(_, content)] = site.up()
    for name, entity in entities(content).items():
        is_average = "average" in name
        assert entity.get("enabled_by_default", True) is is_average
        assert ("json_attributes_template" in entity) is is_average


@pytest.mark.parametrize(
    ("statistics", "shown"), [(["p95", "max"], "p95"), (["count"], "count"), (["rate", "count"], "rate")]
)
def test_without_an_average_the_first_statistic_takes_its_place(
    site: Site, statistics: list[str], shown: str
) -> None:
    plan = Plan([("1min", 60_000)], statistics, Rules(hold=60.0))
    site.series("zigbee2mqtt/kitchen", "temperature", plan=plan)
    [(_, content)] = site.up()
    enabled = [name for name, entity in entities(content).items() if "enabled_by_default" not in entity]
    assert enabled == [f"temperature {shown} 1min"]


def stream(value: str) -> str:
    return f'[[stream]]\ntopic = "zigbee2mqtt/+"\nvalue = {value}'


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ('unit = "K"', ("K", None, "measurement")),  # the class goes with the unit
        ('unit = "°C"', ("°C", "temperature", "measurement")),
        ('unit = "V", device_class = "voltage"', ("V", "voltage", "measurement")),
        ('device_class = "energy"', ("°C", None, "measurement")),
        ("scale = 0.1", (None, None, None)),
        ("offset = 1", (None, None, None)),
        ("map = { ON = 1 }", (None, None, None)),
        ('scale = 0.1, unit = "W"', ("W", None, "measurement")),
        ("range = [0, 50]", ("°C", "temperature", "measurement")),
    ],
)
def test_what_a_stream_file_says_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, keys: str, expected: tuple[str | None, ...]
) -> None:
    site = Site(monkeypatch, tmp_path, stream(f'{{ path = "temperature", name = "temperature", {keys} }}'))
    assert kind(one_entity(site)) == expected


def test_a_value_that_is_named_otherwise_is_found_where_it_stands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    site = Site(monkeypatch, tmp_path, stream('[{ path = "temperature", name = "warmth" }, "humidity"]'))
    site.series("zigbee2mqtt/kitchen", "warmth")
    site.tell(Z2M)
    [(_, content)] = site.up()
    assert kind(entities(content)["warmth average 1min"]) == ("°C", "temperature", "measurement")


def test_a_value_among_all_numbers_of_a_message_is_found_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    site = Site(monkeypatch, tmp_path, '[[stream]]\ntopic = "tele/+/SENSOR"\nvalue = "*"')
    site.series("tele/plug/SENSOR", "ENERGY/Power")
    site.tell(payloads.TASMOTA)
    [(_, content)] = site.up()
    assert kind(entities(content)["ENERGY Power average 1min"]) == ("W", "power", "measurement")


def test_a_message_that_is_a_number_is_found_by_its_topic(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    site = Site(monkeypatch, tmp_path)
    site.series("attic/sensor/humidity/state")
    site.tell(payloads.ESPHOME)
    [(_, content)] = site.up()
    assert content is not None
    assert content["device"] == {"identifiers": ["a4cf12b3c4d5"]}
    assert kind(entities(content)["average 1min"]) == ("%", "humidity", "measurement")


@pytest.mark.parametrize(
    ("keys", "name", "inherits"),
    [
        ('series = "house/{topic.2}"', "house/kitchen", True),
        ('series = "{model}/{topic.2}"', "x/kitchen", False),
        ('each = "meters"\nseries = "{topic}/{each}"', "zigbee2mqtt/kitchen/0", False),
    ],
)
def test_a_series_that_is_named_by_a_message_has_nothing_of_what_is_told_of_all_messages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, keys: str, name: str, *, inherits: bool
) -> None:
    """The source tells of one value on the topic, which holds those of several series."""
    site = Site(monkeypatch, tmp_path, f'[[stream]]\ntopic = "zigbee2mqtt/+"\nvalue = "temperature"\n{keys}')
    site.series("zigbee2mqtt/kitchen", name=name)
    site.tell(Z2M)
    [(_, content)] = site.up()
    assert content is not None
    assert ("name" not in content["device"]) is inherits
    if not inherits:
        assert content["device"]["name"] == name


def test_series_of_a_name_that_differ_in_the_field_are_on_one_device(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    streams = '[[stream]]\ntopic = "rtl/events"\nvalue = ["t", "h"]\nseries = "{model}"'
    site = Site(monkeypatch, tmp_path, streams)
    for name in ("Acurite/t", "Acurite/h", "Nexus/t"):
        site.series("rtl/events", name=name)
    found = {content["device"]["name"]: sorted(entities(content)) for _, content in site.up() if content}
    assert found == {
        "Acurite": [f"{field} average {window}" for field in "ht" for window in ("1min", "5min")],
        "Nexus": ["t average 1min", "t average 5min"],
    }


def test_where_sources_speak_of_several_devices_it_is_one_of_ours(site: Site) -> None:
    site.series("zigbee2mqtt/kitchen", "temperature")
    site.series("zigbee2mqtt/kitchen", "humidity")
    site.tell(Z2M)
    other = Z2M._replace(topic="homeassistant/sensor/other/config")
    site.tell(other, device={"identifiers": ["other"]}, value_template="{{ value_json.humidity }}")
    [(_, content)] = site.up()
    assert content is not None
    assert content["device"]["name"] == "zigbee2mqtt/kitchen"


@pytest.mark.parametrize(
    ("interval", "seconds"), [("10s", 180), ("60s", 180), ("61s", 183), ("0.1s", 180), ("1h", 10_800)]
)
def test_a_state_that_does_not_come_any_more_expires(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, interval: str, seconds: int
) -> None:
    site = Site(monkeypatch, tmp_path, stats_interval=interval)
    site.series("a")
    [(_, content)] = site.up()
    assert entities(content)["average 1min"]["expire_after"] == seconds


def ids_of(site: Site) -> tuple[set[str], set[str]]:
    """Return the ids of all devices and entities that are sent."""
    sent = site.up()
    return {topic for topic, _ in sent}, {
        entity["unique_id"] for _, content in sent for entity in entities(content).values()
    }


def test_ids_are_the_same_after_a_restart_and_with_another_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They are written out here, since a change of them would take the history from every user."""
    expected = (
        {"homeassistant/device/averages_75e5b928_ca978112ca1bbdca/config"},
        {f"averages_75e5b928_ca978112ca1bbdca_{window}_avg" for window in ("1min", "5min")},
    )
    for topic_filter in ("#", "a"):
        site = Site(monkeypatch, tmp_path, ha_discovery=topic_filter)
        site.series("a")
        assert ids_of(site) == expected


@pytest.mark.parametrize("other", [{"client_id": "b"}, {"stats_topic": "S"}])
def test_two_installations_at_a_broker_have_nothing_in_common(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, other: dict[str, str]
) -> None:
    sites = [Site(monkeypatch, tmp_path), Site(monkeypatch, tmp_path, **other)]
    for site in sites:
        site.series("a")
    (topics, ids), (other_topics, other_ids) = map(ids_of, sites)
    assert not topics & other_topics
    assert not ids & other_ids


@pytest.mark.parametrize("name", ["a/ä", "a b", "%2F/x", "a.b", "'", "{{ x }}", "x" * 1000])
def test_a_series_may_have_any_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """The messages are held against the schema."""
    site = Site(monkeypatch, tmp_path)
    site.series(name, plan=Plan([("1.5h", 5_400_000)], ["p99.9"]))
    [(_, content)] = site.up()
    assert entities(content)["p99.9 1.5h"]["state_topic"] == f"STATS/{name}"
