"""What is done to a broker and its subscribers, with all kinds of readings at once."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random

from tests.brokers.lane import Lane
from tests.brokers.recording import RecordingProxy
from tests.conftest import MakeRole
from tests.faults.faults import SEED, held_by_another_process
from tests.faults.load import Kind, Load
from tests.faults.stored import remembered_messages
from tests.faults.verdict import storing
from tests.support.brokers import Broker
from tests.support.waiting import wait_for

TIMES = 5
# Readings a second of each kind, and for how many seconds kills or cuts go on, at least.
RATE, COUNT = 150.0, 1200
# Of a worst case: stored and acknowledged, stored with their acknowledgements lost, and not stored.
ACKNOWLEDGED, ACKS_LOST, NOT_STORED = 60, 30, 30
# Seconds that a database hangs, beyond the time after which the broker sends again.
HANG = 6.0


class Bench:
    """The subscribers of a scenario at one broker, one for each kind of readings."""

    def __init__(
        self,
        broker: Broker,
        folder: Path,
        make_role: MakeRole,
        name: str,
        proxies: list[RecordingProxy],
    ) -> None:
        self.broker = broker
        self.proxies = proxies
        self.random = Random(SEED)
        self.lanes = [
            Lane(make_role, folder, broker, proxy, kind=kind, name=f"{name}-{kind.name.lower()}")
            for kind, proxy in zip(Kind, proxies, strict=True)
        ]

    def start(self) -> None:
        for lane in self.lanes:
            lane.subscriber.start()
        for lane in self.lanes:
            lane.subscriber.wait_healthy()

    def kill(self) -> None:
        for lane in self.lanes:
            lane.subscriber.kill()

    def publish(self, first: int, count: int) -> None:
        for lane in self.lanes:
            lane.publish(first, count)

    @contextmanager
    def load(self, count: int, rate: float) -> Iterator[list[Load]]:
        """Publish in the background while inside; on leaving wait until all is acknowledged."""
        with ExitStack() as stack:
            loads = [stack.enter_context(lane.load(0, count, rate)) for lane in self.lanes]
            yield loads
            for load in loads:
                load.wait()


@contextmanager
def bench(broker: Broker, folder: Path, make_role: MakeRole, name: str) -> Iterator[Bench]:
    with ExitStack() as stack:
        proxies = [stack.enter_context(RecordingProxy(broker.port, broker.access.login)) for _ in Kind]
        yield Bench(broker, folder, make_role, name, proxies)


def killed(bench: Bench) -> None:
    """Kill each subscriber five times under load."""
    bench.start()
    with bench.load(COUNT, RATE) as loads:
        for life in range(TIMES):
            if life:
                bench.start()
            _storing(bench.lanes, loads)
            time.sleep(bench.random.uniform(0.0, 0.5))
            bench.kill()
        bench.start()


def acknowledgements_lost(bench: Bench) -> None:
    """Store some, store more of which the acknowledgements are lost, hand out more, and kill."""
    bench.start()
    bench.publish(0, ACKNOWLEDGED)
    for lane in bench.lanes:
        lane.wait_until_stored(ACKNOWLEDGED)
        with suppress(AssertionError):  # not all brokers give a proof
            wait_for(partial(_forgotten, lane), "the proof", 3.0)
    for proxy in bench.proxies:
        proxy.swallow("broker")
    bench.publish(ACKNOWLEDGED, ACKS_LOST)
    for lane in bench.lanes:
        lane.wait_until_stored(ACKNOWLEDGED + ACKS_LOST)
    with ExitStack() as stack:
        for lane in bench.lanes:
            stack.enter_context(held_by_another_process(lane.database))
        bench.publish(ACKNOWLEDGED + ACKS_LOST, NOT_STORED)
        bench.kill()
    bench.start()


def cut(bench: Bench) -> None:
    """Tear the network five times under load, in the middle of a packet."""
    bench.start()
    with bench.load(COUNT, RATE) as loads:
        for _ in range(TIMES):
            _storing(bench.lanes, loads)
            for proxy in bench.proxies:
                proxy.tear(bench.random.choice(["client", "broker"]))
        _storing(bench.lanes, loads)


def broker_restarted(bench: Bench) -> None:
    """Kill each subscriber under load, and restart the broker before they come back."""
    bench.start()
    with bench.load(COUNT // 3, 2 * RATE) as loads:
        _storing(bench.lanes, loads)
        time.sleep(0.3)
        bench.kill()
    bench.broker.restart()
    bench.start()
    bench.publish(COUNT, ACKNOWLEDGED)


def database_hangs(bench: Bench) -> None:
    """Hold the database for longer than the broker waits for an acknowledgement."""
    bench.start()
    with bench.load(COUNT // 3, RATE) as loads:
        _storing(bench.lanes, loads)
        with ExitStack() as stack:
            for lane in bench.lanes:
                stack.enter_context(held_by_another_process(lane.database))
            time.sleep(bench.broker.resends_after + HANG)


SCENARIOS: dict[str, Callable[[Bench], None]] = {
    "killed": killed,
    "acks-lost": acknowledgements_lost,
    "cut": cut,
    "broker-restarted": broker_restarted,
    "database-hangs": database_hangs,
}


def _storing(lanes: Sequence[Lane], loads: Sequence[Load]) -> None:
    """Wait until each lane stores something new, or all of its load is sent."""
    for lane, load in zip(lanes, loads, strict=True):
        storing(lane.database, partial(_done, load))


def _done(load: Load) -> bool:
    return load.done


def _forgotten(lane: Lane) -> bool:
    return not remembered_messages(lane.database)
