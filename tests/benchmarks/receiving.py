"""Figures of what comes in: how many readings a second, how soon, in how much memory and on how much disk."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from tests.benchmarks import ingest
from tests.benchmarks.arena import Arena
from tests.benchmarks.child import Child
from tests.benchmarks.figure import Figure
from tests.benchmarks.ingest import Load, Run
from tests.benchmarks.kept import RETENTION, Kept, bytes_each
from tests.benchmarks.latency import Latency, Relay
from tests.support.brokers import Access, Broker
from tests.support.mqtt_client import Peer
from tests.support.processes import peak_memory
from tests.support.waiting import wait_for

# So many seconds before the load, readings begin to age out.
_LEAD = 5.0
# Readings a second while latency is measured.
_RATE = 1000.0
# Readings a second of which hardly any come together, so that each takes most.
_LOW_RATES = (100.0, 1000.0)

Measure = Callable[[Broker, Path], Run]


def one_topic(arena: Arena) -> list[Figure]:
    load = Load(arena.size.messages)
    programs = {"bare paho": ingest.bare_paho, "script": ingest.script}
    if not arena.embedded:
        programs["mosquitto_sub"] = ingest.mosquitto_sub
    theirs = [_theirs(program, load) for program in programs.values()]
    ours, paho, *others = arena.in_turn(_ours(load), *theirs)
    figures = [
        _throughput("ingest, 1 topic", ours, name, runs)
        for name, runs in zip(programs, [paho, *others], strict=True)
    ]
    cpu, cpu_of_paho = (median(run.cpu_per_million for run in runs) for runs in (ours, paho))
    figures.append(Figure("processor time of 1,000,000 readings", "s", cpu, "bare paho", cpu_of_paho))

    aged, paho = arena.in_turn(_pruning(load, _rate(ours)), _theirs(ingest.bare_paho, load))
    return [*figures, _throughput("ingest, 1 topic, ticking and pruning", aged, "bare paho", paho)]


def many_topics(arena: Arena) -> list[Figure]:
    load = Load(arena.size.messages, arena.size.topics)
    ours, paho, script = arena.in_turn(
        _ours(load), _theirs(ingest.bare_paho, load), _theirs(ingest.script, load)
    )
    name = f"ingest, {load.topics:,} topics"
    return [_throughput(name, ours, "bare paho", paho), _throughput(name, ours, "script", script)]


def many_senders(arena: Arena) -> list[Figure]:
    """Measure what real sensors send: the ids of each say nothing of those of the others."""
    load = Load(arena.size.messages, arena.size.topics, ids_by_sender=True)
    ours, paho = arena.in_turn(_ours(load), _theirs(ingest.bare_paho, load))
    return [_throughput(f"ingest, {load.topics:,} sensors with ids of their own", ours, "bare paho", paho)]


def low_rates(arena: Arena) -> list[Figure]:
    """Measure what few readings take of a core, beside a script that stores each of them too."""
    figures = []
    for rate in _LOW_RATES:
        load = Load(round(arena.size.rate_seconds * rate), rate=rate)
        shares = [
            median(100 * run.cpu / run.seconds for run in runs)
            for runs in arena.in_turn(_ours(load), _theirs(ingest.storing_script, load))
        ]
        figures.append(Figure(f"core at {rate:,.0f} a second", "%", shares[0], "storing script", shares[1]))
    return figures


def latency(arena: Arena) -> list[Figure]:
    load = Load(round(arena.size.latency_seconds * _RATE), rate=_RATE)

    def measure(relay: Relay, broker: Broker) -> Latency:
        with load.child(broker.port) as publisher:
            publisher.expect("ready")
            publisher.go()
            publisher.expect("done", load.timeout)
            wait_for(lambda: relay.count == load.count, "a PUBACK for each", load.timeout)
        return relay.latency()

    def ours(broker: Broker, folder: Path) -> Latency:
        with Relay(broker.port) as relay, ingest.subscriber(Access(relay.port), folder):
            return measure(relay, broker)

    def paho(broker: Broker, folder: Path) -> Latency:
        with Relay(broker.port) as relay, Child.module("bare_paho", relay.port, load.count) as receiver:
            receiver.expect("subscribed")
            return measure(relay, broker)

    what = f"publish to PUBACK at {_RATE:,.0f} a second"
    taken = arena.in_turn(ours, paho)
    p50 = [median(latency.p50 for latency in latencies) for latencies in taken]
    p99 = [median(latency.p99 for latency in latencies) for latencies in taken]
    return [
        Figure(f"{what}, median", "ms", p50[0], "bare paho", p50[1]),
        Figure(f"{what}, 99 %", "ms", p99[0], "bare paho", p99[1]),
    ]


def one_series(arena: Arena) -> list[Figure]:
    load = Load(arena.size.memory_messages)
    with arena.broker() as (broker, folder):
        ours = _ours(load)(broker, folder)
        size = bytes_each(folder / "tmp" / "test.db", load.count)
    with arena.broker() as (broker, _):
        script = ingest.script(broker, load)
    return [
        Figure(f"memory after {load.count:,} readings", "MB", ours.memory, "script", script.memory),
        Figure("disk, a reading with an id", "bytes", size),
    ]


def many_series(arena: Arena) -> list[Figure]:
    """Look at the memory after a tick that has published all of them."""
    load = Load(arena.size.many_messages, arena.size.many_series)
    with (
        arena.broker() as (broker, folder),
        ingest.subscriber(broker, folder) as role,
        Peer(broker.access) as peer,
    ):
        peer.subscribe("STATS/#")
        ingest.ours(broker, folder, load, role)
        wait_for(
            lambda: len({message.topic for message in peer.messages}) >= load.topics,
            "the averages of all series",
            load.timeout,
        )
        ours = peak_memory(role.pid)
    with arena.broker() as (broker, _):
        script = ingest.script(broker, load)
    return [Figure(f"memory with {load.topics:,} series", "MB", ours, "script", script.memory)]


def _ours(load: Load) -> Measure:
    def run(broker: Broker, folder: Path) -> Run:
        with ingest.subscriber(broker, folder) as role:
            return ingest.ours(broker, folder, load, role)

    return run


def _pruning(load: Load, rate: float) -> Measure:
    """Have as many readings pruned each second as arrive, and the averages published each second."""

    def run(broker: Broker, folder: Path) -> Run:
        seconds = _LEAD + load.count / rate
        aging = Kept(round(rate * seconds), 1, seconds, time.time() - RETENTION + seconds)
        aging.write(folder / "tmp" / "test.db")
        with ingest.subscriber(broker, folder, pruning=True, STATS_INTERVAL="1s") as role:
            taken = ingest.ours(broker, folder, load, role)
            role.wait_for_log("pruned")
            return taken

    return run


def _theirs(program: Callable[[Broker, Load], Run], load: Load) -> Measure:
    return lambda broker, folder: program(broker, load)


def _throughput(name: str, ours: Sequence[Run], reference: str, theirs: Sequence[Run]) -> Figure:
    return Figure(name, "per s", _rate(ours), reference, _rate(theirs), more_is_better=True)


def _rate(runs: Sequence[Run]) -> float:
    return median(run.rate for run in runs)
