"""What it takes to publish a tick of many series, each of which has changed."""

from pathlib import Path
from statistics import median

from tests.benchmarks.arena import Arena
from tests.benchmarks.child import Child
from tests.benchmarks.figure import Figure
from tests.support.brokers import Broker
from tests.support.processes import cpu_seconds


def many_series(arena: Arena) -> list[Figure]:
    series, ticks = arena.size.many_series, arena.size.ticks

    def publish(whose: str, broker: Broker) -> float:
        """Return the processor seconds of a tick."""
        with Child.module("tick_publisher", whose, broker.port, series, ticks) as publisher:
            publisher.expect("ready")
            before = cpu_seconds(publisher.pid)
            publisher.go()
            publisher.expect("done")
            return (cpu_seconds(publisher.pid) - before) / ticks

    def ours(broker: Broker, folder: Path) -> float:
        return publish("ours", broker)

    def paho(broker: Broker, folder: Path) -> float:
        return publish("paho", broker)

    seconds = [median(taken) for taken in arena.in_turn(ours, paho)]
    name = f"processor time of publishing {series:,} series"
    return [Figure(name, "s", seconds[0], "bare paho", seconds[1])]
