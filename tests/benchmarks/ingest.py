"""How fast readings are taken in: stored, committed and acknowledged; and how fast others take them."""

import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.benchmarks.child import Child
from tests.support.brokers import Access, Broker, Mosquitto, find_program
from tests.support.ports import HOST
from tests.support.processes import MANAGE, ROOT, Role, cpu_seconds, peak_memory
from tests.support.waiting import wait_for

FILTER = "bench/#"
_PRUNING = Path(__file__).with_name("pruning.py")
# How the messages of devices are read, and how many readings each of them is.
STREAM_FILE = Path(__file__).with_name("zigbee2mqtt.toml")
FIELDS = 4
_numbers = count()
# Seconds. How much slower than any sane machine a run may be before it is given up.
_PATIENCE = 60.0
_SLOWEST = 500.0


@dataclass(frozen=True)
class Load:
    """So many messages, over so many topics; `rate` a second, or as fast as can be."""

    count: int
    topics: int = 1
    rate: float | None = None
    # Whether they are those of devices, with several readings each, as STREAM_FILE says.
    devices: bool = False
    # Whether each topic has a sender of its own, whose ids say nothing of the others'.
    ids_by_sender: bool = False

    @property
    def readings(self) -> int:
        return self.count * (FIELDS if self.devices else 1)

    def child(self, port: int) -> Child:
        """Return the program that publishes it; it waits for a line."""
        arguments: list[object] = [port, "--count", self.count, "--topics", self.topics]
        if self.rate:
            arguments += ["--rate", self.rate]
        if self.devices:
            arguments += ["--devices"]
        if self.ids_by_sender:
            arguments += ["--ids-by-sender"]
        return Child.module("load", *arguments)

    @property
    def timeout(self) -> float:
        return _PATIENCE + self.count / min(_SLOWEST, self.rate or _SLOWEST)


@dataclass(frozen=True)
class Run:
    """What one run took."""

    count: int
    seconds: float
    # Processor time of the subscriber alone, in seconds.
    cpu: float
    # The most it held, in MB.
    memory: float

    @property
    def rate(self) -> float:
        """Messages a second, each of which is one reading if it is not a device's."""
        return self.count / self.seconds

    @property
    def cpu_per_million(self) -> float:
        """Processor seconds for a million readings."""
        return self.cpu / self.count * 1e6


@contextmanager
def subscriber(
    broker: Broker | Access, folder: Path, *, pruning: bool = False, **settings: str
) -> Iterator[Role]:
    """Run our subscriber in `folder`, on all topics of the load; `pruning`: every second."""
    environment = {**broker.environment, "TOPIC": FILTER, "PYTHONPATH": str(ROOT), **settings}
    program = _PRUNING if pruning else MANAGE
    role = Role(folder, "subscriber", environment=environment, program=program)
    try:
        yield role.start_and_wait()
    finally:
        role.end()


def ours(
    broker: Broker,
    folder: Path,
    load: Load,
    role: Role,
    database: AbstractContextManager[Callable[[], int]] | None = None,
) -> Run:
    """Have a running subscriber take in a load: until all of it is stored and acknowledged.

    `database` tells how many readings are stored; by default it is the file in `folder`.
    """
    with (
        load.child(broker.port) as publisher,
        database or stored_in(folder / "tmp" / "test.db") as stored,
    ):
        publisher.expect("ready")
        before, cpu = stored(), cpu_seconds(role.pid)
        begin = time.monotonic()
        publisher.go()
        wait_for(
            lambda: stored() - before >= load.readings,
            lambda: f"{load.readings} readings stored; there are {stored() - before}:\n{role.stderr}",
            load.timeout,
        )
        seconds = time.monotonic() - begin
        publisher.expect("done")
    return Run(load.count, seconds, cpu_seconds(role.pid) - cpu, peak_memory(role.pid))


@contextmanager
def stored_in(path: Path) -> Iterator[Callable[[], int]]:
    """Yield what tells how many readings were stored in a database so far."""
    with closing(sqlite3.connect(path)) as connection:

        def stored() -> int:
            row = connection.execute("SELECT value FROM counter WHERE name = 'stored'").fetchone()
            return int(row[0]) if row else 0

        yield stored


def other(name: str, access: Access | None = None) -> Callable[[Broker, Load], Run]:
    """Return what runs a program of this folder on a load, until it has received all.

    It connects by `access`, as the broker's clients do if that is left out.
    """

    def run(broker: Broker, load: Load) -> Run:
        to = access or broker.access
        arguments = [to.port, load.count, *([to.authority] if to.authority else [])]
        with ExitStack() as stack:
            publisher = stack.enter_context(load.child(broker.port))
            receiver = stack.enter_context(Child.module(name, *arguments))
            receiver.expect("subscribed")
            publisher.expect("ready")
            cpu = cpu_seconds(receiver.pid)
            begin = time.monotonic()
            publisher.go()
            receiver.expect("done", load.timeout)
            seconds = time.monotonic() - begin
            return Run(load.count, seconds, cpu_seconds(receiver.pid) - cpu, peak_memory(receiver.pid))

    return run


bare_paho = other("bare_paho")
script = other("script")
storing_script = other("storing_script")
device_script = other("device_script")


def mosquitto_sub(broker: Broker, load: Load) -> Run:
    """Have Mosquitto's own client, which is written in C, receive a load. Only its time is taken."""
    assert isinstance(broker, Mosquitto), "its log must tell who has subscribed"
    client_id = f"bench-{next(_numbers)}"
    command = [find_program("mosquitto_sub"), "-h", HOST, "-p", str(broker.port), "-i", client_id]
    command += ["-q", "1", "-t", FILTER, "-C", str(load.count)]
    with load.child(broker.port) as publisher, Child("mosquitto_sub", command, silent=True) as receiver:
        publisher.expect("ready")
        wait_for(lambda: broker.packets(f"{client_id} 1 {FILTER}"), "mosquitto_sub has subscribed")
        begin = time.monotonic()
        publisher.go()
        receiver.wait(load.timeout)
        return Run(load.count, time.monotonic() - begin, math.nan, math.nan)
