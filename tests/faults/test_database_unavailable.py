"""The database cannot be written for a while: another process holds it, or the disk is full."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.conftest import MakeSubscriber
from tests.faults.faults import full, held_by_another_process, no_file_grows_beyond, small_disk
from tests.faults.load import Kind, Load
from tests.faults.sizes import sizes
from tests.faults.stored import count_stored
from tests.faults.verdict import Report, judge, settle, storing
from tests.support.brokers import Mosquitto
from tests.support.processes import Role
from tests.support.waiting import wait_for

RATE = 500.0
PAUSE = 1.5
SENT = "Sending PUBLISH to averages-subscriber"
ACKNOWLEDGED = "Received PUBACK from averages-subscriber"
CONNECTED = "as averages-subscriber"
COMPLAINT = "the database cannot be written"


@sizes("times, seconds", quick=(1, 2.0), full=[(5, 10.0), (1, 75.0)])
def test_locked(
    *,
    mosquitto: Mosquitto,
    make_subscriber: MakeSubscriber,
    database: Path,
    report: Report,
    times: int,
    seconds: float,
) -> None:
    """Nothing is lost, and the connection stays, even for longer than the broker waits for a ping."""
    make_subscriber(mosquitto).start_and_wait()
    count = int(RATE * times * (seconds + 1))
    with Load(mosquitto.access, count, RATE, Kind.NUMBERS) as load:
        for _ in range(times):
            storing(database)
            with held_by_another_process(database):
                before = count_stored(database)
                time.sleep(seconds)
                assert count_stored(database) == before
        load.wait()
    settle(mosquitto.access, database)
    verdict = judge(load.sent, load.acknowledged, database)
    connections = len(mosquitto.packets(CONNECTED))
    report.add(
        f"database held {seconds:g} s, {times} times; {connections} connection", f"{count} no ids", verdict
    )
    verdict.assert_exactly_once()
    assert connections == 1


@sizes("count", quick=3000, full=5000)
def test_disk_full(
    mosquitto: Mosquitto,
    make_subscriber: MakeSubscriber,
    tmp_path: Path,
    report: Report,
    count: int,
) -> None:
    """While the disk is full nothing is acknowledged; when there is room again all is stored."""
    folder = tmp_path / "disk"
    with small_disk(folder, megabytes=8) as mounted:
        if not mounted:
            pytest.skip("no file system can be mounted here; test_no_file_may_grow does the same")
        database = folder / "test.db"
        subscriber = make_subscriber(mosquitto, DB_FILE=str(database)).start_and_wait()
        with Load(mosquitto.access, count, RATE, Kind.NUMBERS) as load:
            storing(database)
            with full(folder):
                _assert_acknowledgements_pause(mosquitto, subscriber, database)
            load.wait()
        settle(mosquitto.access, database)
        verdict = judge(load.sent, load.acknowledged, database)
        report.add("disk full, then freed", f"{count} no ids", verdict)
        verdict.assert_exactly_once()
        subscriber.end()
    assert len(mosquitto.packets(CONNECTED)) == 1


def test_started_on_a_full_disk(
    mosquitto: Mosquitto, make_subscriber: MakeSubscriber, tmp_path: Path
) -> None:
    """A subscriber that is started while its disk is full waits for room, and goes on by itself."""
    folder = tmp_path / "disk"
    with small_disk(folder, megabytes=8) as mounted:
        if not mounted:
            pytest.skip("no file system can be mounted here")
        subscriber = make_subscriber(mosquitto, DB_FILE=str(folder / "test.db"))
        subscriber.start_and_wait()
        subscriber.end()
        with full(folder):
            subscriber.start()
            subscriber.wait_for_complaint("its disk is full); trying again until it can")
        subscriber.wait_healthy()
        subscriber.end()


@sizes("count", quick=3000, full=5000)
def test_no_file_may_grow(
    mosquitto: Mosquitto,
    make_subscriber: MakeSubscriber,
    database: Path,
    report: Report,
    count: int,
) -> None:
    """The same when each write beyond a file's end fails with an I/O error."""
    subscriber = make_subscriber(mosquitto).start_and_wait()
    with Load(mosquitto.access, count, RATE, Kind.NUMBERS) as load, ExitStack() as stack:
        storing(database)
        stack.enter_context(no_file_grows_beyond(subscriber, 64 * 1024))
        _assert_acknowledgements_pause(mosquitto, subscriber, database)
        stack.close()
        load.wait()
    settle(mosquitto.access, database)
    verdict = judge(load.sent, load.acknowledged, database)
    report.add("I/O error at each write, then none", f"{count} no ids", verdict)
    verdict.assert_exactly_once()
    assert len(mosquitto.packets(CONNECTED)) == 1


def _assert_acknowledgements_pause(broker: Mosquitto, subscriber: Role, database: Path) -> None:
    """Wait until nothing is stored any more: what SQLite itself can free is used up first."""
    wait_for(lambda: COMPLAINT in subscriber.stderr, lambda: f"a complaint in:\n{subscriber.stderr}")
    rows = _when_it_pauses(lambda: count_stored(database))
    assert len(broker.packets(SENT)) > rows
    assert len(broker.packets(ACKNOWLEDGED)) == rows
    assert len(subscriber.log_lines("ERROR")) == 1


def _when_it_pauses(number: Callable[[], int]) -> int:
    """Return `number()` when it has been the same for `PAUSE` seconds."""
    seen, since = number(), time.monotonic()

    def paused() -> bool:
        nonlocal seen, since
        if (now := number()) != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > PAUSE

    wait_for(paused, lambda: f"a pause; it is {seen} now")
    return seen
