"""One kind of readings on its way: a topic, a subscriber with a database of its own, and what was sent."""

import time
from collections import Counter
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path

from tests.brokers.recording import RecordingProxy
from tests.conftest import MakeRole
from tests.faults.load import Kind, Load, numbered, reading
from tests.faults.stored import count_stored
from tests.faults.verdict import Verdict, judge
from tests.support.brokers import Broker
from tests.support.mqtt_client import Peer
from tests.support.waiting import TIMEOUT, wait_for

# Seconds in which nothing comes, after which what is missing is lost.
_LOST_AFTER = 15.0
# Seconds to wait for what a broker may drop, or hold back, in the middle of a scenario.
_PATIENCE = 5.0
# Seconds in which nothing more comes, after which all is there.
_QUIET = 1.5
_POLL = 0.05


class Lane:
    """A subscriber of one topic at `broker`, which it reaches by `proxy`."""

    def __init__(
        self,
        make_role: MakeRole,
        folder: Path,
        broker: Broker,
        proxy: RecordingProxy,
        *,
        kind: Kind,
        name: str,
    ) -> None:
        """`name` is unique at the broker, since the session is called by it."""
        self.kind = kind
        self.proxy = proxy
        self.database = folder / f"{name}.db"
        self._broker = broker
        self._topic = f"{name}/DATA"
        self.subscriber = make_role(
            "subscriber",
            broker=proxy.access,
            **broker.settings,
            CLIENT_ID=name,
            TOPIC=self._topic,
            STATS_TOPIC=f"{name}/STATS",
            STATS_INTERVAL="1s",
            DB_FILE=str(self.database),
        )
        self._sent: Counter[Hashable] = Counter()
        self._load: Load | None = None

    def load(self, first: int, count: int, rate: float) -> Load:
        """Return a load to be entered, of the readings from number `first` on."""
        self._load = Load(self._broker.access, count, rate, self.kind, topic=self._topic, first=first)
        return self._load

    def publish(self, first: int, count: int) -> None:
        """Publish the readings from number `first` on, and wait until the broker has acknowledged them."""
        numbers = range(first, first + count)
        with Peer(self._broker.access) as peer:
            peer.publish(self._topic, *numbered(self.kind, numbers))
        self._sent.update(reading(self.kind, number)[0] for number in numbers)

    def wait_until_stored(self, count: int) -> None:
        """Wait until so many are stored, but not for what the broker has dropped: `settle` finds it out."""
        with suppress(AssertionError):
            wait_for(lambda: count_stored(self.database) >= count, "all are stored", _PATIENCE)

    @property
    def sent(self) -> Counter[Hashable]:
        return self._sent + (self._load.sent if self._load else Counter())

    @property
    def acknowledged(self) -> Counter[Hashable]:
        return self._sent + (self._load.acknowledged if self._load else Counter())

    def acknowledged_and_lost(self, verdict: Verdict) -> list[Hashable]:
        """Return what the subscriber has acknowledged and not stored: that would be its own fault.

        Identical readings have no name to look for.
        """
        if self.kind is Kind.IDENTICAL:
            return []
        acknowledged = self.proxy.acknowledged_payloads()
        payloads = {reading(self.kind, int(str(value)))[1].encode(): value for value in verdict.lost}
        return [value for payload, value in payloads.items() if payload in acknowledged]

    def settle(self) -> Verdict:
        """Wait until nothing comes any more; return what has become of all that was sent."""
        quiet = _QUIET + self._broker.resends_after
        before, since, deadline = -1, time.monotonic(), time.monotonic() + 2 * TIMEOUT
        while time.monotonic() < deadline:
            if (now := count_stored(self.database)) != before:
                before, since = now, time.monotonic()
            complete = now >= self.acknowledged.total()
            if time.monotonic() - since > (quiet if complete else _LOST_AFTER):
                return judge(self.sent, self.acknowledged, self.database)
            time.sleep(_POLL)
        raise AssertionError(f"readings come without end:\n{self.subscriber.stderr}")
