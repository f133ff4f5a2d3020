"""Says of each message on standard input, a line of JSON each, whether Home Assistant takes it.

To be run by the Python of its environment. A line of the answer is a JSON list: whether it takes the message
as one of a device, and of each entity by its key whether it takes that.
"""

import asyncio
import json
import sys
from typing import Any

import voluptuous as vol
from homeassistant.components.mqtt.schemas import DEVICE_DISCOVERY_SCHEMA
from homeassistant.components.mqtt.sensor import DISCOVERY_SCHEMA
from homeassistant.components.sensor.const import (
    DEVICE_CLASS_STATE_CLASSES,
    DEVICE_CLASS_UNITS,
    SensorDeviceClass,
    SensorStateClass,
)
from homeassistant.core import HomeAssistant


def takes(schema: Any, content: object) -> bool:
    """Whether a schema takes a content."""
    try:
        schema(content)
    except vol.Invalid:
        return False
    return True


def verdict(content: dict[str, Any]) -> list[Any]:
    """Return whether a message is taken, and each of its entities, merged with what holds for all of them."""
    whole = takes(DEVICE_DISCOVERY_SCHEMA, json.loads(json.dumps(content)))
    components = content.get("components")
    if not whole or not isinstance(components, dict):
        return [whole, {}]
    found = {}
    for key, component in components.items():
        own = {name: value for name, value in component.items() if name != "platform"}
        merged = own | {"device": content["device"], "availability_topic": content["availability_topic"]}
        found[key] = not own or takes(DISCOVERY_SCHEMA, merged)
    return [whole, found]


async def main() -> None:
    """Answer. Templates are looked at in the loop of a running instance, which has nothing else to do."""
    instance = HomeAssistant(".")
    classes = {
        str(each): SensorStateClass.MEASUREMENT in DEVICE_CLASS_STATE_CLASSES.get(each, set())
        for each in SensorDeviceClass
    }
    units = {str(each): sorted(map(str, found)) for each, found in DEVICE_CLASS_UNITS.items()}
    print(json.dumps({"classes": classes, "units": units}))
    for line in sys.stdin:
        print(json.dumps(verdict(json.loads(line))))
    await instance.async_stop(force=True)


asyncio.run(main())
