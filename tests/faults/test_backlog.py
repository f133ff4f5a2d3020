"""The subscriber comes back to far more than fits into a broker's in-flight window, and dies again and again.

Mosquitto falls behind on our acknowledgements then, and sends again whatever it has not worked off.
"""

import time
from collections import Counter
from collections.abc import Hashable
from pathlib import Path
from random import Random

import pytest

from scheduler_app.intake.ingest import MAX_BATCH, WORTH_A_PROOF
from scheduler_app.intake.redelivery import MOST_UNPROVEN, REMEMBERED
from tests.faults.backlog import ShippedMosquitto, fill
from tests.faults.conftest import MakeSubscriber
from tests.faults.faults import SEED
from tests.faults.load import Kind, numbered, reading
from tests.faults.stored import count_stored, received, remembered_messages
from tests.faults.verdict import Report, judge, settle
from tests.support.waiting import wait_for

PACKET_IDS = 65_535
QUICK, FEW, MANY, VERY_MANY = 1500, 20_000, 80_000, 300_000
# Seconds, in which all of it must be stored.
CATCHING_UP = 240.0


def test_the_loads_lie_on_both_sides_of_every_bound() -> None:
    """Or a fault that begins beyond one of them would not be found."""
    assert MAX_BATCH < QUICK < WORTH_A_PROOF < FEW < MOST_UNPROVEN
    assert max(REMEMBERED, PACKET_IDS) < MANY < 2 * PACKET_IDS < VERY_MANY


def case(count: int, kind: Kind, kills: int) -> object:
    marks = [] if count == QUICK else [pytest.mark.slow]
    return pytest.param(count, kind, kills, marks=marks, id=f"{count} {kind}")


@pytest.mark.parametrize(
    ("count", "kind", "kills"),
    [
        case(QUICK, Kind.IDENTICAL, 2),
        *(case(FEW, kind, 5) for kind in Kind),
        *(case(MANY, kind, 6) for kind in Kind),
        *(case(VERY_MANY, kind, 6) for kind in (Kind.NUMBERS, Kind.IDENTICAL)),
    ],
)
def test_killed_with_a_backlog(
    *,
    tmp_path: Path,
    make_subscriber: MakeSubscriber,
    database: Path,
    report: Report,
    count: int,
    kind: Kind,
    kills: int,
) -> None:
    """Every reading is stored once, with an id or without; as many identical ones as were sent.

    With a save for each acknowledgement a broker is far behind; the shipped file names that as the other
    choice. What does not fit into MOST_UNPROVEN then has to wait for it, for longer than a test can: the
    second half of the kills, and the end, come with the choice that is shipped.
    """
    random = Random(SEED + count)
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = ShippedMosquitto(folder)
    try:
        broker.start()
        subscriber = make_subscriber(broker).start_and_wait()
        subscriber.stop()
        fill(broker.port, numbered(kind, range(count)))
        half = kills if count < MOST_UNPROVEN else kills // 2
        for saves, times in (("true", half), (None, kills - half)):
            if not times:
                break
            broker.stop()  # it saves all
            broker = ShippedMosquitto(folder, port=broker.port, saves=saves)
            broker.start()
            if saves is not None:  # as much as can be had while the broker is far behind
                subscriber.start()
                _stored(database, min(count, MOST_UNPROVEN))
                time.sleep(random.uniform(1.0, 2.0))
                subscriber.kill()
            most = count if saves is None or count < MOST_UNPROVEN else MOST_UNPROVEN
            for _ in range(times):
                subscriber.start()
                _taking_in(database, count)
                if random.random() < 0.5:
                    time.sleep(random.choice([0.0, random.uniform(0.0, 0.3), random.uniform(0.3, 1.5)]))
                else:  # anywhere on the way
                    _stored(
                        database, min(most, count_stored(database) + random.randrange(2 * count // kills))
                    )
                subscriber.kill()
        subscriber.start()
        _stored(database, count)
        settle(broker.access, database)
        complaints = subscriber.complaints("connection")
    finally:
        broker.end()
    sent: Counter[Hashable] = Counter(reading(kind, number)[0] for number in range(count))
    verdict = judge(sent, sent, database)
    report.add(f"outage, then subscriber kill -9, {kills + 1} times", f"{count} {kind}", verdict)
    verdict.assert_exactly_once()
    assert remembered_messages(database) <= REMEMBERED + MAX_BATCH
    assert not complaints  # to renew the connection is no outage


def _stored(database: Path, count: int) -> None:
    """Wait until `count` are stored."""
    wait_for(
        lambda: count_stored(database) >= count,
        lambda: f"{count} are stored; {count_stored(database)} are",
        CATCHING_UP,
    )


def _taking_in(database: Path, count: int) -> None:
    """Wait until something is received, new or not, or all `count` are stored."""
    before = received(database)
    wait_for(
        lambda: received(database) > before or count_stored(database) == count,
        "something is taken in",
        CATCHING_UP,
    )
