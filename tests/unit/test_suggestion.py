"""The stream file that is suggested reads what was seen, whatever that was."""

import json
import tomllib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import load_settings
from config.streams import Stream, load_streams
from scheduler_app.errors import CommandError
from scheduler_app.mqtt.message import Message
from scheduler_app.trial.suggestion import suggest
from tests.unit.messages import NOW, message
from tests.unit.test_devices import DEVICES

SEEN = datetime.fromtimestamp(NOW, UTC).isoformat()


def sent(topic: str, payload: object, *, retained: bool = False) -> Message:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return message(data, topic, qos=0, retained=retained)


def suggested(
    *messages: Message, topic_filter: str = "#", recorded: bool = False
) -> tuple[str, list[dict[str, Any]]]:
    """Return the text of the file, and the streams in it."""
    text = suggest(load_settings(), topic_filter, messages, recorded=recorded)
    return text, tomllib.loads(text)["stream"]


def one(*messages: Message) -> dict[str, Any]:
    """Return the only stream, without what is in all of them."""
    _, [stream] = suggested(*messages)
    return {name: value for name, value in stream.items() if name not in ("statistics", "overall")}


def numbers(*topics: str) -> list[Message]:
    return [sent(topic, 1) for topic in topics]


def test_numbers_are_read_as_they_are() -> None:
    assert one(sent("home/attic", 21.5)) == {"topic": "home/attic"}


def test_levels_that_vary_become_a_wildcard() -> None:
    assert one(*numbers("home/attic/temp", "home/cellar/temp")) == {"topic": "home/+/temp"}
    assert one(*numbers("home/attic", "home/cellar")) == {"topic": "home/+"}
    assert one(*numbers("a/1/x/t", "a/2/y/t")) == {"topic": "a/+/+/t"}


def test_a_wildcard_never_takes_what_is_read_otherwise_or_not_at_all() -> None:
    _, streams = suggested(*numbers("a/x", "a/y"), sent("a/z", "on"))
    assert [stream["topic"] for stream in streams] == [["a/x", "a/y"], "a/z"]
    _, [stream] = suggested(*numbers("a/x", "a/y"), sent("a/z", b"hello world"))
    assert stream["topic"] == ["a/x", "a/y"]
    _, [stream] = suggested(*numbers("a/x", "a/y"), sent("a/z", {"state": "idle"}))
    assert stream["topic"] == ["a/x", "a/y"]


def test_objects_that_share_a_field_are_one_stream_with_the_fields_of_all() -> None:
    assert one(
        sent("z/a", {"temperature": 1, "battery": 2}),
        sent("z/b", {"humidity": 3, "battery": 4}),
    ) == {"topic": "z/+", "value": ["temperature", "battery", "humidity"]}


def test_objects_of_other_kinds_are_another_stream() -> None:
    _, streams = suggested(
        sent("tele/a/SENSOR", {"Time": SEEN, "Power": 1}), sent("tele/a/STATE", {"Time": SEEN, "Rssi": 1})
    )
    assert [(stream["topic"], stream["value"]) for stream in streams] == [
        ("tele/a/SENSOR", "Power"),
        ("tele/a/STATE", "Rssi"),
    ]


def test_an_object_without_numbers_that_a_wildcard_takes_is_ignored_and_does_no_harm() -> None:
    text, [stream] = suggested(
        sent("z/a", {"t": 1, "linkquality": 5}), sent("z/b", {"t": 2}), sent("z/c", {"action": "single"})
    )
    assert stream["topic"] == "z/+"
    assert "2 readings of 2 series, 1 ignored." in text


def test_words_get_numbers() -> None:
    assert one(sent("a", b"ON"), sent("a", b"OFF")) == {"topic": "a", "map": {"on": 1, "off": 0}}
    assert one(sent("a", {"contact": False, "t": 5})) == {
        "topic": "a",
        "value": [{"path": "contact", "map": {"true": 1, "false": 0}}, "t"],
    }


def test_words_that_nobody_knows_are_not_read() -> None:
    assert one(sent("a", {"mode": "auto", "t": 5})) == {"topic": "a", "value": "t"}


