"""A trial says of messages what the subscriber does with them, since it is done by the same code."""

import json
from collections import Counter
from pathlib import Path

import pytest

from config.settings import Settings, load_settings
from models.catalog import Catalog
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.store import Store
from scheduler_app.intake.trial import Fate, Rejection, Trial, TriedReading
from scheduler_app.mqtt.message import Message
from scheduler_app.trial.trying import new_trial
from tests.unit.messages import NOW, message
from tests.unit.rows import rows
from tests.unit.stored import catalog_of
from tests.unit.writers import writer_on

STREAMS = """
[[stream]]
topic = "zigbee2mqtt/+"
value = [{ path = "temperature", unit = "°C" }, "humidity"]
time = "last_seen"
time_format = "iso8601"

[[stream]]
topic = "home/#"
"""


def settings(tmp_path: Path, **others: str) -> Settings:
    path = tmp_path / "streams.toml"
    path.write_text(STREAMS)
    return load_settings({"streams_file": str(path), **others})


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return new_trial(settings(tmp_path))


def tried(trial: Trial, payload: object, topic: str = "home/a", **about: bool) -> Fate:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return trial.of(message(data, topic, qos=0, **about))


def test_a_reading_is_told_with_series_value_time_and_unit(trial: Trial) -> None:
    fate = tried(
        trial, {"temperature": 21.5, "humidity": 40, "last_seen": "2023-11-14T22:13:10Z"}, "zigbee2mqtt/a"
    )
    assert fate.readings == [
        TriedReading("zigbee2mqtt/a/temperature", 21.5, NOW - 10, "°C"),
        TriedReading("zigbee2mqtt/a/humidity", 40.0, NOW - 10, None),
    ]
    assert fate.rejections == []


def test_what_is_rejected_is_told_with_reason_and_detail_beside_what_is_read(trial: Trial) -> None:
    fate = tried(trial, {"temperature": 21.5, "humidity": True}, "zigbee2mqtt/a")
    assert [reading.series for reading in fate.readings] == ["zigbee2mqtt/a/temperature"]
    assert fate.rejections == [Rejection("boolean", "humidity")]


def test_a_topic_that_no_subscription_brings_is_no_fault_of_a_broker(
    log_lines: list[str],
) -> None:
    """Who tries a message has subscribed to nothing."""
    fate = new_trial(load_settings({"topic": "#"})).of(message(b"5", "$SYS/x"))
    assert (fate.readings, fate.counts) == ([], Counter())
    assert log_lines == []


def test_all_rejected_messages_are_told_however_many(trial: Trial) -> None:
    """Of a flood the subscriber keeps a sample, and logs a line a minute."""
    for _ in range(300):
        assert tried(trial, b"x").rejections == [Rejection("not JSON", "")]


def test_a_message_in_which_nothing_is_looked_for_says_what_numbers_it_has(trial: Trial) -> None:
    fate = tried(trial, {"battery": 97, "state": "on"}, "zigbee2mqtt/a")
    assert fate.counts["ignored"] == 1
    assert fate.remark == "it has battery"
    assert tried(trial, {"state": "on"}, "zigbee2mqtt/a").remark == ""


def test_a_topic_that_no_stream_has_and_our_own_output_count_as_nothing(trial: Trial) -> None:
    for topic in ("attic", "zigbee2mqtt/a/b", "STATS/home/a"):
        fate = tried(trial, 1, topic)
        assert (fate.readings, fate.rejections, fate.counts) == ([], [], Counter())


def test_a_late_reading_is_told_with_its_age_and_what_can_be_done_as_the_subscriber_warns(
    trial: Trial, log_lines: list[str]
) -> None:
    fate = tried(trial, {"temperature": 1, "last_seen": "2023-11-14T21:13:20"}, "zigbee2mqtt/a")
    assert fate.counts["late"] == 1
    assert fate.remark == (
        "60min old (2023-11-14 21:13:20 UTC), and readings there are kept for 35min: about 1 h behind: a "
        "local time? set time_zone"
    )
    plain = tried(trial, {"number": 1, "epochtime": NOW - 7200})
    assert plain.remark.startswith(
        "2h old (2023-11-14 20:13:20 UTC), and readings there are kept for 35min: "
    )
    assert log_lines == []


