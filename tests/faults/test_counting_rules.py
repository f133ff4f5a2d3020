"""What a stream says of which readings count holds through kills by SIGKILL."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.faults.conftest import MakeSubscriber
from tests.faults.faults import SEED
from tests.faults.sizes import sizes
from tests.support.brokers import Broker, Mosquitto
from tests.support.database import counters, rows
from tests.support.mqtt_client import Peer
from tests.support.processes import Role
from tests.support.waiting import wait_for

ENDS = ("stored", "duplicates", "rejected", "late", "retained", "ignored")


def stream_file(folder: Path, keys: str) -> str:
    path = folder / "streams.toml"
    path.write_text(f'[[stream]]\ntopic = "device/#"\nvalue = "v"\ntime = "t"\n{keys}\n')
    return str(path)


def reading(value: int, moment: float) -> str:
    return json.dumps({"v": value, "t": moment})


def live_and_die(subscriber: Role, database: Path, work: Callable[[int], object], lives: int) -> None:
    """Have the subscriber live so many times, with work for it each time, and die at random within 0.5 s."""
    random = Random(SEED)

    def received() -> int:
        return counters(database).get("received", 0)

    for life in range(lives):
        before = received()
        subscriber.start()
        work(life)
        wait_for(lambda before=before: received() > before, "it takes in something")  # type: ignore[misc]
        time.sleep(random.choice([0.0, random.uniform(0.0, 0.05), random.uniform(0.05, 0.5)]))
        subscriber.kill()


def balanced(database: Path) -> dict[str, int]:
    """Return what became of all that was received."""
    counted = counters(database)
    assert counted["received"] == sum(counted.get(end, 0) for end in ENDS)
    return counted


@sizes("devices, kills", quick=(100, 4), full=(1000, 30))
def test_retained_copies(
    *,
    mosquitto: Mosquitto,
    make_subscriber: MakeSubscriber,
    database: Path,
    tmp_path: Path,
    devices: int,
    kills: int,
) -> None:
    """Devices publish retained readings while the subscriber dies: each counts once.

    What comes while it is away it gets twice: as what its session has kept for it, and as a retained copy.
    """
    begin = time.time() - 1200
    subscriber = make_subscriber(mosquitto, STREAMS_FILE=stream_file(tmp_path, 'retained = "take"'))
    sent: set[tuple[str, float, float]] = set()
    with Peer(mosquitto.access) as peer:

        def publish(life: int) -> None:
            those = [n for n in range(devices) if life < 0 or (n + life) % 3 == 0]
            moment = begin + life
            sent.update((f"device/{n}", moment, float(life)) for n in those)
            peer.publish_all(((f"device/{n}", reading(life, moment)) for n in those), retain=True)

        publish(-1)  # nobody has ever subscribed
        subscriber.start_and_wait()
        wait_for(lambda: len(rows(database)) == devices, "all retained copies are taken in")
        subscriber.kill()
        live_and_die(subscriber, database, publish, kills)
        publish(kills)  # nobody is there
        subscriber.start_and_wait()
        peer.publish("device/last", reading(1, begin))
        wait_for(lambda: rows(database)[-1].series == "device/last", "all before it is taken in")
    found = [tuple(row) for row in rows(database) if row.series != "device/last"]
    assert len(found) == len(set(found))
    assert set(found) == sent
    assert balanced(database)["duplicates"] >= devices  # each came again at the last start


@pytest.mark.parametrize("broker_name", ["mosquitto", "embedded"])
@sizes("telegrams, kills", quick=(300, 4), full=(3000, 30))
def test_repeats(
    *,
    request: pytest.FixtureRequest,
    make_subscriber: MakeSubscriber,
    database: Path,
    tmp_path: Path,
    broker_name: str,
    telegrams: int,
    kills: int,
) -> None:
    """Each telegram is sent thrice, and by two gateways, while the subscriber dies: it counts once.

    Also at the embedded broker, which sends again without saying so.
    """
    broker: Broker = request.getfixturevalue(broker_name)
    begin = time.time() - 1200
    subscriber = make_subscriber(broker, STREAMS_FILE=stream_file(tmp_path, 'repeat = "1s"'))
    subscriber.start_and_wait()
    subscriber.kill()
    moments = [begin + n / 4 for n in range(telegrams)]
    with Peer(broker.access) as peer:

        def publish(life: int) -> None:
            for n in range(life, telegrams, kills):
                copies = [moments[n] + late for late in (0.0, 0.0625, 0.03125, 0.0625, 0.125)]
                peer.publish_all((f"device/{n % 7}", reading(n, moment)) for moment in copies)

        live_and_die(subscriber, database, publish, kills)
        subscriber.start_and_wait()
        peer.publish("device/last", reading(1, begin))
        wait_for(lambda: rows(database)[-1].series == "device/last", "all before it is taken in")
    found = sorted((row.value, row.time) for row in rows(database) if row.series != "device/last")
    assert found == list(enumerate(moments))
    assert balanced(database)["duplicates"] >= 4 * telegrams
