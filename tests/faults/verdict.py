"""What came of a load."""

import json
import time
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.faults.load import TOPIC
from tests.faults.stored import (
    ENDINGS,
    LAST,
    assert_balanced,
    books,
    last_is_stored,
    newest,
    stored,
)
from tests.support.brokers import Access
from tests.support.mqtt_client import Peer
from tests.support.waiting import wait_for

METRICS = "STATS/$metrics"
# Seconds in which a subscriber must have stored all that was left to it.
SETTLE = 90.0


@dataclass(frozen=True)
class Verdict:
    """Multisets of readings, by whatever names them; identical ones are counted."""

    sent: Counter[Hashable]
    acknowledged: Counter[Hashable]
    stored: Counter[Hashable]
    duplicates: int

    @property
    def lost(self) -> Counter[Hashable]:
        """Acknowledged by the broker, and never stored."""
        return self.acknowledged - self.stored

    @property
    def double(self) -> Counter[Hashable]:
        """Stored more often than sent."""
        return self.stored - self.sent

    def assert_exactly_once(self) -> None:
        self.assert_nothing_lost()
        self.assert_nothing_double()

    def assert_nothing_lost(self) -> None:
        assert not self.lost, f"{self.lost.total()} lost, such as {_some(self.lost)}"

    def assert_nothing_double(self) -> None:
        assert not self.double, f"{self.double.total()} double, such as {_some(self.double)}"


class Line(NamedTuple):
    """A line of the summary."""

    fault: str
    load: str
    seconds: str
    sent: int | str = "-"
    acknowledged: int | str = "-"
    stored: int | str = "-"
    duplicates: int | str = "-"
    lost: int | str = "-"
    double: int | str = "-"


@dataclass
class Report:
    """Collects the lines of the summary; one for each test at least."""

    lines: list[Line]
    _began: float = field(default_factory=time.monotonic)

    def add(self, fault: str, load: str, verdict: Verdict | None = None) -> None:
        """Note what came of `fault`; call it before anything is asserted."""
        line = Line(fault, load, f"{time.monotonic() - self._began:.1f}")
        if verdict:
            line = line._replace(
                sent=verdict.sent.total(),
                acknowledged=verdict.acknowledged.total(),
                stored=verdict.stored.total(),
                duplicates=verdict.duplicates,
                lost=verdict.lost.total(),
                double=verdict.double.total(),
            )
        self.lines.append(line)


def settle(access: Access, database: Path) -> dict[str, int]:
    """Wait until everything sent so far is stored and accounted for; return the counters.

    A broker keeps the order (MQTT-4.6.0-6), so when one more reading is stored, all before it are.
    What the subscriber then publishes of itself must be what its database holds.
    """
    with Peer(access) as peer:
        peer.publish(TOPIC, json.dumps({"number": 0, "id": LAST}))
        wait_for(
            lambda: last_is_stored(database),
            lambda: f"all is stored; {newest(database)} readings are",
            SETTLE,
        )
        peer.subscribe(METRICS)
        wait_for(lambda: _published(peer)[-1:] == [books(database)], "the published counters", SETTLE)
        assert peer.on(METRICS)[0].retained
    return books(database)


def judge(
    sent: Counter[Hashable], acknowledged: Counter[Hashable], database: Path, key: str = "value"
) -> Verdict:
    """Return the verdict on what is stored now."""
    return Verdict(sent, acknowledged, stored(database, key), books(database).get("duplicates", 0))


def storing(database: Path, otherwise: Callable[[], bool] = lambda: False) -> None:
    """Wait until something new is stored, or `otherwise()`."""
    before = newest(database)
    wait_for(lambda: newest(database) > before or otherwise(), "something new is stored", SETTLE)


def _published(peer: Peer) -> list[dict[str, int]]:
    """Return the counters in each message of the subscriber's on itself; fail unless each adds up."""
    found = []
    for message in peer.on(METRICS):
        metrics = json.loads(message.payload)
        counters = {name: metrics[name] for name in ("since", "received", *ENDINGS, "pruned")}
        assert_balanced(counters)
        found.append({name: count for name, count in counters.items() if count})
    return found


def _some(keys: Counter[Hashable]) -> list[Hashable]:
    return list(keys)[:5]
