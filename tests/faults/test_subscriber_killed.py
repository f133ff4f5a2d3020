"""The subscriber dies by SIGKILL, again and again, at every point of its work."""

from pathlib import Path

import pytest

from tests.faults.conftest import MakeSubscriber
from tests.faults.faults import kill_at_work
from tests.faults.load import Kind, Load
from tests.faults.sizes import sizes
from tests.faults.verdict import Report, judge, settle
from tests.support.brokers import Broker

RATE = 500.0


@pytest.mark.parametrize(
    ("broker_name", "kind"),
    [
        ("mosquitto", Kind.IDS),
        ("mosquitto", Kind.NUMBERS),
        ("mosquitto", Kind.IDENTICAL),
        ("embedded", Kind.IDS),
        ("embedded", Kind.IDENTICAL),
    ],
)
@sizes("count, kills", quick=(1000, 3), full=(20_000, 30))
def test_killed(
    *,
    request: pytest.FixtureRequest,
    make_subscriber: MakeSubscriber,
    database: Path,
    report: Report,
    broker_name: str,
    kind: Kind,
    count: int,
    kills: int,
) -> None:
    """Every reading is stored once, with an id or without; as many identical ones as were sent.

    The embedded broker resends without DUP: there a reading without an id may be stored twice.
    """
    broker: Broker = request.getfixturevalue(broker_name)
    subscriber = make_subscriber(broker).start_and_wait()
    with Load(broker.access, count, RATE, kind) as load:
        kill_at_work(subscriber, database, load, kills)
        subscriber.start()
        load.wait()
    settle(broker.access, database)
    verdict = judge(load.sent, load.acknowledged, database)
    report.add(f"subscriber kill -9, {kills} times, {type(broker).__name__}", f"{count} {kind}", verdict)
    verdict.assert_nothing_lost()
    if broker.persistent or kind is Kind.IDS:
        verdict.assert_nothing_double()