@pytest.mark.parametrize(("seconds", "counts"), [(5.0, False), (5.5, True)])
def test_a_repeated_reading_is_a_duplicate_where_its_stream_says_so(
    tmp_path: Path, seconds: float, counts: bool
) -> None:
    path = tmp_path / "repeat.toml"
    path.write_text('[[stream]]\ntopic = "a"\nrepeat = "5s"\n')
    trial = new_trial(load_settings({"streams_file": str(path)}))
    assert trial.of(message(b"20", "a", qos=0)).readings
    again = trial.of(message(b"20", "a", qos=0, arrived=NOW + seconds))
    assert (bool(again.readings), again.counts["duplicates"]) == (counts, int(not counts))
    assert trial.of(message(b"21", "a", qos=0, arrived=NOW + seconds)).readings


def test_a_retained_copy_is_read_where_its_stream_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "retained.toml"
    path.write_text('[[stream]]\ntopic = "a"\nvalue = "t"\ntime = "ts"\nretained = "take"\n')
    trial = new_trial(load_settings({"streams_file": str(path)}))
    payload = json.dumps({"t": 1, "ts": NOW - 60}).encode()
    assert [one.time for one in trial.of(message(payload, "a", qos=0, retained=True)).readings] == [NOW - 60]


def test_a_retained_copy_is_not_counted_and_read_as_when_it_was_new(trial: Trial) -> None:
    payload = json.dumps({"temperature": 1, "last_seen": "2023-11-13T22:13:20Z"}).encode()
    old = message(payload, "zigbee2mqtt/a", qos=0, retained=True)
    fate = trial.of(old)
    assert (fate.readings, fate.counts["retained"]) == ([], 1)
    [reading] = trial.of_new(old).readings
    assert reading.time == NOW - 86400


def test_an_id_that_comes_again_in_its_topic_is_a_duplicate(trial: Trial) -> None:
    first = tried(trial, {"number": 1, "id": "a"})
    again = tried(trial, {"number": 2, "id": "a"})
    elsewhere = tried(trial, {"number": 2, "id": "a"}, "home/b")
    assert (len(first.readings), len(again.readings), len(elsewhere.readings)) == (1, 0, 1)
    assert again.counts["duplicates"] == 1


def test_the_bounds_of_series_hold(tmp_path: Path) -> None:
    trial = new_trial(settings(tmp_path, max_series="1"))
    assert tried(trial, 1).readings
    assert [one.reason for one in tried(trial, 1, "home/b").rejections] == ["too many series"]
    assert tried(trial, 2).readings


def test_it_does_what_the_subscriber_does(tmp_path: Path) -> None:
    """Readings, reasons and counters are those of a writer with a database."""
    payloads: list[tuple[str, object]] = [
        ("home/a", 1),
        ("home/a", "x"),
        ("home/a", {"number": 2, "id": "a"}),
        ("home/a", {"number": 2, "id": "a"}),
        ("home/a", {"temperature": 3}),
        ("home/a", {"number": 4, "epochtime": NOW - 9999}),
        ("home/a", {"number": 4, "epochtime": NOW + 9999}),
        ("zigbee2mqtt/a", {"temperature": "y", "humidity": 4}),
        ("zigbee2mqtt/a", {}),
        ("nowhere", 5),
    ]
    messages = [message(json.dumps(payload).encode(), topic, qos=0) for topic, payload in payloads]
    path = tmp_path / "test.db"
    prepare(path)
    store = Store(writing_database(path), "me")
    writer = writer_on(store, catalog=catalog_of(store), streams_file=str(settings(tmp_path).streams_file))
    for one in messages:
        writer.commit(writer.sort([one]))
    store.close()
    fates = list(map(new_trial(settings(tmp_path)).of, messages))
    stored = rows(path, "SELECT name, value, time FROM reading JOIN series ON series.id = series_id")
    assert sorted((one.series, one.value, one.time) for fate in fates for one in fate.readings) == sorted(
        stored
    )
    kept = rows(path, "SELECT reason, detail FROM rejected_message ORDER BY id")
    assert [(one.reason, one.detail) for fate in fates for one in fate.rejections] == kept
    counted = dict(rows(path, "SELECT name, value FROM counter"))
    for name in ("late", "ignored", "duplicates"):
        assert sum(fate.counts[name] for fate in fates) == counted[name], name


def test_a_trial_begins_without_series_and_touches_no_database(tmp_path: Path) -> None:
    made = Trial(settings(tmp_path), Catalog((), 10))
    assert made.of(Message("home/a", b"1", 1, False, False, 1, NOW)).readings
    assert [path.name for path in tmp_path.iterdir()] == ["streams.toml"]
