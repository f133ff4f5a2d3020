"""Mosquitto goes and comes back, by SIGTERM and by SIGKILL."""

import time
from collections import Counter
from collections.abc import Callable, Hashable
from pathlib import Path
from random import Random

import pytest

from tests.conftest import MakeRole
from tests.faults import outbox
from tests.faults.conftest import MakeSubscriber
from tests.faults.faults import SEED, kill, terminate
from tests.faults.load import Kind, Load
from tests.faults.sizes import sizes
from tests.faults.stored import books, stored
from tests.faults.verdict import Report, Verdict, settle, storing
from tests.support.brokers import Broker, Mosquitto

# As many as Mosquitto takes while it saves everything after each packet.
RATE = 60.0


@pytest.mark.parametrize(
    ("fault", "name"), [(terminate, "SIGTERM"), (kill, "kill -9")], ids=["SIGTERM", "SIGKILL"]
)
@sizes("count, times", quick=(200, 2), full=(5000, 10))
def test_restarts(
    *,
    saving_mosquitto: Mosquitto,
    make_role: MakeRole,
    make_subscriber: MakeSubscriber,
    tmp_path: Path,
    database: Path,
    report: Report,
    fault: Callable[[Broker], None],
    name: str,
    count: int,
    times: int,
) -> None:
    """Our publisher loses nothing; nor does another client, unless Mosquitto was killed.

    It acknowledges before it has saved. What was sent again for want of a PUBACK has its old id.
    """
    path = tmp_path / "outbox.db"
    each = count // 2
    random = Random(SEED)
    first_run = make_role("publisher", "--count", "1", broker=saving_mosquitto, OUTBOX_FILE=str(path))
    assert first_run.start().wait() == 0  # makes the file
    outbox.watch(path)
    make_subscriber(saving_mosquitto).start_and_wait()
    publisher = make_role(
        *("publisher", "--count", str(each), "--min-interval", "10ms", "--max-interval", "20ms"),
        broker=saving_mosquitto,
        OUTBOX_FILE=str(path),
    ).start()
    with Load(saving_mosquitto.access, each, RATE, Kind.IDS) as load:
        for _ in range(times):
            storing(database, lambda: load.done)
            time.sleep(random.uniform(0.1, 0.6))
            fault(saving_mosquitto)
        load.wait()
        assert publisher.wait(60.0 + 10 * count / RATE) == 0
        settle(saving_mosquitto.access, database)
    duplicates = books(database).get("duplicates", 0)
    found = stored(database, "message_id")
    raw = Counter({key: n for key, n in found.items() if str(key).startswith("reading-")})
    ours = Verdict(outbox.ever(path), outbox.ever(path) - outbox.waiting(path), found - raw, duplicates)
    others = Verdict(_ids(load.sent), _ids(load.acknowledged), raw, duplicates)
    report.add(f"Mosquitto {name}, {times} times: our publisher", f"{each} outbox", ours)
    report.add(f"Mosquitto {name}, {times} times: another client", f"{each} ids", others)
    ours.assert_exactly_once()
    others.assert_nothing_double()
    if fault is terminate:
        others.assert_nothing_lost()


def _ids(values: Counter[Hashable]) -> Counter[Hashable]:
    return Counter({f"reading-{value}": n for value, n in values.items()})
