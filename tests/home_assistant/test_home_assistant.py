"""What becomes of our averages in a real Home Assistant."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.conftest import MakeRole
from tests.home_assistant.instance import HomeAssistant
from tests.support.brokers import Mosquitto
from tests.support.mqtt_client import Peer
from tests.support.processes import Role
from tests.support.waiting import wait_for
from tests.unit.discovery_payloads import ZIGBEE2MQTT, Told

pytestmark = pytest.mark.home_assistant
KITCHEN = "sensor.kitchen_temperature_average_1min"
SHORT = "sensor.kitchen_temperature_average_5s"
STREAMS = """
[[stream]]
topic = "zigbee2mqtt/+"
value = "temperature"
windows = [{windows}]
statistics = ["avg", "stddev", "rate"]
"""
# Seconds. Home Assistant's birth message comes some seconds after it has connected.
PATIENCE = 120.0


class MakeSubscriber(Protocol):
    def __call__(self, *windows: str, **settings: str) -> Role: ...


@pytest.fixture
def make_subscriber(make_role: MakeRole, mosquitto: Mosquitto, tmp_path: Path) -> MakeSubscriber:
    """Make subscribers with a stream file of their own, which tell Home Assistant of everything."""

    def make(*windows: str, **settings: str) -> Role:
        path = tmp_path / f"streams-{'-'.join(windows)}.toml"
        path.write_text(STREAMS.format(windows=", ".join(f'"{window}"' for window in windows)))
        return make_role(
            "subscriber",
            broker=mosquitto,
            **{"STREAMS_FILE": str(path), "HA_DISCOVERY": "#", "STATS_INTERVAL": "1s", **settings},
        )

    return make


@pytest.fixture
def source(mosquitto: Mosquitto) -> Iterator[Peer]:
    with Peer(mosquitto.access) as peer:
        yield peer


def tell(source: Peer, told: Told, **other: object) -> None:
    """Tell Home Assistant of the source's own sensor."""
    source.publish(told.topic, json.dumps({**told.content, **other}), retain=True)


def read(source: Peer, value: float, topic: str = "zigbee2mqtt/kitchen") -> None:
    source.publish(topic, json.dumps({"temperature": value}))


def wait_for_state(found: HomeAssistant, entity_id: str, state: str | None) -> dict[str, Any] | None:
    """Return an entity when it has a state; None: when there is none."""

    def has_state() -> bool:
        return found.state(entity_id) == state

    def told() -> str:
        return f"{entity_id} is {state}: {found.states()}\n" + "\n".join(found.complaints)

    wait_for(has_state, told, PATIENCE)
    return found.states().get(entity_id)


def disabled(found: HomeAssistant) -> set[str]:
    """Return the entities that have to be switched on to be seen."""
    return {name for name, each in found.registry().items() if each["disabled_by"] == "integration"}


def test_averages_appear_on_the_device_of_their_source_with_its_unit(
    home_assistant: HomeAssistant, make_subscriber: MakeSubscriber, source: Peer
) -> None:
    tell(source, ZIGBEE2MQTT)
    subscriber = make_subscriber("5s", "1min").start_and_wait()
    read(source, 21.456)
    shown = wait_for_state(home_assistant, KITCHEN, "21.46")
    assert shown is not None
    attributes = shown["attributes"]
    assert attributes["unit_of_measurement"] == "°C"
    assert attributes["device_class"] == "temperature"
    assert attributes["state_class"] == "measurement"
    assert attributes["count"] == 1
    assert 0 < attributes["coverage"] <= 1
    assert 0 <= attributes["age"] < PATIENCE
    assert home_assistant.render(f"{{{{ device_attr('{KITCHEN}', 'name') }}}}") == "kitchen"
    assert wait_for_state(home_assistant, SHORT, "unknown")  # nothing has come for 5 s
    # what stands there when a series is gone; Home Assistant hears it before it is told to let go of it
    source.publish("STATS/zigbee2mqtt/kitchen", "", retain=True)
    read(source, 25.0)
    assert wait_for_state(home_assistant, SHORT, "25.0")
    others = {
        f"sensor.kitchen_temperature_{statistic}_{window}"
        for statistic in ("standard_deviation", "rate")
        for window in ("5s", "1min")
    }
    wait_for(lambda: disabled(home_assistant) == others, lambda: f"disabled: {disabled(home_assistant)}")
    subscriber.stop()
    assert wait_for_state(home_assistant, KITCHEN, "unavailable")
    assert home_assistant.complaints == []


