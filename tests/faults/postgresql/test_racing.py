"""Two members store readings with the same ids at the same moment, in opposite order."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest

from models.reading import Reading
from models.storage.batch import Batch
from models.storage.errors import StoreUnavailable
from models.storage.interface import WritingStore
from tests.faults.faults import SEED
from tests.faults.postgresql.oracle import Oracle
from tests.faults.sizes import sizes
from tests.faults.verdict import Report, Verdict
from tests.support.postgresql import Database
from tests.support.stores import Postgresql
from tests.unit.stored import new_series, series_row

pytestmark = pytest.mark.postgresql

# Readings in a transaction: of few it is one statement, of many they are copied.
FEW, MANY = 40, 1000
PATIENCE = 60.0


class Racer(threading.Thread):
    """Stores each batch when the other one does, and tries again what could not be stored."""

    def __init__(
        self, store: WritingStore, batches: Sequence[list[Reading]], start: threading.Barrier
    ) -> None:
        super().__init__()
        self._store = store
        self._batches = batches
        self._start = start
        self.stored = self.refused = self.tries = 0

    def run(self) -> None:
        for readings in self._batches:
            batch = Batch(readings=readings, counts=Counter(received=len(readings)))
            self._start.wait(PATIENCE)
            while True:
                self.tries += 1
                try:
                    taken = self._store.add(batch)
                except StoreUnavailable:
                    continue
                self.stored += len(taken.readings)
                self.refused += len(taken.duplicates)
                break
        self._store.close()


@sizes("rounds", quick=20, full=300)
@pytest.mark.parametrize("size", [FEW, MANY])
def test_racing(*, postgresql: Database, oracle: Oracle, report: Report, size: int, rounds: int) -> None:
    """Each reading is stored once, whoever was first; no transaction that the server ended is given up."""
    random = Random(SEED)
    kind = Postgresql(postgresql)
    kind.database.prepare()
    first, second = kind.store("one"), kind.store("two")
    [data] = first.add(Batch(series=new_series(series_row(0)))).series
    second.series()
    now = time.time()
    forwards: list[list[Reading]] = []
    backwards: list[list[Reading]] = []
    for number in range(rounds):
        values = range(number * size, (number + 1) * size)
        readings = [Reading(data.id, now, float(value), f"reading-{value}") for value in values]
        # some that each of them has had before, so that ids are found to be there already
        again = random.sample(forwards[-1], size // 10) if forwards else []
        forwards.append(readings + again)
        backwards.append([*reversed(readings), *reversed(again)])
    before = postgresql.server.log.count("deadlock detected")
    start = threading.Barrier(2)
    racers = [Racer(first, forwards, start), Racer(second, backwards, start)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    deadlocks = postgresql.server.log.count("deadlock detected") - before
    sent: Counter[object] = Counter(float(value) for value in range(rounds * size))
    verdict = Verdict(sent, sent, oracle.stored(), oracle.counters()["duplicates"])
    report.add(
        f"two members race for the same ids; {deadlocks} deadlocks", f"{rounds} times {size} ids", verdict
    )
    verdict.assert_exactly_once()
    assert sum(racer.stored for racer in racers) == rounds * size
    assert sum(racer.refused for racer in racers) == oracle.counters()["duplicates"]
    assert min(racer.stored for racer in racers) > 0, "one was always first: nothing is shown"
    assert sum(racer.tries for racer in racers) == 2 * rounds, "the store handed back what it can try again"
    oracle.books()
