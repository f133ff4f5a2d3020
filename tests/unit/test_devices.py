"""The page of devices is right: its stream files read its payloads, and the readings are those it says."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from config import formats
from config.quantities import Window
from config.streams import Stream, load_streams
from scheduler_app.intake.fields import decoder_of
from scheduler_app.intake.payload import NothingToRead, decode
from tests.unit.stream_reading import ARRIVED, LATEST

PAGE = (Path(__file__).parents[2] / "docs" / "devices.md").read_text()
WANTED = (
    *("Tasmota", "Shelly, first generation", "Shelly, second generation and later", "Zigbee2MQTT", "ESPHome"),
    *("rtl_433", "OpenMQTTGateway and Theengs", "Victron", "The Things Network", "ThingsBoard", "SenML"),
    *("EMS-ESP", "SlimmeLezer", "DSMR-reader", "Frigate", "OwnTracks", "Meshtastic", "Homie", "Sparkplug B"),
)


class Device(NamedTuple):
    """A section of the page."""

    streams: str
    # Topic and payload of each.
    messages: list[tuple[str, bytes]]
    # Series, value and time (UTC epoch seconds) of each.
    readings: list[tuple[str, float, float]]


def block(section: str, kind: str) -> str:
    [found] = re.findall(rf"^```{kind}\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    return str(found)


def payload_of(text: str) -> bytes:
    return bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode()


def time_of(text: str) -> float:
    return ARRIVED if text == "arrival" else datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def device(section: str) -> Device:
    lines = [line.partition(" ") for line in block(section, "text").splitlines()]
    rows = re.findall(r"^\| `(.+?)` \| (\S+) \| (.+?) \|$", section, re.MULTILINE)
    return Device(
        block(section, "toml"),
        [(topic, payload_of(text)) for topic, _, text in lines],
        [(series, float(value), time_of(time)) for series, value, time in rows],
    )


DEVICES = {
    section.partition("\n")[0]: device(section) for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
}


def readings(stream: Stream, topic: str, payload: bytes) -> Iterator[tuple[str, float, float]]:
    """Yield what is read of a message: series, value, time. Nothing may be rejected."""
    if stream.plain:
        _, time, value, _ = decode(payload, ARRIVED, LATEST)
        yield topic, value, time
        return
    try:
        found, rejections = decoder_of(stream)(payload, topic, ARRIVED, LATEST)
    except NothingToRead:
        return
    assert rejections == []
    for field, time, value, _ in found:
        name = field if stream.series is not None else f"{topic}/{field}" if field else topic
        yield name, value, time


def test_the_page_has_the_devices_that_are_asked_for() -> None:
    assert set(WANTED) <= DEVICES.keys()
    for name in DEVICES:
        assert f"[{name}](#" in PAGE


@pytest.mark.parametrize("name", DEVICES)
def test_a_device_is_read_as_the_page_says(tmp_path: Path, name: str) -> None:
    streams_text, messages, expected = DEVICES[name]
    for form, details in formats.FORMATS.items():
        if details.module is not None and f'"{form}"' in streams_text:
            pytest.importorskip(details.module)
    path = tmp_path / "streams.toml"
    path.write_text(streams_text)
    streams = load_streams(path, (Window("1min", 60.0),), 2100.0, "STATS")
    found = []
    used = set()
    for topic, payload in messages:
        stream = streams.of_topic(topic)
        assert stream is not None
        used.add((stream.values, stream.conversion))
        found += list(readings(stream, topic, payload))
    assert expected
    assert found == expected
    assert used == {(stream.values, stream.conversion) for stream in streams}  # none stands there in vain
