"""The network between the broker and the subscriber tears, or swallows everything for a while."""

from pathlib import Path
from random import Random

import pytest

from tests.faults.conftest import MakeSubscriber
from tests.faults.faults import SEED
from tests.faults.load import Kind, Load
from tests.faults.proxy import Proxy
from tests.faults.sizes import sizes
from tests.faults.verdict import Report, judge, settle, storing
from tests.support.brokers import Mosquitto

BLACKHOLE = 2.0


@pytest.mark.parametrize("kind", [Kind.NUMBERS, Kind.IDENTICAL])
@sizes("count, cuts, rate", quick=(1500, 4, 400.0), full=(10_000, 50, 160.0))
def test_cuts(
    *,
    mosquitto: Mosquitto,
    make_subscriber: MakeSubscriber,
    database: Path,
    report: Report,
    kind: Kind,
    count: int,
    cuts: int,
    rate: float,
) -> None:
    """Connections are reset in the middle of a packet, either way, or swallow everything for 2 s."""
    random = Random(SEED)
    with Proxy(mosquitto.port) as proxy:
        make_subscriber(proxy.access).start_and_wait()
        with Load(mosquitto.access, count, rate, kind) as load:
            for cut in range(cuts):
                if cut % 10 == 3:
                    proxy.hold(BLACKHOLE)
                else:
                    proxy.tear(random.choice(["client", "broker"]))
                storing(database, lambda: load.done)
            load.wait()
        settle(mosquitto.access, database)
    verdict = judge(load.sent, load.acknowledged, database)
    report.add(f"network: reset or blackhole, {cuts} times", f"{count} {kind}", verdict)
    verdict.assert_exactly_once()
