"""What devices tell Home Assistant of their numbers."""

import json

import pytest

from scheduler_app.trial.discovery import Discovery, Meaning

TOPIC = "homeassistant/sensor/0x1/temperature/config"


def told(*contents: object, topic: str = TOPIC) -> Discovery:
    discovery = Discovery()
    for content in contents:
        assert discovery.takes(topic, json.dumps(content).encode())
    return discovery


def meaning(**part: object) -> Meaning | None:
    """Return what is said of the field `t` of messages on z/a."""
    return told({"state_topic": "z/a", "value_template": "{{ value_json.t }}"} | part).meaning("z/a", ("t",))


def test_unit_and_class_are_those_of_the_field_that_the_template_takes() -> None:
    assert meaning(unit_of_measurement="°C", device_class="temperature") == Meaning("°C", "temperature")
    assert meaning(unit_of_meas="W", dev_cla="power", stat_cla="total_increasing") == Meaning(
        "W", "power", True
    )


@pytest.mark.parametrize(
    ("template", "keys"),
    [
        ("{{ value_json.t }}", ("t",)),
        ("{{value_json.a.t|float}}", ("a", "t")),
        ("{{ value_json['a']['t t'] | round(1) }}", ("a", "t t")),
        ('{{ value_json["t"] | default(0) | int }}', ("t",)),
        ("{{ value }}", ()),
        ("{{ value | float }}", ()),
    ],
)
def test_a_template_that_takes_a_value_as_it_stands_is_understood(
    template: str, keys: tuple[str, ...]
) -> None:
    discovery = told({"state_topic": "z/a", "value_template": template, "unit_of_measurement": "W"})
    assert discovery.meaning("z/a", keys) == Meaning("W")


@pytest.mark.parametrize(
    "template",
    [
        "{{ value_json.t / 10 }}",
        "{{ value_json.t | multiply(2) }}",
        "{% if value_json.t %}1{% endif %}",
        5,
        "",
    ],
)
def test_one_that_computes_says_nothing_of_the_field(template: object) -> None:
    discovery = told({"state_topic": "z/a", "value_template": template, "unit_of_measurement": "W"})
    assert discovery.meaning("z/a", ("t",)) is discovery.meaning("z/a", ()) is None


def test_without_a_template_it_is_the_whole_message() -> None:
    assert told({"stat_t": "z/a", "unit_of_meas": "W"}).meaning("z/a", ()) == Meaning("W")


def test_a_base_topic_is_filled_in() -> None:
    assert told({"~": "z/a", "stat_t": "~/s", "unit_of_meas": "W"}).meaning("z/a/s", ()) == Meaning("W")
    assert told({"~": "z/a", "stat_t": "s/~", "unit_of_meas": "W"}).meaning("s/z/a", ()) == Meaning("W")


def test_the_words_of_a_binary_sensor_are_known() -> None:
    found = meaning(payload_on="Wet", payload_off="DRY")
    assert found is not None
    assert found.words == {"wet": 1, "dry": 0}
    found = meaning(pl_on=True, pl_off=False)
    assert found is not None
    assert found.words == {"true": 1, "false": 0}
    assert meaning(payload_on="Wet") == Meaning()


def test_a_device_tells_of_all_its_components_in_one_message() -> None:
    device = {
        "state_topic": "z/a",
        "cmps": {
            "one": {"value_template": "{{ value_json.t }}", "unit_of_measurement": "°C"},
            "two": {"stat_t": "z/b", "unit_of_meas": "W"},
            "three": 5,
        },
    }
    discovery = told(device, topic="homeassistant/device/0x1/config")
    assert discovery.meaning("z/a", ("t",)) == Meaning("°C")
    assert discovery.meaning("z/b", ()) == Meaning("W")


def test_other_messages_are_not_taken() -> None:
    discovery = Discovery()
    for topic in ("homeassistant/status", "homeassistant/sensor/a/state", "z/a/b/config"):
        assert not discovery.takes(topic, b"{}")


@pytest.mark.parametrize(
    "payload", [b"", b"x", b"5", b"[]", b"\xff", b"[" * 100_000, b'{"cmps": {"a": null}}']
)
def test_what_is_no_such_message_says_nothing(payload: bytes) -> None:
    assert Discovery().takes(TOPIC, payload)


@pytest.mark.parametrize("unit", ["", " ", "\x1b[2J", "x" * 65, 5, None])
def test_a_unit_that_cannot_be_shown_is_none(unit: object) -> None:
    assert meaning(unit_of_measurement=unit) == Meaning()
    assert meaning(unit_of_measurement="x" * 64) == Meaning("x" * 64)
