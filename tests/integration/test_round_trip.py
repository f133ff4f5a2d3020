"""From a message to an average on the topic, through every kind of broker."""

import json
import time
from pathlib import Path

from tests.conftest import MakeRole
from tests.support.brokers import Broker, Mosquitto
from tests.support.database import counters, expected_average, rejected, rows, values, wait_for_rows
from tests.support.mqtt_client import Peer
from tests.support.waiting import stays, wait_for

FAST = {"STATS_INTERVAL": "100ms"}
# A sum that floats get wrong unless it is exact: 0.1 ten times, and what cancels out.
TRICKY = [0.1] * 10 + [1e17, 21.5, -1e17, 1 / 3, 5e-324, 46]
WINDOWS = {"avg_1min": 60.0, "avg_5min": 300.0, "avg_30min": 1800.0}


def wait_for_averages(peer: Peer, database: Path, topic: str = "STATS") -> dict[str, object]:
    """Wait until the averages published last are those of the stored rows, to the last bit; return them."""

    def expected() -> dict[str, float | None]:
        return {name: expected_average(database, seconds) for name, seconds in WINDOWS.items()}

    def published() -> dict[str, object]:
        messages = peer.on(topic)
        return dict(json.loads(messages[-1].payload)) if messages else {}

    return wait_for(
        lambda: found if (found := published()) == expected() else {},
        lambda: f"averages {expected()}; published are {published()}",
    )


def test_averages_are_those_of_the_rows(any_broker: Broker, make_role: MakeRole, database: Path) -> None:
    """What is published is stored, and the averages are the exact ones of what is stored."""
    with Peer(any_broker.access) as peer:
        peer.subscribe("STATS")
        make_role("subscriber", broker=any_broker, **FAST).start_and_wait()
        peer.publish("DATA", *(json.dumps({"number": number}) for number in TRICKY))
        wait_for_rows(database, len(TRICKY))
        averages = wait_for_averages(peer, database)
    assert values(database) == TRICKY
    assert list(averages) == list(WINDOWS)
    assert None not in averages.values()


def test_each_window_holds_what_is_in_it(mosquitto: Mosquitto, make_role: MakeRole, database: Path) -> None:
    """A reading counts in the windows its time is in; a late one is counted, and in none."""
    now = time.time()
    ages = {1.0: 10, 2.0: 200, 4.0: 1000, 8.0: 2000, 1e9: 2200}
    with Peer(mosquitto.access) as peer:
        peer.subscribe("STATS")
        make_role("subscriber", broker=mosquitto, **FAST).start_and_wait()
        empty = json.loads(peer.wait_for_message("STATS").payload)
        assert empty == {"avg_1min": None, "avg_5min": None, "avg_30min": None}
        peer.publish(
            "DATA", *(json.dumps({"number": n, "epochtime": str(now - age)}) for n, age in ages.items())
        )
        wait_for_rows(database, 4)
        averages = wait_for_averages(peer, database)
    assert averages == {"avg_1min": 1, "avg_5min": 1.5, "avg_30min": 7 / 3}
    assert values(database) == [1.0, 2.0, 4.0, 8.0]
    assert counters(database)["late"] == 1
    assert [row.time for row in rows(database)] == [now - age for age in (10, 200, 1000, 2000)]


def test_averages_are_retained(either_broker: Broker, make_role: MakeRole, database: Path) -> None:
    """Who subscribes later gets the last averages at once, at QoS 1."""
    subscriber = make_role("subscriber", broker=either_broker, **FAST).start_and_wait()
    with Peer(either_broker.access) as peer:
        peer.subscribe("STATS").publish("DATA", "21.5")
        wait_for_rows(database, 1)
        wait_for_averages(peer, database)
    subscriber.stop()
    with Peer(either_broker.access) as peer:
        message = peer.subscribe("STATS").wait_for_message("STATS")
    assert json.loads(message.payload) == {"avg_1min": 21.5, "avg_5min": 21.5, "avg_30min": 21.5}
    assert (message.retained, message.qos) == (True, 1)


def test_everything_but_our_own_output(either_broker: Broker, make_role: MakeRole, database: Path) -> None:
    """Under the filter # every topic is a series, and what we publish is no input."""
    with Peer(either_broker.access) as peer:
        peer.subscribe("STATS/#")
        make_role("subscriber", broker=either_broker, TOPIC="#", **FAST).start_and_wait()
        peer.publish_all([("a", "1"), ("STATS/mine", "1000"), ("deep/er", "2"), ("STATSALIKE", "3")])
        wait_for_rows(database, 3)
        ticks = len(peer.on("STATS"))
        wait_for(lambda: len(peer.on("STATS")) > ticks + 5, "some more averages")
        averages = wait_for_averages(peer, database)
    assert averages == {"avg_1min": 2, "avg_5min": 2, "avg_30min": 2}
    assert [(row.series, row.value) for row in rows(database)] == [
        ("a", 1.0),
        ("deep/er", 2.0),
        ("STATSALIKE", 3.0),
    ]
    assert rejected(database) == []
    assert counters(database)["received"] == 3


def test_retained_copies_are_no_readings(either_broker: Broker, make_role: MakeRole, database: Path) -> None:
    """A message the broker had kept is skipped and counted; the same one sent live is a reading."""
    with Peer(either_broker.access) as peer:
        peer.publish("DATA", "77", retain=True)
        make_role("subscriber", broker=either_broker, **FAST).start_and_wait()
        wait_for(lambda: counters(database).get("retained") == 1, "the retained copy is counted")
        peer.publish("DATA", "78", retain=True)
        wait_for_rows(database, 1)
    assert values(database) == [78.0]
    assert counters(database)["retained"] == 1


def test_publishers_at_any_qos(either_broker: Broker, make_role: MakeRole, database: Path) -> None:
    """A sensor that publishes at QoS 0 is stored like any other, and stalls nobody."""
    make_role("subscriber", broker=either_broker, **FAST).start_and_wait()
    with Peer(either_broker.access) as peer:
        for number in range(10):
            peer.publish("DATA", str(number), qos=number % 2)
        wait_for_rows(database, 10)
    assert sorted(values(database)) == [float(number) for number in range(10)]


def test_an_empty_window_is_null_again(mosquitto: Mosquitto, make_role: MakeRole, database: Path) -> None:
    """Windows slide when nothing arrives: a reading leaves, and its window is empty."""
    with Peer(mosquitto.access) as peer:
        peer.subscribe("STATS")
        make_role("subscriber", broker=mosquitto, WINDOWS="2s,1h", **FAST).start_and_wait()
        peer.publish("DATA", "5")
        peer.wait_for_message("STATS", b'{"avg_2s": 5, "avg_1h": 5}')
        peer.wait_for_message("STATS", b'{"avg_2s": null, "avg_1h": 5}')
        count = len(peer.on("STATS"))
        stays(lambda: peer.on("STATS")[-1].payload.endswith(b'"avg_1h": 5}'), "the long window", 0.5)
        assert len(peer.on("STATS")) > count
