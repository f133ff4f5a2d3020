"""Old readings are deleted while new ones come."""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from jobs.prune import INTERVAL
from tests.faults.conftest import MakeSubscriber
from tests.faults.load import Kind, Load
from tests.faults.verdict import Report, settle, storing
from tests.support.brokers import Mosquitto
from tests.support.mqtt_client import Peer
from tests.support.waiting import TIMEOUT, wait_for

RATE = 500.0
# Seconds that an acknowledgement may wait for pruning.
LONGEST_WAIT = 0.25
PROBE = "probe"
_POLL = 0.002


class Probe:
    """Measures how long a reading takes to be committed, which is when it is acknowledged."""

    def __init__(self, peer: Peer, database: Path) -> None:
        self._peer = peer
        self._database = database
        self._count = 0

    def longest_wait(self, until: float) -> float:
        """Return the longest that one took, sending one after the other until then (monotonic)."""
        longest = 0.0
        uri = f"{self._database.as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=TIMEOUT, isolation_level=None)) as connection:
            while time.monotonic() < until:
                self._count += 1
                name = f"{PROBE}-{self._count}"
                began = time.monotonic()
                self._peer.publish("DATA", json.dumps({"number": 0, "id": name}))
                query = "SELECT 1 FROM reading WHERE time > ? AND message_id = ?"
                while not connection.execute(query, [time.time() - TIMEOUT, name]).fetchone():
                    assert time.monotonic() - began < TIMEOUT, "a reading is never stored"
                    time.sleep(_POLL)
                longest = max(longest, time.monotonic() - began)
        return longest


@pytest.mark.slow
def test_no_acknowledgement_waits_for_pruning(
    mosquitto: Mosquitto, make_subscriber: MakeSubscriber, database: Path, report: Report
) -> None:
    """The first run of pruning deletes nearly all there is, and no reading waits noticeably for it."""
    subscriber = make_subscriber(mosquitto, WINDOWS="1s", RETENTION="5s", STATS_INTERVAL="10s")
    began = time.monotonic()
    subscriber.start_and_wait()
    count = int(RATE * (INTERVAL + 15))
    with Load(mosquitto.access, count, RATE, Kind.NUMBERS) as load, Peer(mosquitto.access) as peer:
        storing(database)
        probe = Probe(peer, database)
        before = probe.longest_wait(began + INTERVAL - 5)
        meanwhile = probe.longest_wait(began + INTERVAL + 10)
        wait_for(lambda: "pruned" in subscriber.stderr, lambda: f"pruning in:\n{subscriber.stderr}")
        load.wait()
    counters = settle(mosquitto.access, database)
    report.add(
        f"pruning {counters['pruned']} readings: a commit waits {meanwhile * 1000:.0f} ms at most, "
        f"{before * 1000:.0f} ms without",
        f"{count} no ids",
    )
    assert counters["pruned"] > RATE * (INTERVAL - 15)
    # a busy machine makes both longer
    assert meanwhile < before + LONGEST_WAIT
