"""A thousand topics as real devices send them, through a real broker, against numpy."""

import json
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from config.streams import load_streams
from tests.conftest import MakeRole
from tests.support.brokers import Broker, Mosquitto
from tests.support.database import values, wait_for_rows
from tests.support.mqtt_client import Peer
from tests.support.processes import manage
from tests.support.reference import agrees, reference
from tests.support.waiting import on_this_machine, wait_for

DAY = 86_400.0
SKEW = 30.0
STREAMS = """\
[[stream]]
topic = "zigbee2mqtt/+"
value = ["temperature", "humidity"]
time = "last_seen"
time_format = "iso8601"
windows = ["1min", "1h", "24h"]
statistics = ["avg", "min", "max", "range", "stddev", "median", "p95", "time_weighted_avg", "first", "last"]

[[stream]]
topic = "tele/+/SENSOR"
value = "ENERGY.Total"
time = "Time"
time_format = "iso8601"
windows = ["30min", "1h"]
statistics = ["sum", "avg", "rate", "last"]

[[stream]]
topic = "home/#"
windows = "30min"
statistics = ["avg", "sum", "min", "max", "median"]
"""
# Of each kind of device.
DEVICES = {"zigbee2mqtt": 400, "tele": 400, "home": 200}
Sent = dict[str, list[tuple[float, float]]]


def a_day(random: Random, now: float) -> tuple[list[tuple[str, str | bytes]], Sent]:
    """Return what the devices send in 24 hours, as messages, and as readings of each series in order."""
    messages: list[tuple[float, str, str | bytes]] = []
    sent: Sent = defaultdict(list)
    for device in range(DEVICES["zigbee2mqtt"]):
        topic = f"zigbee2mqtt/room {device}"
        for past in range(int(DAY) - 60, 0, -1800):
            at = round(now - past + random.random() * 900, 3)
            temperature, humidity = round(random.gauss(21, 3), 2), random.randint(20, 90)
            seen = datetime.fromtimestamp(at, UTC).isoformat()
            payload = {"temperature": temperature, "humidity": humidity, "battery": None, "last_seen": seen}
            messages.append((at, topic, json.dumps(payload)))
            sent[f"{topic}/temperature"].append((at, temperature))
            sent[f"{topic}/humidity"].append((at, float(humidity)))
    for device in range(DEVICES["tele"]):
        topic = f"tele/plug{device}/SENSOR"
        total = random.random()
        for past in range(3600, 0, -240):
            at = float(int(now - past + random.random() * 200))
            total = 0.0 if random.random() < 0.05 else round(total + random.random(), 3)
            text = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}"
            messages.append((at, topic, json.dumps({"Time": text, "ENERGY": {"Power": 12, "Total": total}})))
            sent[topic].append((at, total))
    for device in range(DEVICES["home"]):
        for _ in range(5):
            value = round(random.gauss(21, 3), 1)
            messages.append((now, f"home/room{device}/temp", str(value)))
            sent[f"home/room{device}/temp"].append((now, value))
    # As they come in: mostly in order of time, the last tenth of them in none.
    messages.sort()
    late = messages[::10]
    random.shuffle(late)
    in_order = [message for number, message in enumerate(messages) if number % 10]
    for series in sent.values():
        series.sort(key=lambda reading: reading[0])
    return [(topic, payload) for _, topic, payload in [*in_order, *late]], sent


@pytest.fixture
def stream_file(tmp_path: Path) -> Path:
    path = tmp_path / "streams.toml"
    path.write_text(STREAMS)
    return path


def test_a_day_of_a_thousand_topics(
    mosquitto: Mosquitto, make_role: MakeRole, stream_file: Path, tmp_path: Path
) -> None:
    subscriber = make_role(
        "subscriber", broker=mosquitto, STREAMS_FILE=str(stream_file), STATS_INTERVAL="1s"
    ).start_and_wait()
    messages, sent = a_day(Random(20260), time.time())
    total = sum(map(len, sent.values()))
    with Peer(mosquitto.access) as peer:
        peer.publish_all(messages)
    published = complete(mosquitto, total)
    compare(published, sent, stream_file)
    subscriber.kill()
    subscriber.start_and_wait()
    after_restart = complete(mosquitto, total, after=max(each["at"] for each in published.values()))
    compare(after_restart, sent, stream_file)
    settings = {**mosquitto.environment, "STREAMS_FILE": str(stream_file)}
    audit = manage("audit", "--duration", "4s", folder=tmp_path, environment=settings)
    assert audit.returncode == 0, audit.stdout + audit.stderr


