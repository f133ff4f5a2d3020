"""`manage.py publisher`: what it sends, and when it ends."""

import json
from itertools import pairwise
from typing import Any

from tests.conftest import MakeRole
from tests.support.brokers import Broker, Mosquitto
from tests.support.mqtt_client import Peer
from tests.support.waiting import wait_for

QUICK = ("--min-interval", "1ms", "--max-interval", "5ms")


def readings(peer: Peer, count: int) -> list[dict[str, Any]]:
    """Wait for `count` messages on DATA; return all there are."""
    wait_for(lambda: len(peer.on("DATA")) >= count, lambda: f"{count} readings: {peer.messages}")
    return [json.loads(message.payload) for message in peer.on("DATA")]


def test_count(either_broker: Broker, make_role: MakeRole) -> None:
    """It ends with status 0 after exactly so many readings, each with its number, time and own id."""
    with Peer(either_broker.access) as peer:
        peer.subscribe("DATA")
        for _ in range(2):
            role = make_role("publisher", "--count", "20", *QUICK, broker=either_broker).start()
            assert role.wait() == 0
        found = readings(peer, 40)
    assert len(found) == 40
    assert [list(reading) for reading in found] == [["number", "epochtime", "id"]] * 40
    assert all(reading["number"] in range(1, 101) for reading in found)
    assert len({reading["number"] for reading in found}) > 10
    assert len({reading["id"] for reading in found}) == 40
    times = [reading["epochtime"] for reading in found]
    assert times == sorted(times)
    assert {(message.qos, message.retained) for message in peer.on("DATA")} == {(1, False)}


def test_all_are_acknowledged_when_it_ends(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """With `--count` the end means that the broker has everything."""
    role = make_role("publisher", "--count", "50", *QUICK, broker=mosquitto).start()
    assert role.wait() == 0
    assert len(mosquitto.packets("Received PUBLISH from averages-publisher")) == 50
    assert len(mosquitto.packets("Sending PUBACK to averages-publisher")) == 50


def test_seed(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """The same seed gives the same numbers, another seed others; ids are new in any case."""
    runs = []
    for seed in ("7", "7", "8"):
        with Peer(mosquitto.access) as peer:
            peer.subscribe("DATA")
            arguments = ("--count", "10", "--seed", seed, *QUICK)
            assert make_role("publisher", *arguments, broker=mosquitto).start().wait() == 0
            runs.append(readings(peer, 10))
    first, again, other = ([reading["number"] for reading in run] for run in runs)
    assert first == again
    assert first != other
    assert len({reading["id"] for run in runs for reading in run}) == 30


def test_intervals(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """The first reading comes at once, the others within the bounds."""
    arguments = ("--count", "5", "--min-interval", "200ms", "--max-interval", "300ms")
    with Peer(mosquitto.access) as peer:
        peer.subscribe("DATA")
        assert make_role("publisher", *arguments, broker=mosquitto).start().wait() == 0
        times = [reading["epochtime"] for reading in readings(peer, 5)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) > 0.19
    # not twice as long; a loaded machine may be a little late
    assert sum(gaps) / len(gaps) < 0.6


def test_the_first_comes_at_once(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """Nobody waits up to 30 s to see the first number."""
    with Peer(mosquitto.access) as peer:
        peer.subscribe("DATA")
        role = make_role("publisher", "--min-interval", "30s", broker=mosquitto).start_and_wait()
        assert len(readings(peer, 1)) == 1
    assert role.running
