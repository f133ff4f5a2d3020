"""The subscriber's wall clock jumps."""

import json
import math
import time
from pathlib import Path

from jobs.prune import INTERVAL
from tests.faults.clock import JumpingClock
from tests.faults.conftest import MakeSubscriber
from tests.faults.load import TOPIC
from tests.faults.sizes import sizes
from tests.faults.stored import count_stored
from tests.faults.verdict import Report
from tests.support.brokers import Mosquitto
from tests.support.database import wait_for_rows
from tests.support.mqtt_client import Peer
from tests.support.waiting import on_this_machine, wait_for

HOUR, YEAR = 3600.0, 365 * 86400.0
JUMPS = (4.0, -4.0, HOUR, -HOUR, YEAR)
# libfaketime reads the time from a file at each call, which is slow.
TICK = 0.5
# A jump is noticed within a second.
LONGEST_GAP = 1.0 + TICK + 0.8
SETTINGS = {"WINDOWS": "10min,30min", "STATS_INTERVAL": f"{TICK:g}s"}
VALUES = [0.1, 0.2, 0.3, 1e17, -1e17, 21.5]
AVERAGE = math.fsum(VALUES) / len(VALUES)


class Averages:
    """Watches how the averages go on, by the true clock."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer.subscribe("STATS")

    def keep_coming(self, seconds: float) -> None:
        """Fail if for `LONGEST_GAP` no averages come, in the next `seconds`."""
        end = time.monotonic() + seconds
        longest = on_this_machine(LONGEST_GAP)
        while time.monotonic() < end:
            before = len(self._peer.on("STATS"))
            wait_for(lambda count=before: len(self._peer.on("STATS")) > count, "averages", longest)  # type: ignore[misc]

    def are_right_soon(self) -> None:
        """Fail unless the second message from now on is right: the first may be on its way already."""
        before = len(self._peer.on("STATS"))
        wait_for(
            lambda: len(self._peer.on("STATS")) >= before + 2, "two ticks", on_this_machine(2 * LONGEST_GAP)
        )
        averages = json.loads(self._peer.on("STATS")[before + 1].payload)
        assert averages == {"avg_10min": AVERAGE, "avg_30min": AVERAGE}


@sizes(
    "seconds, jumps",
    quick=(1.0, (-HOUR, YEAR)),
    full=[(5.0, JUMPS), (INTERVAL + 10, (HOUR, YEAR))],
)
def test_jumps(
    *,
    mosquitto: Mosquitto,
    make_subscriber: MakeSubscriber,
    tmp_path: Path,
    database: Path,
    report: Report,
    seconds: float,
    jumps: tuple[float, ...],
) -> None:
    """Averages go on in their rhythm, are right by the next tick after the clock is; nothing is pruned.

    The last size waits until pruning has run by the wrong clock.
    """
    clock = JumpingClock(tmp_path)
    subscriber = make_subscriber(mosquitto, **SETTINGS, **clock.environment).start_and_wait()
    with Peer(mosquitto.access) as peer:
        averages = Averages(peer)
        _publish(peer, database)
        averages.keep_coming(1.0)
        averages.are_right_soon()
        for jump in jumps:
            clock.jump_to(jump)
            averages.keep_coming(seconds)
            clock.jump_to(0.0)
            averages.are_right_soon()
            assert count_stored(database) == len(VALUES)
    report.add(f"clock: {len(jumps)} jumps, for {seconds:g} s each", "-")
    assert "pruned" not in subscriber.stderr
    # each jump and its way back are told
    assert sum("clock jumped" in line for line in subscriber.log_lines("WARNING")) == 2 * len(jumps)


@sizes("seconds", quick=0.5, full=INTERVAL + 10)
def test_from_1970(
    *,
    mosquitto: Mosquitto,
    make_subscriber: MakeSubscriber,
    tmp_path: Path,
    database: Path,
    report: Report,
    seconds: float,
) -> None:
    """Started in 1970, the subscriber is right as soon as somebody tells it the time."""
    clock = JumpingClock(tmp_path)
    clock.jump_to_1970()
    make_subscriber(mosquitto, **SETTINGS, **clock.environment).start_and_wait()
    with Peer(mosquitto.access) as peer:
        averages = Averages(peer)
        averages.keep_coming(1.5)
        clock.jump_to(0.0)
        averages.keep_coming(1.5)
        _publish(peer, database)
        averages.are_right_soon()
        averages.keep_coming(seconds)
        averages.are_right_soon()
    assert count_stored(database) == len(VALUES)
    report.add(f"clock: from 1970 to now, and {seconds:g} s of it", "-")


def _publish(peer: Peer, database: Path) -> None:
    now = time.time()
    peer.publish(
        TOPIC, *(json.dumps({"number": value, "epochtime": now - 5 * n}) for n, value in enumerate(VALUES))
    )
    wait_for_rows(database, len(VALUES))
