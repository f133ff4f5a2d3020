"""Publishes the statistics of many series: as the subscriber does it, or what it sends with bare paho.

    python -m tests.benchmarks.tick_publisher (ours | paho) PORT SERIES TICKS

It prints `ready`, begins at a line on standard input, and prints `done` when the broker has acknowledged all.
With bare paho the messages are written before.
"""

import random
import sys
import threading
from collections.abc import Callable, Sequence

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from config.settings import load_settings
from models.statistics.plan import Plan
from models.statistics.span import At
from models.statistics.tick import SeriesResult, Tick
from scheduler_app.log import configure_log
from scheduler_app.mqtt.message import Puback
from scheduler_app.publishing.messages import write_result
from scheduler_app.publishing.presence import Presence
from scheduler_app.publishing.stats_publisher import StatsPublisher
from tests.support.ports import HOST
from tests.support.waiting import TIMEOUT

_PLAN = Plan((("1min", 60_000), ("5min", 300_000), ("30min", 1_800_000)), ("avg",))
_AT = 1_700_000_000.0
# Seconds.
_INTERVAL = 10.0


def make_ticks(series: int, count: int) -> list[Tick]:
    """Return ticks in which each series has changed."""
    values = random.Random(series)

    def result(number: int, at: float) -> SeriesResult:
        averages = [values.uniform(1, 100) for _ in _PLAN.windows]
        numbers = [each for average in averages for each in (10, 1.0, average)]
        newest = At(at - values.random(), round(values.uniform(1, 100), 1))
        return SeriesResult(f"bench/{number}", newest, _PLAN, tuple(numbers))

    times = [_AT + number * _INTERVAL for number in range(count)]
    return [Tick(at, 1, (), tuple(result(number, at) for number in range(series))) for at in times]


class Acknowledged:
    """Lets wait until so many messages are acknowledged."""

    def __init__(self, count: int) -> None:
        self._count = self._missing = count
        self._all = threading.Event()

    def one(self, *_: object) -> None:
        """Take note of one. Called by one thread."""
        self._missing -= 1
        if not self._missing:
            self._missing = self._count
            self._all.set()

    def wait(self) -> None:
        assert self._all.wait(TIMEOUT), "the broker does not acknowledge what is published"
        self._all.clear()


class Counted:
    """The subscriber's connection, on which each acknowledgement is counted."""

    def __init__(self, presence: Presence, acknowledged: Acknowledged) -> None:
        self._presence = presence
        self._acknowledged = acknowledged

    @property
    def behind(self) -> bool:
        return self._presence.behind

    def publish(
        self, topic: str, payload: str, *, when_acknowledged: Callable[[Puback], object] | None = None
    ) -> bool:
        return self._presence.publish(topic, payload, when_acknowledged=self._acknowledged.one)


def publish_as_the_subscriber(port: int, ticks: Sequence[Tick]) -> None:
    acknowledged = Acknowledged(1 + len(ticks[0].series))
    settings = load_settings({"broker": f"{HOST}:{port}"})
    presence = Presence(settings)
    connected = threading.Event()
    presence.start(on_connect=connected.set)
    assert connected.wait(TIMEOUT), "no broker"
    publisher = StatsPublisher(settings, Counted(presence, acknowledged), lambda mark: None)
    _begin()
    for tick in ticks:
        publisher.publish(tick)
        acknowledged.wait()
    print("done", flush=True)
    presence.stop()


def publish_with_paho(port: int, ticks: Sequence[Tick]) -> None:
    acknowledged = Acknowledged(len(ticks[0].series))
    messages = [
        [(f"STATS/{each.series}", write_result(each, tick.at, tick.sequence)) for each in tick.series]
        for tick in ticks
    ]
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_publish = acknowledged.one
    client.connect(HOST, port)
    client.loop_start()
    _begin()
    for messages_of_tick in messages:
        for topic, payload in messages_of_tick:
            client.publish(topic, payload, qos=1, retain=True)
        acknowledged.wait()
    print("done", flush=True)
    client.disconnect()
    client.loop_stop()


def _begin() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def main() -> None:
    configure_log("WARNING", role="bench")
    port, series, ticks = map(int, sys.argv[2:5])
    publish = {"ours": publish_as_the_subscriber, "paho": publish_with_paho}[sys.argv[1]]
    publish(port, make_ticks(series, ticks))


if __name__ == "__main__":
    main()
