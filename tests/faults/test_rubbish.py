"""Messages that are no readings, between good ones."""

import json
from collections import Counter
from collections.abc import Hashable
from pathlib import Path

from models.catalog import LONGEST_NAME
from tests.faults.conftest import MakeSubscriber
from tests.faults.load import TOPIC
from tests.faults.rubbish import (
    FORBIDDEN_TOPICS,
    NOTHING_TO_READ,
    NUMBERS,
    PAYLOADS,
    TOPICS,
    generated,
    publish_forbidden,
)
from tests.faults.sizes import sizes
from tests.faults.stored import books
from tests.faults.verdict import Report, Verdict, settle
from tests.support.brokers import Broker, Mosquitto
from tests.support.database import rejected, rows
from tests.support.mqtt_client import Peer
from tests.support.waiting import wait_for

SENT = "Sending PUBLISH to averages-subscriber"
ACKNOWLEDGED = "Received PUBACK from averages-subscriber"


@sizes("count", quick=300, full=2000)
def test_rubbish(
    either_broker: Broker, make_subscriber: MakeSubscriber, database: Path, report: Report, count: int
) -> None:
    """Each message is acknowledged once, and read, rejected, late or ignored; all good ones are stored."""
    assert len(PAYLOADS) + len(TOPICS) + len(FORBIDDEN_TOPICS) >= 150
    subscriber = make_subscriber(either_broker, TOPIC="#").start_and_wait()
    # rumqttd's router panics at a topic that begins with more than a byte
    topics = [topic for topic in TOPICS if isinstance(either_broker, Mosquitto) or topic[0].isascii()]
    forbidden = FORBIDDEN_TOPICS if isinstance(either_broker, Mosquitto) else ()
    messages: list[tuple[str, str | bytes]] = [
        *((f"bad/{number}", payload) for number, payload in enumerate(PAYLOADS)),
        *((topic, "21.5") for topic in topics),
        *((f"generated/{number}", payload) for number, payload in enumerate(generated(count))),
    ]
    good: list[tuple[str, str | bytes]] = [
        (TOPIC, json.dumps({"number": number, "id": f"good-{number}"})) for number in range(len(messages))
    ]
    with Peer(either_broker.access) as peer:
        peer.publish_all(message for pair in zip(messages, good, strict=True) for message in pair)
    accepted = [topic for topic in forbidden if publish_forbidden(either_broker.port, topic)]
    settle(either_broker.access, database)

    stored = Counter(row.series for row in rows(database))
    refused = Counter(topic for topic, _, _ in rejected(database))
    late, ignored = (books(database).get(name, 0) for name in ("late", "ignored"))
    values = Counter(row.value for row in rows(database) if row.series == TOPIC)
    good_values = Counter(float(number) for number in range(len(good))) + Counter([0.0])
    sent = Counter[Hashable](topic for topic, _ in messages)
    found = Counter[Hashable]([*stored.elements(), *refused.elements()])
    del found[TOPIC]
    missing = sent - found
    # what is late or ignored is counted and nowhere kept
    kept = sent - missing if missing.total() == late + ignored else sent
    verdict = Verdict(sent, kept, found, books(database).get("duplicates", 0))
    report.add(
        f"rubbish at {type(either_broker).__name__}: {refused.total()} rejected, {late} late, "
        f"{ignored} ignored, {len(accepted)} of {len(forbidden)} forbidden topics passed on",
        f"{len(messages)} + as many good",
        verdict,
    )
    assert values == good_values
    named = {f"bad/{number}": payload for number, payload in enumerate(PAYLOADS)}
    nothing = {topic for topic, payload in named.items() if payload in NOTHING_TO_READ}
    numbers = {topic for topic, payload in named.items() if payload in NUMBERS}
    assert named.keys() - nothing - numbers <= refused.keys()
    assert numbers <= stored.keys()
    assert not nothing & (refused.keys() | stored.keys())
    assert ignored >= len(nothing) > 0
    long = {topic for topic in topics if len(topic.encode()) > LONGEST_NAME}
    assert long
    assert set(topics) - long <= stored.keys()
    assert {(topic, reason) for topic, _, reason in rejected(database) if topic in long} == {
        (topic, "name too long") for topic in long
    }
    verdict.assert_exactly_once()
    for once in ("connected to the broker", "subscribed to #"):
        assert len([line for line in subscriber.log_lines("INFO") if once in line]) == 1
    if isinstance(either_broker, Mosquitto):
        assert not accepted
        ours = [line for line in either_broker.packets(SENT) if "'STATS'" in line or "'STATS/" in line]
        assert len(either_broker.packets(SENT)) - len(ours) == books(database)["received"]
        wait_for(
            lambda: len(either_broker.packets(SENT)) == len(either_broker.packets(ACKNOWLEDGED)),
            "each is acknowledged once",
        )
