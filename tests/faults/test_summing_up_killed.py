"""The subscriber dies by SIGKILL again and again while it notes what the time that has ended holds."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random

from tests.faults.faults import SEED
from tests.faults.load import Kind, Load
from tests.faults.sizes import sizes
from tests.faults.verdict import Report
from tests.support.brokers import Mosquitto
from tests.support.mqtt_client import Peer
from tests.support.processes import ROOT, Role, manage
from tests.support.waiting import wait_for
from tests.unit.rows import rows

PROGRAM = Path(__file__).with_name("summing.py")
RATE = 200.0
# More than are sent until all is done.
MOST = 1_000_000
# Seconds between two late readings, and how late they are at most.
PAUSE = 0.02
LATEST = 5.0


@contextmanager
def late_readings(broker: Mosquitto) -> Iterator[None]:
    """Publish readings of times that are over, while entered."""
    ending, random = threading.Event(), Random(SEED)

    def publish() -> None:
        with Peer(broker.access) as peer:
            while not ending.wait(PAUSE):
                at = time.time() - random.uniform(0, LATEST)
                peer.publish("late", json.dumps({"number": random.random(), "epochtime": at}))

    thread = threading.Thread(target=publish, name="late")
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def noted(database: Path) -> int:
    """Return of how many slots the sums are noted."""
    [(count,)] = rows(database, "SELECT COUNT(*) FROM slot_sums")
    return int(count)


def more_noted(database: Path, before: int) -> bool:
    return noted(database) > before


@sizes("kills", quick=3, full=30)
def test_averages_are_right_after_kills(
    *, mosquitto: Mosquitto, tmp_path: Path, database: Path, report: Report, kills: int
) -> None:
    """Also where readings come late, into time that was summed up already."""
    settings = {**mosquitto.environment, "TOPIC": "DATA,late", "PYTHONPATH": str(ROOT)}
    subscriber = Role(
        tmp_path, "subscriber", environment={**settings, "STATS_INTERVAL": "200ms"}, program=PROGRAM
    )
    random = Random(SEED)
    try:
        with Load(mosquitto.access, MOST, RATE, Kind.NUMBERS), late_readings(mosquitto):
            for _ in range(kills):
                subscriber.start_and_wait()
                wait_for(partial(more_noted, database, noted(database)), "more sums are noted")
                time.sleep(random.uniform(0, 0.3))
                subscriber.kill()
        tables = {
            name: len(rows(database, f"SELECT * FROM {name}")) for name in ("slot_sums", "stretch", "delayed")
        }
        subscriber.start_and_wait()
        audit = manage("audit", "--duration", "2s", folder=tmp_path, environment=settings)
    finally:
        subscriber.end()
    what = ", ".join(f"{count} {name}" for name, count in tables.items())
    report.add(f"subscriber kill -9, {kills} times, while time is summed up", what)
    subscriber.assert_no_traceback()
    assert all(tables.values()), what
    assert audit.returncode == 0, audit.stdout + audit.stderr