def test_what_tells_of_the_device_is_left_out_and_named() -> None:
    text, [stream] = suggested(sent("a", {"linkquality": 5, "update": {"size": 3}, "t": 1}))
    assert stream["value"] == "t"
    assert "# left out, as it tells of the device: linkquality, update.size" in text


@pytest.mark.parametrize("number", [40, 41])
def test_a_stream_has_forty_values_and_names_what_is_beyond(number: int) -> None:
    text, [stream] = suggested(sent("a", {f"v{value}": 1 for value in range(number)}))
    assert len(stream["value"]) == 40
    assert ("# left out, beyond 40 values: v40\n" in text) == (number == 41)


def test_the_time_is_found() -> None:
    assert one(sent("a", {"t": 1, "last_seen": SEEN})) == {
        "topic": "a",
        "value": "t",
        "time": "last_seen",
        "time_format": "iso8601",
    }


def test_units_are_those_that_home_assistant_is_told() -> None:
    config = {
        "stat_t": "z/a",
        "val_tpl": "{{ value_json.t }}",
        "unit_of_meas": "°C",
        "dev_cla": "temperature",
    }
    assert one(
        sent("homeassistant/sensor/a/t/config", config, retained=True), sent("z/a", {"t": 1, "h": 2})
    ) == {
        "topic": "z/a",
        "value": [{"path": "t", "unit": "°C", "device_class": "temperature"}, "h"],
    }
    plain = {"stat_t": "z/b", "unit_of_meas": "W"}
    assert one(sent("homeassistant/sensor/b/config", plain, retained=True), sent("z/b", 5)) == {
        "topic": "z/b",
        "unit": "W",
    }


def test_a_total_that_grows_gets_a_rate() -> None:
    text, [stream] = suggested(*[sent("a", {"energy": number, "power": 5}) for number in (1, 2, 3)])
    assert stream["statistics"] == ["avg", "min", "max", "rate", "last"]
    assert stream["per"] == "1h"
    assert "# energy only grows" in text
    for values in ((1, 2), (1, 2, 1), (1, 1, 1)):
        _, [stream] = suggested(*[sent("a", {"energy": number}) for number in values])
        assert "rate" not in stream["statistics"]
    _, [stream] = suggested(*[sent("a", {"power": number}) for number in (1, 2, 3)])
    assert "rate" not in stream["statistics"]


def test_sensors_on_one_topic_are_told_apart_by_what_comes_again() -> None:
    radio = [{"model": "A", "id": 1, "t": 5}, {"model": "B", "id": 2, "t": 6}]
    assert one(*[sent("radio", each) for each in radio * 2]) == {
        "topic": "radio",
        "value": "t",
        "series": "{topic}/{model}/{id}",
    }
    text, [stream] = suggested(*[sent("radio", each) for each in radio])
    assert "series" not in stream
    assert (
        "# model, id differ between messages of one topic: if those are several sensors, add series =" in text
    )
    assert "series" not in one(*[sent("radio", each) for each in [*radio, {"t": 5}] * 2])


def test_topics_of_which_only_old_copies_were_seen_are_named() -> None:
    text, [stream] = suggested(sent("z/a", {"t": 1}), sent("z/b", {"t": 1}, retained=True))
    assert stream["topic"] == "z/+"
    assert "# only old copies, which the broker keeps and nobody counts, were seen of z/b\n" in text
    assert "2 readings of 2 series." in text
    assert "retained =" not in text
    text, _ = suggested(sent("z/b", {"t": 1, "time": NOW - 1e6}, retained=True))
    assert '# retained = "take" counts such copies once, by their own time\n' in text


def test_numbers_of_several_kinds_are_kept_out_of_the_one_average() -> None:
    _, [stream] = suggested(sent("a", {"t": 1, "h": 2}))
    assert stream["overall"] is False
    _, [stream] = suggested(sent("a", {"t": 1}))
    assert "overall" not in stream


def test_what_is_not_read_is_named() -> None:
    text, _ = suggested(sent("a", 1), sent("b/LWT", b"Online"), sent("c", [1, 2]), sent("d", b"\xff"))
    assert "in lists, which the key each reads: b/LWT, c\n" in text
    assert "# not read, since it is no JSON: d\n" in text


