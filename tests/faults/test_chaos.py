"""Everything at once and at random: kills, cuts, standstills and jumps of the clock, over a steady load.

What is stored is compared with what was sent: the counters and `audit` add up over a reading that
is stored twice just as well. CHAOS_SECONDS sets how long each run lasts, CHAOS_SEED repeats one.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from random import Random

import pytest

from tests.conftest import MakeRole
from tests.faults import outbox
from tests.faults.clock import JumpingClock
from tests.faults.conftest import MakeSubscriber
from tests.faults.faults import SEED, kill, stopped
from tests.faults.load import Kind, Load
from tests.faults.proxy import Proxy
from tests.faults.stored import books, stored
from tests.faults.verdict import Report, Verdict, settle
from tests.support.brokers import Mosquitto
from tests.support.processes import ROOT, Process, Role

CHAOS_SEED = int(os.environ.get("CHAOS_SEED", SEED))
CHAOS_SECONDS = float(os.environ.get("CHAOS_SECONDS", "90"))
# Readings a second of a client; our publisher sends about as many. Mosquitto takes little more where
# it saves at each change.
RATE = 40.0
# Of so many seconds at most, on average, Mosquitto forgets what it has taken and delivered when it is
# killed: as it is shipped it saves every two seconds, and what the subscriber has by then it cannot lose.
# Measured: about half of it.
UNSAVED = 2.0
# And where it saves at each change, a little later than it acknowledges. Measured: less than a tenth of it.
UNSAVED_CHANGE = 0.25
# Seconds. The subscriber keeps readings by its own clock, which is wrong now and then; what matters
# here is not when they were taken but whether each is there once.
JUMPS = (4.0, -4.0, 3600.0, -3600.0)
TOLERANT = {"RETENTION": "48h", "MAX_CLOCK_SKEW": "24h"}
# How a stored reading is known: by its id, or else by its value.
IDENTITY = "COALESCE(message_id, value)"


class Chaos:
    """Does harm to the running processes, as chance has it. Faults that last may overlap with others."""

    def __init__(
        self,
        *,
        subscriber: Role,
        publisher: Role,
        broker: Mosquitto,
        proxy: Proxy,
        clock: JumpingClock,
        kill_broker: bool,
    ) -> None:
        self._subscriber = subscriber
        self._publisher = publisher
        self._broker = broker
        self._proxy = proxy
        self._clock = clock
        self._random = Random(CHAOS_SEED)
        self._faults: list[Callable[[ThreadPoolExecutor], None]] = [
            self._kill_subscriber,
            self._kill_subscriber,
            self._kill_publisher,
            self._cut,
            self._cut,
            self._hold,
            self._stop,
            self._jump,
        ]
        if kill_broker:
            self._faults += [self._kill_broker] * 2
        # The latest cut each way.
        self._cuts: dict[str, Future[None]] = {"client": Future(), "broker": Future()}
        for none_yet in self._cuts.values():
            none_yet.set_result(None)
        # How often each was done, by its name.
        self.done: Counter[str] = Counter()

    def rage(self, seconds: float) -> None:
        """Do one fault after another for so long; then leave everything running, with the right time."""
        end = time.monotonic() + seconds
        with ThreadPoolExecutor() as lasting:
            while time.monotonic() < end:
                fault = self._random.choice(self._faults)
                self.done[fault.__name__.removeprefix("_")] += 1
                fault(lasting)
                time.sleep(self._random.choice([0.0, 0.3, 1.0, 3.0]) * self._random.random())
        self._clock.jump_to(0.0)

    def _kill_subscriber(self, lasting: ThreadPoolExecutor) -> None:
        self._kill(self._subscriber)

    def _kill_publisher(self, lasting: ThreadPoolExecutor) -> None:
        self._kill(self._publisher)

    def _kill_broker(self, lasting: ThreadPoolExecutor) -> None:
        kill(self._broker)

    def _cut(self, lasting: ThreadPoolExecutor) -> None:
        direction = self._random.choice(["client", "broker"])
        if self._cuts[direction].done():  # or the former is still waiting for something to tear
            self._cuts[direction] = lasting.submit(_in_time, self._proxy.tear, direction)

    def _hold(self, lasting: ThreadPoolExecutor) -> None:
        lasting.submit(_in_time, self._proxy.hold, self._random.uniform(0.1, 3.0))

    def _stop(self, lasting: ThreadPoolExecutor) -> None:
        process = self._random.choice([self._subscriber, self._publisher, self._broker.process])
        lasting.submit(_stand_still, process, self._random.uniform(0.1, 3.0))

    def _jump(self, lasting: ThreadPoolExecutor) -> None:
        self._clock.jump_to(self._random.choice(JUMPS))

    def _kill(self, role: Role) -> None:
        role.kill()
        time.sleep(self._random.choice([0.0, self._random.uniform(0.0, 1.5)]))
        role.start()


def _in_time(fault: Callable[..., None], argument: object) -> None:
    with suppress(TimeoutError):  # nothing has come that could be torn; then the next that comes is
        fault(argument)


def _stand_still(process: Process, seconds: float) -> None:
    with stopped(process):
        time.sleep(seconds)


class Breaks(StrEnum):
    """What becomes of Mosquitto."""

    NOTHING = "the broker lives"
    KILLED = "the broker is killed too"
    KILLED_SAVING = "the broker is killed too, and saves at each change"


@pytest.fixture
def shipped_mosquitto(tmp_path: Path, breaks: Breaks) -> Iterator[Mosquitto]:
    """Mosquitto that keeps what config/mosquitto/mosquitto.conf has it keep, or saves at each change."""
    own = (
        "listener",
        "allow_anonymous",
        "persistence",
        "persistence_location",
        "log_",
        "connection_messages",
    )
    lines = (ROOT / "config" / "mosquitto" / "mosquitto.conf").read_text().splitlines()
    shipped = [line for line in lines if line and not line.startswith(("#", *own))]
    saves = shipped.index("autosave_on_changes false")
    assert "autosave_interval 1" in shipped
    if breaks is Breaks.KILLED_SAVING:
        shipped[saves] = "autosave_on_changes true"
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Mosquitto(folder, settings=shipped, log=("error", "warning"))
    try:
        yield broker.start()
    finally:
        broker.end()


@contextmanager
def told_with_the_seed() -> Iterator[None]:
    """Say how to repeat a run that fails."""
    try:
        yield
    except AssertionError as error:
        error.add_note(f"repeat it with CHAOS_SEED={CHAOS_SEED} CHAOS_SECONDS={CHAOS_SECONDS:g}")
        raise


@pytest.mark.slow
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("breaks", Breaks)
def test_chaos(
    *,
    shipped_mosquitto: Mosquitto,
    make_role: MakeRole,
    make_subscriber: MakeSubscriber,
    tmp_path: Path,
    database: Path,
    report: Report,
    kind: Kind,
    breaks: Breaks,
) -> None:
    """Each reading is stored once, with an id, without, and as many identical ones as were sent.

    A broker that is killed forgets what it had not saved: what it had taken from another client
    than our publisher may be lost, and what it had delivered may come again as if it were new: only
    an id tells then. Neither may be more than what it takes between two savings.
    """
    print(f"CHAOS_SEED={CHAOS_SEED} CHAOS_SECONDS={CHAOS_SECONDS:g}")
    path = tmp_path / "outbox.db"
    last_run = make_role("publisher", "--count", "1", broker=shipped_mosquitto, OUTBOX_FILE=str(path))
    assert last_run.start().wait() == 0  # makes the file
    outbox.watch(path)
    clock = JumpingClock(tmp_path)
    with told_with_the_seed(), Proxy(shipped_mosquitto.port) as proxy:
        subscriber = make_subscriber(proxy.access, **TOLERANT, **clock.environment).start_and_wait()
        publisher = make_role(
            *("publisher", "--min-interval", "20ms", "--max-interval", "30ms"),
            broker=proxy.access,
            OUTBOX_FILE=str(path),
        ).start_and_wait()
        chaos = Chaos(
            subscriber=subscriber,
            publisher=publisher,
            broker=shipped_mosquitto,
            proxy=proxy,
            clock=clock,
            kill_broker=breaks is not Breaks.NOTHING,
        )
        with Load(shipped_mosquitto.access, int(RATE * CHAOS_SECONDS), RATE, kind) as load:
            chaos.rage(CHAOS_SECONDS)
            publisher.kill()
            assert last_run.start().wait(120.0) == 0
            load.wait()
        settle(shipped_mosquitto.access, database)
        duplicates = books(database)["duplicates"]
        found = stored(database, IDENTITY)
        ever, of_load = outbox.ever(path), _keys(kind, load.sent)
        raw = Counter({key: n for key, n in found.items() if key in of_load})
        ours = Verdict(ever, ever - outbox.waiting(path), found - raw, duplicates)
        others = Verdict(of_load, _keys(kind, load.acknowledged), raw, duplicates)
        kills = chaos.done["kill_broker"]
        print(*sorted(chaos.done.items()))
        name = f"chaos {CHAOS_SEED}: {chaos.done.total()} faults"
        if breaks is not Breaks.NOTHING:
            name += f", {kills} Mosquitto kill -9"
        report.add(f"{name}: our publisher", f"{ever.total()} outbox", ours)
        report.add(f"{name}: another client", f"{of_load.total()} {kind}", others)
        ours.assert_exactly_once()
        assert not outbox.waiting(path)
        if breaks is Breaks.NOTHING:
            others.assert_exactly_once()
            return
        forgotten = kills * RATE * (UNSAVED if breaks is Breaks.KILLED else UNSAVED_CHANGE)
        assert others.lost.total() <= forgotten
        assert others.double.total() <= (0 if kind is Kind.IDS else forgotten)


def _keys(kind: Kind, values: Counter[Hashable]) -> Counter[Hashable]:
    """Return the same readings by what they are known by in the database."""
    return Counter({f"reading-{value}": n for value, n in values.items()}) if kind is Kind.IDS else values