def test_what_a_changed_stream_file_names_no_more_is_unsubscribed(
    mosquitto: Mosquitto, make_role: MakeRole, database: Path
) -> None:
    """Also what was sent meanwhile to the session's old subscriptions is no input any more."""
    make_role("subscriber", broker=mosquitto, TOPIC="a/+, b/#").start_and_wait().stop()
    with Peer(mosquitto.access) as peer:
        peer.publish_all([("a/1", "1"), ("b/1", "2"), ("c", "3")])
        subscriber = make_role("subscriber", broker=mosquitto, TOPIC="b/#,c").start_and_wait()
        peer.publish_all([("a/1", "4"), ("b/1", "5"), ("c", "6")])
        stored = wait_for_rows(database, 3)
    assert [(row.series, row.value) for row in stored] == [("b/1", 2), ("b/1", 5), ("c", 6)]
    assert len(mosquitto.packets("Sending PUBLISH to averages-subscriber")) == 4
    subscriber.stop()
    make_role("subscriber", broker=mosquitto, TOPIC="b/#,c").start_and_wait()
    assert len(mosquitto.packets("averages-subscriber a/+")) == 1  # in the first UNSUBSCRIBE alone


@pytest.mark.parametrize("version", ["auto", "3.1.1"])
def test_a_message_that_several_filters_match_counts_once(
    either_broker: Broker, make_role: MakeRole, database: Path, version: str
) -> None:
    topic = "home/+,+/temp,home/#,home/attic"
    make_role("subscriber", broker=either_broker, TOPIC=topic, MQTT_VERSION=version).start_and_wait()
    with Peer(either_broker.access) as peer:
        peer.publish_all([("home/attic", "1"), ("home/temp", "2"), ("cellar/temp", "3"), ("other", "4")])
        peer.publish("home/last", "5")
        wait_for(lambda: 5 in values(database), "the last one is stored")
    assert values(database) == [1, 2, 3, 5]


def complete(mosquitto: Mosquitto, total: int, after: float = 0.0) -> Mapping[str, dict[str, Any]]:
    """Return what is published of each series when all is in it.

    The metrics of a tick come before its series, so what a tick has published is there when the
    metrics of the next one are.
    """
    published: dict[str, dict[str, Any]] = {}
    ticks: set[float] = set()

    def all_in() -> bool:
        while peer.messages:
            message = peer.messages.pop(0)
            name = message.topic.removeprefix("STATS/")
            if name == "$metrics":
                tick = json.loads(message.payload)["tick"]
                if tick["sequence"] == total and tick["at"] > after:
                    ticks.add(tick["at"])
            elif name[0] != "$" and name != "STATS":
                published[name] = json.loads(message.payload)
        return len(ticks) > 1

    with Peer(mosquitto.access) as peer:
        peer.subscribe("STATS/#")
        wait_for(
            all_in,
            lambda: f"all {total} readings in the statistics of {len(published)} series",
            on_this_machine(90.0),
        )
    return published


def compare(published: Mapping[str, dict[str, Any]], sent: Sent, stream_file: Path) -> None:
    streams = {
        stream.topic.partition("/")[0]: stream for stream in load_streams(stream_file, (), 0.0, "STATS")
    }
    assert published.keys() == sent.keys()
    for name, readings in sent.items():
        kind = name.partition("/")[0]
        message = published[name]
        at = message["at"]
        assert kind == "home" or message["last"] == {"time": readings[-1][0], "value": readings[-1][1]}
        for window in streams[kind].windows:
            begin = at - window.seconds
            inside = [one for one in readings if begin < one[0] <= at + SKEW]
            known = [one for one in readings if at - streams[kind].rules.reach < one[0] <= begin]
            before = known[-1] if known else None
            window_found = message["windows"][window.name]
            scale = max((abs(value) for _, value in [*inside, *known[-1:]]), default=0.0)
            for statistic in ("count", *streams[kind].statistics):
                expected = reference(statistic, at, inside, begin=begin, before=before)
                assert agrees(statistic, window_found[statistic], expected, scale), (name, window, statistic)
