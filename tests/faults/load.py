"""Readings to be stored, from a client that knows which of them the broker has acknowledged."""

import json
import threading
import time
from collections import Counter
from collections.abc import Hashable, Sequence
from enum import StrEnum
from types import TracebackType
from typing import Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.brokers import Access
from tests.support.ports import HOST
from tests.support.waiting import wait_for

TOPIC = "DATA"
# Longer than any fault lasts, so that our own connection is never the one that gives up.
_KEEPALIVE = 600
_WINDOW = 100
# More readings than a load ever has that lasts until it is told to finish.
ENDLESS = 10**9
# Fewer than there are packet ids, among all that are not acknowledged.
_MOST_WAITING = 60_000


class Kind(StrEnum):
    """What tells one reading from another."""

    IDS = "ids"
    NUMBERS = "no ids"
    IDENTICAL = "identical"


class Load:
    """Publishes `count` readings at `rate` a second, in the background, while entered.

    A reading is known by its value, which the database keeps whatever the kind: see `sent` and
    `acknowledged`. After a lost connection, what was not acknowledged is sent again.
    """

    def __init__(
        self,
        access: Access,
        count: int,
        rate: float,
        kind: Kind = Kind.IDS,
        *,
        topic: str = TOPIC,
        first: int = 0,
    ) -> None:
        """`first`: the number of the first reading."""
        self.kind = kind
        self._topic = topic
        self._first = first
        self._access = access
        self._count = count
        self._rate = rate
        self._sent: list[Hashable] = []
        self._acknowledged: list[Hashable] = []
        # By packet id: those that wait for a PUBACK, and PUBACKs that were faster than `publish`.
        self._lock = threading.Lock()
        self._waiting: dict[int, Hashable] = {}
        self._early: set[int] = set()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._publish, name="load")
        self._client = Client(CallbackAPIVersion.VERSION2)
        if access.login:
            self._client.username_pw_set(*access.login)
        self._client.max_inflight_messages_set(_WINDOW)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_publish = lambda client, userdata, packet_id, *_: self._on_puback(packet_id)

    def __enter__(self) -> Self:
        self._client.connect(HOST, self._access.port, keepalive=_KEEPALIVE)
        self._client.loop_start()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def sent(self) -> Counter[Hashable]:
        return Counter(self._sent)

    @property
    def acknowledged(self) -> Counter[Hashable]:
        return Counter(self._acknowledged)

    @property
    def done(self) -> bool:
        """Whether everything is sent and acknowledged."""
        return len(self._acknowledged) == self._count

    def wait(self) -> None:
        """Wait until it is done, generously."""
        timeout = 60.0 + 5 * self._count / self._rate
        progress = f"all of {self._count} readings acknowledged to us"
        wait_for(lambda: self.done, lambda: f"{progress}; they are {len(self._acknowledged)}", timeout)

    def finish(self) -> None:
        """Publish nothing more, and wait until all that was published is acknowledged."""
        self._ending.set()
        self._thread.join()
        self._count = len(self._sent)
        self.wait()

    def _publish(self) -> None:
        began = time.monotonic()
        for number in range(self._count):
            pause = began + number / self._rate - time.monotonic()
            if self._ending.wait(max(0.0, pause)) if pause > 0 else self._ending.is_set():
                return
            while len(self._waiting) >= _MOST_WAITING:  # or packet ids would come round again
                if self._ending.wait(0.1):
                    return
            value, payload = reading(self.kind, self._first + number)
            self._sent.append(value)
            packet_id = self._client.publish(self._topic, payload, qos=1).mid
            with self._lock:
                if packet_id in self._early:
                    self._early.remove(packet_id)
                    self._acknowledged.append(value)
                else:
                    self._waiting[packet_id] = value

    def _on_puback(self, packet_id: int) -> None:
        with self._lock:
            if packet_id in self._waiting:
                self._acknowledged.append(self._waiting.pop(packet_id))
            else:
                self._early.add(packet_id)


def reading(kind: Kind, number: int) -> tuple[float, str]:
    """Return the value and the payload of reading `number`."""
    match kind:
        case Kind.IDS:
            return number, json.dumps({"number": number, "id": f"reading-{number}"})
        case Kind.NUMBERS:
            return number, json.dumps({"number": number})
        case Kind.IDENTICAL:
            return 21.5, "21.5"


def numbered(kind: Kind, numbers: Sequence[int]) -> list[str]:
    """Return the payloads of the readings `numbers`."""
    return [reading(kind, number)[1] for number in numbers]
