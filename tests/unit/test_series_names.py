"""How series are named by what messages say, and how elements of a message are told apart."""

import json
from pathlib import Path

import pytest

from scheduler_app.intake.elements import MOST_ELEMENTS
from scheduler_app.intake.fields import decoder_of
from scheduler_app.intake.payload import Reason
from tests.unit.stream_reading import (
    ARRIVED,
    LATEST,
    decoded,
    refusal,
    rejection,
    says_nothing,
    stream_of,
    time_of,
    values,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "streams.toml"


RTL_433 = {
    "time": "2026-11-26 19:47:29",
    "model": "Acurite-Tower",
    "id": 4711,
    "channel": "A",
    "temperature_C": 6.5,
}


def test_a_series_is_named_by_fields_of_the_payload(path: Path) -> None:
    text = 'value = "temperature_C"\nseries = "{model}/{channel}"'
    assert values(path, text, RTL_433) == {"Acurite-Tower/A": 6.5}
    assert values(path, text, {**RTL_433, "channel": 3}) == {"Acurite-Tower/3": 6.5}
    several = 'value = ["temperature_C", "humidity"]\nseries = "{topic}/{id}"'
    assert values(path, several, {**RTL_433, "humidity": 70}, "rtl") == {
        "rtl/4711/temperature_C": 6.5,
        "rtl/4711/humidity": 70.0,
    }


def test_a_series_is_named_by_levels_of_the_topic(path: Path) -> None:
    text = 'value = "uplink_message.decoded_payload.t"\nseries = "{topic.2}-{topic.4}"'
    payload = {"uplink_message": {"decoded_payload": {"t": 4}}}
    assert values(path, text, payload, "v3/app@ttn/devices/cellar/up") == {"app@ttn-cellar": 4.0}


def test_a_field_that_names_a_series_and_is_missing_is_told(path: Path) -> None:
    text = 'value = "t"\nseries = "{model}/{channel}"'
    for nothing in ({}, {"channel": None}, {"channel": ""}):
        assert rejection(path, text, {"t": 1, "model": "x", **nothing}) == (
            Reason.NO_NAME,
            "channel is missing",
        )
    for other in ([1], {"a": 1}, True):
        assert rejection(path, text, {"t": 1, "model": "x", "channel": other}) == (
            Reason.NO_NAME,
            "channel is no text and no number",
        )
    assert rejection(path, 'value = "t"\nseries = "{topic.3}"', {"t": 1}) == (
        Reason.NO_NAME,
        "its topic has no level 3",
    )


def test_a_message_without_a_number_needs_no_name(path: Path) -> None:
    assert says_nothing(path, 'value = "temperature_C"\nseries = "{channel}"', {"model": "x"})


def test_what_a_field_says_cannot_add_levels_to_a_name(path: Path) -> None:
    text = 'value = "t"\nseries = "{/topic}"'
    assert values(path, text, {"t": 1, "topic": "a/+/#"}) == {"a%2F%2B%2F%23": 1.0}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('series = "{model"', "must be a name with fields"),
        ('series = "model}"', "must be a name with fields"),
        ('series = "{}"', "must be a name with fields"),
        ('series = ""', "must be a name with fields"),
        ('series = "{a..b}"', "must be a name with fields"),
        ('series = "{topic.0}"', "the first level is {topic.1}"),
        ('series = "{topic.x}"', "must be a name with fields"),
        ('series = "{topic}/#"', "must be a topic without the wildcards"),
        ('series = "{each}"', "series = … {each} needs each"),
        ("series = 3", "must be a text with fields in braces"),
    ],
)
def test_a_name_that_cannot_be_is_told(path: Path, written: str, said: str) -> None:
    line = refusal(path, written)
    assert line.startswith("line 3: series = ")
    assert said in line


def test_an_array_whose_order_moves_is_read_by_name(path: Path) -> None:
    text = 'each = "meters"\nvalue = "E"\nseries = "{topic}/{meter}"'
    both = {"meters": [{"meter": "A", "E": 144.1}, {"meter": "B", "E": 10.5}]}
    assert values(path, text, both) == {"a/b/A": 144.1, "a/b/B": 10.5}
    assert values(path, text, {"meters": [{"meter": "B", "E": 11.5}]}) == {"a/b/B": 11.5}


def test_an_object_is_read_by_its_keys(path: Path) -> None:
    text = 'each = "meters"\nvalue = ["E", "P"]\nseries = "{topic}/{each}"'
    payload = {"meters": {"A": {"E": 1, "P": 2}, "B/C": {"E": 3}, "x": 5, "y": None}}
    assert values(path, text, payload) == {"a/b/A/E": 1.0, "a/b/A/P": 2.0, "a/b/B%2FC/E": 3.0}


