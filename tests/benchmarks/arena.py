"""Where a measurement is taken: a broker and a folder that nobody has used before."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.support.brokers import Broker, EmbeddedBroker, Mosquitto

T = TypeVar("T")

# What keeps Mosquitto quick, and lets us see who has subscribed.
LOGGED = ("error", "warning", "subscribe")


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    # Of each figure that is compared, ours and theirs in turn; the median counts.
    rounds: int
    messages: int
    topics: int
    latency_seconds: float
    # While the processor time at low rates is measured.
    rate_seconds: float
    # Until memory and disk are looked at; with one series, and with many.
    memory_messages: int
    many_messages: int
    many_series: int
    # Kept in the database when it ticks; with one series, and with many.
    rows: int
    many_rows: int
    ticks: int
    # Kept while the page is asked for the history of one of many series.
    history_rows: int
    # While the page is at rest; a few of the intervals in which the averages are published.
    rest_seconds: float
    stats_interval: str = "10s"
    # Of what is measured with PostgreSQL: so many series are ticked, and so often another takes over.
    tick_series: tuple[int, ...] = (10_000,)
    takeovers: int = 2
    # Of the growth.
    growth_series: tuple[int, ...] = (1, 10, 100, 1000, 10_000)
    growth_rates: tuple[float, ...] = (100, 1000, 10_000)
    growth_seconds: float = 10.0


QUICK = Size(
    rounds=1,
    messages=50_000,
    topics=1000,
    latency_seconds=2.0,
    rate_seconds=2.0,
    memory_messages=50_000,
    many_messages=20_000,
    many_series=1000,
    rows=500_000,
    many_rows=500_000,
    ticks=3,
    history_rows=200_000,
    rest_seconds=5.0,
    stats_interval="5s",
    growth_seconds=2.0,
)
FULL = Size(
    rounds=3,
    messages=200_000,
    topics=1000,
    latency_seconds=20.0,
    rate_seconds=10.0,
    memory_messages=1_000_000,
    many_messages=200_000,
    many_series=10_000,
    rows=5_000_000,
    many_rows=21_000_000,
    ticks=5,
    history_rows=3_000_000,
    rest_seconds=30.0,
    growth_seconds=20.0,
    tick_series=(10_000, 100_000),
    takeovers=5,
)


class Arena:
    """Everything is in folders of its own, which are gone afterwards."""

    def __init__(self, size: Size, *, embedded: bool, small_board: bool = False) -> None:
        """`embedded`: with the embedded broker in place of Mosquitto.

        `small_board`: while growth is measured, the subscriber gets only what small_board.py says.
        """
        self.size = size
        self.embedded = embedded
        self.small_board = small_board

    @contextmanager
    def folder(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            yield Path(name)

    @contextmanager
    def broker(self) -> Iterator[tuple[Broker, Path]]:
        """Run a broker; also a folder for whoever is measured.

        None has a session that is left from before, for which it would keep everything.
        """
        with self.folder() as folder:
            home = folder / "broker"
            home.mkdir()
            broker = EmbeddedBroker(home) if self.embedded else Mosquitto(home, log=LOGGED)
            try:
                yield broker.start(), folder
            finally:
                broker.end()

    def in_turn(self, *measures: Callable[[Broker, Path], T]) -> list[list[T]]:
        """Take each measure in every round, one beside the other; return what each has given."""
        results: list[list[T]] = [[] for _ in measures]
        for _ in range(self.size.rounds):
            for measure, taken in zip(measures, results, strict=True):
                with self.broker() as (broker, folder):
                    taken.append(measure(broker, folder))
        return results
