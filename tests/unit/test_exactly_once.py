"""The loop, the writer and a real database file against a broker that sends again and again.

Packet ids are few here, and the bounds on what is remembered are as small, so that all of them are
met in a few hundred messages.
"""

import itertools
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.store import Store
from scheduler_app.intake.ingest import Ingest
from scheduler_app.intake.redelivery import Redeliveries
from scheduler_app.mqtt.numbering import Numbering
from tests.unit.rows import rows
from tests.unit.simulated_broker import Killed, SimulatedBroker, SimulatedSession
from tests.unit.writers import writer_on

PACKET_IDS = 64
REMEMBERED = 32
MOST_UNPROVEN = 24
MOST_AT_ONCE = 6
WINDOW = 10
READINGS = 400


def payload(kind: str, number: int) -> bytes:
    return {
        "identical": b"21.5",
        "no ids": b"%d" % number,
        "ids": b'{"number": %d, "id": "reading-%d"}' % (number, number),
    }[kind]


class Run:
    """READINGS readings through subscribers that die and are started again."""

    def __init__(
        self,
        path: Path,
        seed: int,
        kind: str,
        *,
        most_unproven: int = MOST_UNPROVEN,
        remembered: int = REMEMBERED,
        numbering: Numbering = Numbering.IN_TURN,
        found: Numbering | None = None,
        outage: int = READINGS // 2,
    ) -> None:
        """`outage`: how many are published before the first subscriber begins.

        `numbering`: what the broker does with packet ids; `found`: what is found out, if not that.
        """
        self._path = path
        self._random = Random(seed)
        self._most_unproven = most_unproven
        self._remembered = remembered
        packet_ids = PACKET_IDS if numbering is Numbering.IN_TURN else 65_535
        self._broker = SimulatedBroker(packet_ids, WINDOW, numbering)
        self._found = found or numbering
        self._outage = outage
        self._latest_held: int | None = None
        self._left = [payload(kind, number) for number in reversed(range(READINGS))]
        self.sent: Counter[float] = Counter(21.5 if kind == "identical" else n for n in range(READINGS))
        self.lives = self.renewals = 0
        self.most_rows = 0

    @property
    def stored(self) -> Counter[float]:
        return Counter(value for (value,) in rows(self._path, "SELECT value FROM reading"))

    def run(self) -> None:
        prepare(self._path)
        self._publish(self._outage)
        while not self._done:
            self.lives += 1
            assert self.lives < 1000
            self._live()

    @property
    def _done(self) -> bool:
        """Whether all is sent, and acknowledged but for one that is held."""
        return not self._left and (
            self._broker.all_acknowledged or self._broker.waits_only_for(self._latest_held)
        )

    def _live(self) -> None:
        database = writing_database(self._path)
        database.pragma("synchronous", 0, permanent=True)  # no power fails here, and there are many commits
        store = Store(database, "me")
        session = SimulatedSession(self._broker, self._random, MOST_AT_ONCE)
        redeliveries = Redeliveries(store.deliveries(), remembered=self._remembered)
        ingest = Ingest(
            session,
            writer_on(store, redeliveries),
            worth_a_proof=self._random.choice([1, 4, 8]),
            most_unproven=self._most_unproven,
            monotonic=itertools.count().__next__,  # commits are a second apart, so that none waits for more
            find_out_numbering=lambda stopped: self._found,
        )

        def step() -> bool:
            if self._left and self._random.random() < 0.2:
                self._publish(self._random.choice([1, 1, 1, 5, 70]))
            session.faults = bool(self._left) or self._random.random() < 0.9
            self._latest_held = session.latest.packet_id
            if self._done:
                ingest.stop()
            return True

        ingest.submit(step)
        try:
            ingest.run()
        except Killed:
            pass
        finally:
            store.close()
        self.renewals += session.renewals
        [(count,)] = rows(self._path, "SELECT COUNT(*) FROM delivery")
        self.most_rows = max(self.most_rows, count)

    def _publish(self, count: int) -> None:
        for _ in range(min(count, len(self._left))):
            self._broker.publish(self._left.pop())


@pytest.mark.parametrize("kind", ["identical", "no ids", "ids"])
@pytest.mark.parametrize("seed", range(8))
def test_every_reading_is_stored_once_whatever_the_broker_sends_again(
    tmp_path: Path, seed: int, kind: str
) -> None:
    run = Run(tmp_path / "test.db", seed, kind, most_unproven=MOST_UNPROVEN, remembered=REMEMBERED)
    run.run()
    assert run.stored == run.sent
    assert run.lives > 1
    assert run.most_rows <= REMEMBERED + 1


@pytest.mark.parametrize("kind", ["identical", "no ids", "ids"])
@pytest.mark.parametrize("outage", [1, READINGS // 2])
def test_every_reading_is_stored_once_where_packet_ids_are_given_again_at_once(
    tmp_path: Path, outage: int, kind: str
) -> None:
    """As at NATS, which also sends again on the same connection.

    Those of the first connection may count twice, if it is lost before the first of them is acknowledged.
    """
    for seed in range(3, 6):
        run = Run(tmp_path / f"{seed}.db", seed, kind, numbering=Numbering.REUSED, outage=outage)
        run.run()
        assert run.sent <= run.stored
        assert run.stored.total() - run.sent.total() <= (0 if kind == "ids" else WINDOW)
        assert run.lives > 1


@pytest.mark.parametrize("numbering", [Numbering.RENUMBERED, Numbering.UNFLAGGED])
@pytest.mark.parametrize("kind", ["identical", "no ids", "ids"])
def test_nothing_is_lost_where_no_packet_id_can_tell(tmp_path: Path, kind: str, numbering: Numbering) -> None:
    """With ids, nothing is stored twice either."""
    for seed in range(3):
        run = Run(tmp_path / f"{seed}.db", seed, kind, numbering=numbering)
        run.run()
        assert run.sent <= run.stored
        assert kind != "ids" or run.stored == run.sent
        assert run.lives > 1


def test_readings_would_be_lost_if_a_broker_that_gives_packet_ids_again_were_taken_for_another(
    tmp_path: Path,
) -> None:
    """So the broker here would find it out."""
    options = {"numbering": Numbering.REUSED, "found": Numbering.IN_TURN, "outage": 1}
    assert min(wrong(tmp_path, "identical", seeds=[4], **options)) < 0


def wrong(folder: Path, kind: str, *, seeds: Iterable[int] = range(4), **options: Any) -> list[int]:
    """Return by how much too many are stored, for some seeds; the options are those of a Run."""
    runs = [Run(folder / f"{seed}.db", seed, kind, **options) for seed in seeds]
    for run in runs:
        run.run()
    return [run.stored.total() - run.sent.total() for run in runs]


@pytest.mark.parametrize("kind", ["identical", "no ids"])
def test_readings_would_double_if_more_were_taken_in_without_proof(tmp_path: Path, kind: str) -> None:
    """So the broker here would find it out."""
    assert max(wrong(tmp_path, kind, most_unproven=10 * READINGS, remembered=REMEMBERED)) > 0


def test_readings_would_be_lost_if_they_were_remembered_for_longer_than_a_lap(tmp_path: Path) -> None:
    """They are taken for those a lap before: the broker here would find it out."""
    assert min(wrong(tmp_path, "identical", most_unproven=10 * READINGS, remembered=10 * READINGS)) < 0
