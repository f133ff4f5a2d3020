"""The broker forgets the subscriber's session, while messages of it are held."""

from collections import Counter
from collections.abc import Hashable
from pathlib import Path

import pytest

from tests.faults.conftest import MakeSubscriber
from tests.faults.faults import held_by_another_process, stopped
from tests.faults.load import TOPIC, Kind, numbered, reading
from tests.faults.sizes import sizes
from tests.faults.stored import count_stored, remembered_deliveries
from tests.faults.verdict import Report, judge, settle
from tests.support.brokers import Mosquitto
from tests.support.mqtt_client import Peer
from tests.support.waiting import stays, wait_for

SENT = "Sending PUBLISH to averages-subscriber"
SUBSCRIBED = "Received SUBSCRIBE from averages-subscriber"
ACKNOWLEDGED = "Received PUBACK from averages-subscriber"


@pytest.mark.parametrize("crash", [False, True], ids=["no crash", "crash before it could note that"])
@sizes("count", quick=50, full=100)
def test_no_stale_acknowledgement(
    *,
    mosquitto: Mosquitto,
    make_subscriber: MakeSubscriber,
    database: Path,
    report: Report,
    crash: bool,
    count: int,
) -> None:
    """What was held for the old session acknowledges nothing of the new one, nor is taken for it.

    The messages of the new session have the packet ids of the old one's. If we crash while the loss
    cannot be noted, only an id tells them apart.
    """
    kind = Kind.IDS if crash else Kind.IDENTICAL
    subscriber = make_subscriber(mosquitto).start_and_wait()
    first, second = numbered(kind, range(count)), numbered(kind, range(count, 2 * count))
    with Peer(mosquitto.access) as peer:
        with held_by_another_process(database):
            with stopped(subscriber):  # so that it takes them all at once
                peer.publish(TOPIC, *first)
                wait_for(lambda: len(mosquitto.packets(SENT)) == count, "the first are handed over")
            subscriber.wait_for_log("the database cannot be written")
            with Peer(mosquitto.access, "averages-subscriber"):
                pass  # with a clean session, so that the old one is gone
        wait_for(lambda: count_stored(database) == count, "the first are stored")
        if not crash:
            wait_for(lambda: remembered_deliveries(database) == 0, "the loss of the session is noted")
        with held_by_another_process(database):
            wait_for(lambda: len(mosquitto.packets(SUBSCRIBED)) == 2, "the new session")
            peer.publish(TOPIC, *second)
            if not crash:
                wait_for(lambda: len(mosquitto.packets(SENT)) == 2 * count, "the second are handed over")
                stays(lambda: not mosquitto.packets(ACKNOWLEDGED), "no PUBACK", 1.0)
            subscriber.kill()
        subscriber.start()
    settle(mosquitto.access, database)
    sent: Counter[Hashable] = Counter(reading(kind, number)[0] for number in range(2 * count))
    verdict = judge(sent, sent, database)
    report.add(
        f"session forgotten while acks are held{' and a crash' * crash}",
        f"{count} + {count} {kind}",
        verdict,
    )
    verdict.assert_exactly_once()