def test_they_are_right_after_a_restart_of_anything(
    home_assistant: HomeAssistant, make_subscriber: MakeSubscriber, source: Peer, mosquitto: Mosquitto
) -> None:
    tell(source, ZIGBEE2MQTT)
    subscriber = make_subscriber("1min", "1h").start_and_wait()
    hour = "sensor.kitchen_temperature_average_1h"
    read(source, 20.0)
    wait_for_state(home_assistant, hour, "20.0")
    home_assistant.restart()
    wait_for_state(home_assistant, hour, "20.0")
    subscriber.stop()
    wait_for_state(home_assistant, hour, "unavailable")
    subscriber.start_and_wait()
    wait_for_state(home_assistant, hour, "20.0")
    mosquitto.restart()
    with Peer(mosquitto.access) as again:
        read(again, 30.0)
    wait_for_state(home_assistant, hour, "25.0")
    shown = [name for name in home_assistant.states() if "average" in name]
    assert shown == [KITCHEN, hour]


def test_a_source_that_appears_later_takes_its_averages_along(
    home_assistant: HomeAssistant, make_subscriber: MakeSubscriber, source: Peer
) -> None:
    make_subscriber("1h").start_and_wait()
    read(source, 20.0)
    of_ours = "sensor.zigbee2mqtt_kitchen_temperature_average_1h"
    before = wait_for_state(home_assistant, of_ours, "20.0")
    assert before is not None
    assert "unit_of_measurement" not in before["attributes"]
    tell(source, ZIGBEE2MQTT)
    wait_for(
        lambda: home_assistant.render(f"{{{{ device_attr('{of_ours}', 'name') }}}}") == "kitchen",
        lambda: f"it is on the source's device: {home_assistant.states()}",
        PATIENCE,
    )
    after = wait_for_state(home_assistant, of_ours, "20.0")
    assert after is not None
    assert after["attributes"]["unit_of_measurement"] == "°C"


def test_what_is_taken_out_disappears(
    home_assistant: HomeAssistant,
    make_subscriber: MakeSubscriber,
    make_role: MakeRole,
    source: Peer,
    mosquitto: Mosquitto,
) -> None:
    tell(source, ZIGBEE2MQTT)
    subscriber = make_subscriber("1min", "1h").start_and_wait()
    hour = "sensor.kitchen_temperature_average_1h"
    read(source, 20.0)
    wait_for_state(home_assistant, hour, "20.0")
    wait_for_state(home_assistant, KITCHEN, "20.0")
    subscriber.stop()
    fewer = make_subscriber("1h").start_and_wait()
    wait_for_state(home_assistant, KITCHEN, None)
    wait_for_state(home_assistant, hour, "20.0")
    fewer.stop()
    remove = make_role("home-assistant", "--remove", broker=mosquitto).start()
    assert remove.wait() == 0
    assert "removed 1 devices" in remove.stdout
    wait_for_state(home_assistant, hour, None)
    assert home_assistant.state("sensor.kitchen_temperature") is not None  # that of the source


def test_a_thousand_devices_appear(
    home_assistant: HomeAssistant, make_subscriber: MakeSubscriber, source: Peer
) -> None:
    subscriber = make_subscriber("1h").start_and_wait()
    topics = [f"zigbee2mqtt/{number}" for number in range(1000)]
    for topic in topics:
        device = {"identifiers": [topic], "name": topic.replace("/", " ")}
        told = Told(f"homeassistant/sensor/{topic.replace('/', '_')}/config", ZIGBEE2MQTT.content)
        tell(source, told, state_topic=topic, unique_id=topic, device=device)
    source.publish_all((topic, json.dumps({"temperature": number})) for number, topic in enumerate(topics))

    def averages() -> dict[str, str]:
        found = home_assistant.states()
        return {name: each["state"] for name, each in found.items() if name.endswith("average_1h")}

    expected = {f"sensor.zigbee2mqtt_{each}_temperature_average_1h": f"{each}.0" for each in range(1000)}
    expected["sensor.zigbee2mqtt_0_temperature_average_1h"] = "0"
    wait_for(
        lambda: averages() == expected,
        lambda: f"a thousand averages: {len(averages())}; {subscriber.stderr[-1000:]}",
        PATIENCE,
    )
