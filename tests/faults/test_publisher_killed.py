"""The publisher dies by SIGKILL, again and again."""

import time
from pathlib import Path
from random import Random

from tests.conftest import MakeRole
from tests.faults import outbox
from tests.faults.conftest import MakeSubscriber
from tests.faults.faults import SEED
from tests.faults.sizes import sizes
from tests.faults.stored import stored
from tests.faults.verdict import Report, judge, settle
from tests.support.brokers import Mosquitto
from tests.support.waiting import wait_for


@sizes("count, kills", quick=(500, 3), full=(5000, 20))
def test_what_was_in_the_outbox(
    *,
    mosquitto: Mosquitto,
    make_role: MakeRole,
    make_subscriber: MakeSubscriber,
    tmp_path: Path,
    database: Path,
    report: Report,
    count: int,
    kills: int,
) -> None:
    """Each reading that ever was in the outbox is stored once, and at the end the outbox is empty."""
    path = tmp_path / "outbox.db"
    random = Random(SEED)
    last_run = make_role("publisher", "--count", "1", broker=mosquitto, OUTBOX_FILE=str(path))
    assert last_run.start().wait() == 0  # makes the file
    outbox.watch(path)
    make_subscriber(mosquitto).start_and_wait()
    publisher = make_role(
        *("publisher", "--min-interval", "1ms", "--max-interval", "2ms"),
        broker=mosquitto,
        OUTBOX_FILE=str(path),
    )
    left = 0
    for life in range(1, kills + 1):
        publisher.start()
        wait_for(
            lambda due=count * life // kills: outbox.count(path) >= due,  # type: ignore[misc]
            "readings in the outbox",
        )
        time.sleep(random.uniform(0.0, 0.02))
        publisher.kill()
        left += len(outbox.waiting(path))
        assert stored(database, "message_id") <= outbox.ever(path), "sent before it was in the outbox"
    assert last_run.start().wait() == 0
    settle(mosquitto.access, database)
    ever = outbox.ever(path)
    verdict = judge(ever, ever - outbox.waiting(path), database, "message_id")
    report.add(f"publisher kill -9, {kills} times, {left} readings left behind", f"{count} outbox", verdict)
    verdict.assert_exactly_once()
    assert not outbox.waiting(path)