def test_each_reading_of_a_batch_has_its_own_time(path: Path) -> None:
    stream = stream_of(path, 'each = "values"\nvalue = "v"\nseries = "{id}"\ntime = "t"\ntime_format = "ms"')
    payload = {
        "timestamp": 1,
        "values": [
            {"id": "Channel1.Device1.Tag1", "v": 42, "q": True, "t": 1795722400000},
            {"id": "Channel1.Device1.Tag1", "v": 43, "q": True, "t": 1795722401000},
        ],
    }
    readings, rejections = decoder_of(stream)(json.dumps(payload).encode(), "a", ARRIVED, LATEST)
    assert rejections == []
    assert [reading[:3] for reading in readings] == [
        ("Channel1.Device1.Tag1", 1795722400.0, 42.0),
        ("Channel1.Device1.Tag1", 1795722401.0, 43.0),
    ]


def test_what_an_element_does_not_say_the_message_around_it_does(path: Path) -> None:
    """But no value: it would be counted once for each element."""
    text = 'each = "m"\nvalue = "v"\nseries = "{site}/{n}"\ntime = "t"'
    payload = {"site": "home", "t": ARRIVED - 5, "v": 9, "m": [{"n": "a", "v": 1}, {"n": "b"}]}
    assert values(path, text, payload) == {"home/a": 1.0}
    assert time_of(path, text, payload) == ARRIVED - 5


def test_a_bad_element_is_rejected_and_the_others_count(path: Path) -> None:
    text = 'each = "."\nvalue = "v"\nseries = "{n}"'
    payload = [{"n": "a", "v": 1}, {"v": 2}, {"n": "c", "v": True}, {"n": "d", "v": None}, 5]
    named, rejections, _ = decoded(stream_of(path, text), payload)
    assert named == {"a": 1.0}
    assert rejections == [(Reason.NO_NAME, "element 1: n is missing"), (Reason.BOOLEAN, "element 2: v")]


def test_elements_may_be_numbers_themselves(path: Path) -> None:
    assert values(path, 'each = "phases"\nseries = "{topic}/{each}"', {"phases": [230, 231.5]}) == {
        "a/b/0": 230.0,
        "a/b/1": 231.5,
    }
    assert says_nothing(path, 'each = "phases"\nseries = "{each}"', {"phases": []})
    assert says_nothing(path, 'each = "phases"\nseries = "{each}"', {"phases": 3})


def test_elements_may_be_lists_of_objects(path: Path) -> None:
    """As a gateway of ThingsBoard sends them; rows of numbers are elements themselves."""
    text = 'each = "."\nvalue = "v"\nseries = "{each}"\ntime = "t"'
    stream = stream_of(path, text)
    payload = {"A": [{"t": ARRIVED - 1, "v": 1}, {"t": ARRIVED, "v": 2}], "B": [{"v": 3}], "C": [], "D": [4]}
    readings, rejections = decoder_of(stream)(json.dumps(payload).encode(), "a", ARRIVED, LATEST)
    assert rejections == []
    assert [reading[:3] for reading in readings] == [
        ("A", ARRIVED - 1, 1.0),
        ("A", ARRIVED, 2.0),
        ("B", ARRIVED, 3.0),
    ]
    rows = 'each = "."\nvalue = "1"\ntime = "0"'
    assert time_of(path, rows, [[ARRIVED - 5, 21.5]]) == ARRIVED - 5


def test_so_many_elements_may_one_message_hold(path: Path) -> None:
    text = 'each = "."\nseries = "{each}"'
    assert len(values(path, text, [1] * MOST_ELEMENTS)) == MOST_ELEMENTS
    assert rejection(path, text, [1] * (MOST_ELEMENTS + 1)) == (
        Reason.TOO_MANY_NUMBERS,
        "1000 elements are allowed",
    )


def test_elements_that_nothing_tells_apart_are_refused(path: Path) -> None:
    assert refusal(path, 'each = "meters"\nvalue = "E"').startswith("line 3: each needs series")
    assert stream_of(path, 'each = "values"\nvalue = "v"\ntime = "t"').each is not None


def test_an_id_may_stand_anywhere(path: Path) -> None:
    stream = stream_of(path, 'value = ["data.t", "data.h"]\nid = "ce.id"')
    payload = {"ce": {"id": "a-17"}, "data": {"t": 1, "h": 2}}
    readings, _ = decoder_of(stream)(json.dumps(payload).encode(), "a", ARRIVED, LATEST)
    assert [reading.reading_id for reading in readings] == ["a-17", "a-17"]


def test_without_a_value_the_id_is_where_it_always_is(path: Path) -> None:
    stream = stream_of(path, 'time = "t"')
    [reading], _ = decoder_of(stream)(b'{"number": 1, "id": 5}', "a", ARRIVED, LATEST)
    assert reading.reading_id == "5"
    named = stream_of(path, 'value = "v"')  # a device's own name is no id of a reading
    [reading], _ = decoder_of(named)(b'{"v": 1, "id": 5}', "a", ARRIVED, LATEST)
    assert reading.reading_id is None
