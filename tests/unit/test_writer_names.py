"""Series that are named by what messages say, as the writer finds and begins them, in a real database."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.quantities import Window
from config.streams import Streams, load_streams, stream_of_series
from scheduler_app.mqtt.message import Message
from tests.unit.messages import message
from tests.unit.rows import rows
from tests.unit.test_writer_series import READINGS, REJECTED, SERIES, Service


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    yield made
    made.store.close()


RTL_433 = """
[[stream]]
topic = ["rtl_433/+/events", "theengs/#"]
value = ["temperature_C", "humidity"]
series = "{model}/{id}"

[[stream]]
topic = "Acurite/#"
"""


def restart(service: Service) -> None:
    service.store.close()
    service.start_again()


def heard(topic: str = "rtl_433/one/events", **content: object) -> Message:
    return message(json.dumps({"model": "Acurite", "id": 7, **content}).encode(), topic)


def test_a_series_that_is_named_by_the_payload_is_one_whatever_topic_it_comes_on(service: Service) -> None:
    """Two gateways may hear one sensor. It is one too after a restart, and when the topics have changed."""
    service.streams.write_text(RTL_433)
    restart(service)
    service.take(heard(temperature_C=20, humidity=40), heard("rtl_433/two/events", temperature_C=21))
    service.take(heard("theengs/x", temperature_C=22))
    restart(service)
    service.take(heard(temperature_C=23))
    service.streams.write_text(RTL_433.replace("rtl_433/+/events", "rtl/#"))
    restart(service)
    service.take(heard("rtl/1", temperature_C=24))
    assert [(name, value) for name, _, value in rows(service.path, READINGS)] == [
        ("Acurite/7/temperature_C", 20),
        ("Acurite/7/humidity", 40),
        *(("Acurite/7/temperature_C", value) for value in (21, 22, 23, 24)),
    ]
    assert [row[:3] for row in rows(service.path, SERIES)] == [
        ("Acurite/7/temperature_C", "rtl_433/one/events", ""),
        ("Acurite/7/humidity", "rtl_433/one/events", ""),
    ]


def test_no_stream_takes_the_name_of_another_ones_series(service: Service) -> None:
    service.streams.write_text(RTL_433)
    restart(service)
    service.take(message(b"1", "Acurite/7/humidity"), heard(humidity=40))
    service.take(heard(temperature_C=20), message(b"5", "Acurite/7/temperature_C"))
    service.take(heard(humidity=41))
    assert [(name, value) for name, _, value in rows(service.path, READINGS)] == [
        ("Acurite/7/humidity", 1),
        ("Acurite/7/temperature_C", 20),
    ]
    theirs = "Acurite/7/humidity is a series of Acurite/#, whose stream names its series otherwise"
    assert rows(service.path, REJECTED) == [
        ("rtl_433/one/events", "name taken", theirs),
        ("Acurite/7/temperature_C", "name taken", "Acurite/7/temperature_C is another series"),
        ("rtl_433/one/events", "name taken", theirs),
    ]


def test_a_series_goes_on_when_its_stream_begins_to_name_it_as_it_is(service: Service) -> None:
    service.take(message(b"1", "home/attic"))
    for name in ("{topic}", "home/{topic.2}", None):
        series = "" if name is None else f'series = "{name}"'
        service.streams.write_text(f'[[stream]]\ntopic = "home/#"\n{series}')
        restart(service)
        service.take(message(b"2", "home/attic"))
    assert [row[:3] for row in rows(service.path, SERIES)] == [("home/attic", "home/attic", "")]
    service.streams.write_text('[[stream]]\ntopic = "home/#"\nseries = "{topic.2}"')
    restart(service)
    service.take(message(b"3", "home/attic"))
    service.streams.write_text('[[stream]]\ntopic = "home/#"')
    restart(service)
    service.take(message(b"4", "home/attic"))
    assert [(name, value) for name, _, value in rows(service.path, READINGS)] == [
        *(("home/attic", value) for value in (1, 2, 2, 2)),
        ("attic", 3),
        ("home/attic", 4),
    ]


def test_a_series_that_is_named_by_the_payload_is_bounded_as_all_are(tmp_path: Path) -> None:
    service = Service(tmp_path, max_series="3")
    service.streams.write_text('[[stream]]\ntopic = "#"\nvalue = "t"\nseries = "{n}"')
    restart(service)
    names = ("a", "b" * 2000, "c", "d", "e")
    service.take(*(message(json.dumps({"n": name, "t": 1}).encode(), "x") for name in names))
    assert [row[1] for row in rows(service.path, REJECTED)] == [
        *("name too long", "too many series"),
    ]
    assert service.counts == {"received": 5, "stored": 3, "rejected": 2}
    service.store.close()


def test_a_message_without_what_is_looked_for_is_ignored(service: Service) -> None:
    service.streams.write_text('[[stream]]\ntopic = "zigbee/+"\nvalue = "temperature"')
    restart(service)
    service.take(message(b'{"batt":52}', "zigbee/kitchen"), message(b"{}", "zigbee/kitchen"))
    service.take(message(b'{"temperature": null}', "zigbee/kitchen"), message(b"[]", "zigbee/a"))
    assert service.counts == {"received": 4, "ignored": 4}
    assert rows(service.path, REJECTED) == []


def test_a_series_belongs_to_the_stream_of_its_topic_or_to_the_one_that_names_series(
    tmp_path: Path,
) -> None:
    path = tmp_path / "streams.toml"
    path.write_text(RTL_433)
    streams = load_streams(path, (Window("1min", 60.0),), 2100.0, "STATS")
    assert stream_of_series(streams, "Acurite/7", "rtl_433/one/events", "") == streams[0]
    assert stream_of_series(streams, "Acurite/7", "theengs/x", "") == streams[1]
    assert stream_of_series(streams, "Acurite/7", "old/events", "") == streams[0]
    assert stream_of_series(streams, "old/events/t", "old/events", "t") is None
    assert stream_of_series(Streams(streams[2:]), "Acurite/7", "old/events", "") is None
    path.write_text(RTL_433 + '\n[[stream]]\ntopic = "x"\nseries = "{topic}"')
    streams = load_streams(path, (Window("1min", 60.0),), 2100.0, "STATS")
    assert stream_of_series(streams, "Acurite/7", "old/events", "") is None
