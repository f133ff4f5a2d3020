"""Somebody reads the tables in a transaction that does not end, while readings are deleted."""

import json
import time
from pathlib import Path

import pytest

from tests.faults.load import ENDLESS, Kind, Load
from tests.faults.postgresql.harm import reading_for_long
from tests.faults.postgresql.oracle import Oracle, judge, settle, storing
from tests.faults.sizes import sizes
from tests.faults.verdict import Report
from tests.support.brokers import Mosquitto
from tests.support.mqtt_client import Peer
from tests.support.postgresql import Database
from tests.support.processes import ROOT, Role
from tests.support.waiting import TIMEOUT, wait_for

pytestmark = pytest.mark.postgresql

RATE = 300.0
# Seconds that a commit may wait longer than without all that.
LONGEST_WAIT = 0.25
PRUNING = ROOT / "tests" / "benchmarks" / "pruning.py"
# Seconds. Readings are deleted by the minute.
MINUTE = 60.0
_POLL = 0.002


class Probe:
    """Measures how long a reading takes to be committed, which is when it is acknowledged."""

    def __init__(self, peer: Peer, oracle: Oracle) -> None:
        self._peer = peer
        self._oracle = oracle
        self._number = -1000.0

    def longest_wait(self, until: float) -> float:
        """Return the longest that one took, sending one after the other until then (UTC epoch seconds)."""
        longest = 0.0
        while time.time() < until:
            self._number -= 1
            began = time.monotonic()
            self._peer.publish("DATA", json.dumps({"number": self._number}))
            query = "SELECT count(*) FROM reading WHERE time > %s AND value = %s"
            while not self._oracle.number(query, time.time() - TIMEOUT, self._number):
                assert time.monotonic() - began < TIMEOUT, "a reading is never stored"
                time.sleep(_POLL)
            longest = max(longest, time.monotonic() - began)
        return longest


@sizes("minutes", quick=1, full=3)
def test_long_reader(
    *,
    mosquitto: Mosquitto,
    postgresql: Database,
    tmp_path: Path,
    oracle: Oracle,
    report: Report,
    minutes: int,
) -> None:
    """No commit waits for the reader, though partitions are made, and others cannot be removed meanwhile."""
    settings = {"DB_URL": postgresql.url, "WINDOWS": "1s", "RETENTION": "5s", "STATS_INTERVAL": "1s"}
    environment = mosquitto.environment | settings | {"PYTHONPATH": str(ROOT)}
    role = Role(tmp_path, "subscriber", environment=environment, program=PRUNING)
    try:
        role.start_and_wait()
        with Load(mosquitto.access, ENDLESS, RATE, Kind.NUMBERS) as load, Peer(mosquitto.access) as peer:
            storing(oracle)
            probe = Probe(peer, oracle)
            begin = time.time()
            change = (begin // MINUTE + minutes) * MINUTE
            before = probe.longest_wait(begin + 4)
            with reading_for_long(postgresql, "reading"):
                meanwhile = probe.longest_wait(max(change + 8, begin + 12))
                expired = oracle.number("SELECT count(*) FROM reading WHERE time < %s", change - 5)
            wait_for(lambda: oracle.counters()["pruned"] >= expired, "what has expired is deleted", MINUTE)
        settle(mosquitto.access, oracle)
        report.add(
            f"long reader while {expired} readings expire: a commit waits {meanwhile * 1000:.0f} ms at most, "
            f"{before * 1000:.0f} ms before",
            f"{len(load.sent)} no ids",
        )
        assert judge(oracle, load).double.total() == 0
        assert expired > RATE
        # a busy machine makes both longer
        assert meanwhile < before + LONGEST_WAIT
    finally:
        role.end()
    role.assert_no_traceback()