def test_our_own_output_what_programs_tell_and_what_is_not_asked_for_is_left_out() -> None:
    others = numbers("STATS/a", "$SYS/x", "zigbee2mqtt/bridge/health", "b/c")
    text = suggest(load_settings(), "a/#", [sent("a/b", 1), *others])
    assert tomllib.loads(text)["stream"][0]["topic"] == "a/b"
    assert "Tried with 1 message: 1 reading of 1 series." in text
    with pytest.raises(CommandError, match="no message came on a/#"):
        suggest(load_settings(), "a/#", others)


def test_topics_of_one_level_are_named_one_by_one() -> None:
    assert one(*numbers("a", "b")) == {"topic": ["a", "b"]}
    _, streams = suggested(*numbers("a", "/b"))
    assert [stream["topic"] for stream in streams] == ["a", "/b"]


def test_a_topic_with_a_comma_is_written_as_one() -> None:
    assert one(sent("a,b", 1)) == {"topic": ["a,b"]}


def test_a_topic_with_messages_of_several_forms_is_not_read() -> None:
    text, [stream] = suggested(
        sent("a", 1), sent("b", 1), sent("b", {"t": 1}), sent("c", {"t": 1}), sent("c", [1])
    )
    assert stream["topic"] == "a"
    assert "which the key each reads: b, c\n" in text


def test_without_a_number_there_is_nothing_to_suggest() -> None:
    with pytest.raises(CommandError, match="there is no number in what came on #: a"):
        suggested(sent("a", b"Online"))


def test_a_recording_is_tried_as_when_it_was_new() -> None:
    old = sent("a", {"t": 1, "ts": NOW - 1e6})
    assert "1 reading of 1 series." in suggested(old, recorded=True)[0]
    assert "As it is, readings have the time at which they come" in suggested(old)[0]


@pytest.mark.parametrize("name", DEVICES)
def test_what_known_devices_send_is_read_without_a_rejection(name: str, tmp_path: Path) -> None:
    _, sent_by_it, _ = DEVICES[name]
    messages = [message(payload, topic, qos=0) for topic, payload in sent_by_it]
    try:
        text, _ = suggested(*messages, recorded=True)
    except CommandError:
        assert name in {"Kepserver", "SenML", "Sparkplug B", "Telegraf", "LoRa nodes that send bytes"}
        return
    assert text.splitlines()[1].startswith("# Tried with ")
    assert "rejected" not in text.splitlines()[1]
    assert " late" not in text.splitlines()[1]
    assert read(tmp_path, text)


def read(folder: Path, text: str) -> tuple[Stream, ...]:
    path = folder / "streams.toml"
    path.write_text(text, encoding="utf-8")
    return load_streams(path, load_settings().windows, 2100.0, "STATS")


NAMES = st.one_of(
    st.sampled_from(
        ["a", "t", "time", "ts", "id", "model", "a.b", "a/b", "$", "*", "x[0]", "%", "ENERGY", "é"]
    ),
    st.text(max_size=4),
)
TOPICS = st.one_of(
    st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=3).map("/".join).filter(bool),
    st.text(min_size=1, max_size=4),
)
LEAVES = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    st.sampled_from(["ON", "off", "21.5", "unknown", SEEN, NOW, NOW * 1000]),
)
FLAT = LEAVES | st.lists(LEAVES, max_size=2) | st.dictionaries(NAMES, LEAVES, max_size=3)
CONTENTS = FLAT | st.lists(FLAT, max_size=2) | st.dictionaries(NAMES, FLAT, max_size=3)
MESSAGES = st.lists(
    st.tuples(
        TOPICS, st.one_of(CONTENTS.map(json.dumps).map(str.encode), st.binary(max_size=6)), st.booleans()
    )
)


@given(MESSAGES, st.booleans())
def test_whatever_comes_what_is_suggested_is_valid(
    messages: Iterable[tuple[str, bytes, bool]], recorded: bool
) -> None:
    """It is read and tried before it is shown; what is wrong would be an AssertionError."""
    try:
        text, streams = suggested(
            *[message(payload, topic, qos=0, retained=retained) for topic, payload, retained in messages],
            recorded=recorded,
        )
    except CommandError:
        return
    assert streams
    assert all(character.isprintable() or character == "\n" for character in text)
