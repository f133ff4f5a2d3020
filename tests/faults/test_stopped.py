"""A process stands still: as on a machine that swaps, sleeps, or was frozen by its host."""

import time
from pathlib import Path

import pytest

from scheduler_app.mqtt.dialer import KEEPALIVE
from tests.faults.conftest import MakeSubscriber
from tests.faults.faults import stopped
from tests.faults.load import Kind, Load
from tests.faults.sizes import sizes
from tests.faults.verdict import Report, judge, settle, storing
from tests.support.brokers import Mosquitto

RATE = 500.0


@pytest.mark.parametrize("which", ["broker", "subscriber"])
@sizes("seconds", quick=2.0, full=2.0 * KEEPALIVE + 5)
def test_stopped(
    *,
    mosquitto: Mosquitto,
    make_subscriber: MakeSubscriber,
    database: Path,
    report: Report,
    which: str,
    seconds: float,
) -> None:
    """It recovers by itself, and nothing is lost or double."""
    subscriber = make_subscriber(mosquitto).start_and_wait()
    process = mosquitto.process if which == "broker" else subscriber
    count = int(RATE * (seconds + 2))
    with Load(mosquitto.access, count, RATE, Kind.NUMBERS) as load:
        storing(database)
        with stopped(process):
            time.sleep(seconds)
        storing(database)
        load.wait()
    settle(mosquitto.access, database)
    verdict = judge(load.sent, load.acknowledged, database)
    report.add(f"SIGSTOP of the {which} for {seconds:g} s", f"{count} no ids", verdict)
    verdict.assert_exactly_once()
