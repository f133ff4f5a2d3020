"""`manage.py publisher`: what it sends, and when it ends."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.conftest import MakeRole
from tests.support.brokers import Broker, Mosquitto
from tests.support.database import outgoing
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


def by_topic(peer: Peer, count: int) -> dict[str, list[dict[str, Any]]]:
    """Wait for `count` messages in total; return their readings by topic."""
    wait_for(lambda: len(peer.messages) >= count, lambda: f"{count} readings; {len(peer.messages)} came")
    found: dict[str, list[dict[str, Any]]] = {}
    for message in peer.messages:
        found.setdefault(message.topic, []).append(json.loads(message.payload))
    return found


def test_many_series(either_broker: Broker, make_role: MakeRole) -> None:
    """With `--series` each has its topic and wanders; the same seed gives the same values."""
    runs = []
    for _ in range(2):
        with Peer(either_broker.access) as peer:
            peer.subscribe("DATA/#")
            arguments = ("--series", "50", "--rate", "1000", "--count", "1000", "--seed", "7")
            assert make_role("publisher", *arguments, broker=either_broker).start().wait() == 0
            runs.append(by_topic(peer, 1000))
    first, again = runs
    assert set(first) == {f"DATA/{number}" for number in range(50)}
    for topic, found in first.items():
        values = [reading["number"] for reading in found]
        assert values == [reading["number"] for reading in again[topic]]
        assert len(values) == 20
        assert len(set(values)) > 3
        assert max(abs(new - old) for old, new in pairwise(values)) < 1
    ids = {reading["id"] for run in runs for found in run.values() for reading in found}
    assert len(ids) == 2000


def test_a_rate_is_kept(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """Some hundred readings a second go through the outbox as evenly as they are made."""
    with Peer(mosquitto.access) as peer:
        peer.subscribe("DATA")
        arguments = ("--rate", "500", "--count", "1000")
        assert make_role("publisher", *arguments, broker=mosquitto).start().wait() == 0
        found = readings(peer, 1000)
    assert all(reading["number"] in range(1, 101) for reading in found)
    took = found[-1]["epochtime"] - found[0]["epochtime"]
    # never faster; a loaded machine may be late
    assert 1.9 < took < 5


def test_series_with_pauses_of_their_own(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """Without `--rate` each series has its own random pauses, and the first reading comes at once."""
    with Peer(mosquitto.access) as peer:
        peer.subscribe("DATA/#")
        arguments = ("--series", "3", "--min-interval", "200ms", "--max-interval", "300ms", "--count", "15")
        assert make_role("publisher", *arguments, broker=mosquitto).start().wait() == 0
        found = by_topic(peer, 15)
    assert len(found) == 3
    for series in found.values():
        gaps = [new["epochtime"] - old["epochtime"] for old, new in pairwise(series)]
        assert min(gaps) > 0.14  # looked at every 50 ms
        assert sum(gaps) / len(gaps) < 0.6


def test_what_waits_of_many_series_is_sent_with_the_next_start(
    absent_mosquitto: Mosquitto, make_role: MakeRole, tmp_path: Path
) -> None:
    """Killed while there is no broker, it loses nothing that is in the outbox, and gives no id twice."""
    arguments = ("--series", "20", "--rate", "400")
    role = make_role("publisher", *arguments, broker=absent_mosquitto).start()
    role.wait_for_log("no broker answers")
    wait_for(lambda: len(outgoing(tmp_path / "tmp" / "outbox.db")) > 20, "readings in the outbox")
    role.kill()
    absent_mosquitto.start()
    with Peer(absent_mosquitto.access) as peer:
        peer.subscribe("DATA/#")
        again = make_role("publisher", *arguments, "--count", "100", broker=absent_mosquitto).start()
        again.wait_for_log("wait in the outbox")
        assert again.wait() == 0
        waited = int(again.stderr.partition(" readings of an earlier run wait in the outbox")[0].split()[-1])
        found = by_topic(peer, waited + 100)
    ids = [reading["id"] for series in found.values() for reading in series]
    assert len(set(ids)) == len(ids) == waited + 100
    assert waited > 0
