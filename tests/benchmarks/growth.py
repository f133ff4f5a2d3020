"""From 1 series to 10,000, and from 100 readings a second to as many as it takes; over TLS, and as JSON."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from scheduler_app.console.table import render_columns
from tests.benchmarks import devices, ingest, small_board, tls
from tests.benchmarks.arena import Arena
from tests.benchmarks.ingest import FIELDS, STREAM_FILE, Load
from tests.support.brokers import Access, Broker
from tests.support.processes import Role

_BAR = 50
_READINGS, _OVER_TLS, _DEVICES = "readings", "over TLS", f"JSON, {FIELDS} readings each"


@dataclass(frozen=True)
class Row:
    """What a subscriber takes with so many series. Processor times are shares of one core."""

    # What the messages are, and how they come.
    messages: str
    series: int
    # Processor time at these rates (messages a second), publishing every ten seconds.
    load: dict[float, float]
    # The most messages a second, and the processor seconds that a million of them takes then.
    highest: float
    cpu_per_million: float
    # MB, the most it held.
    memory: float

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def measure(arena: Arena, tell: Callable[[float, str], object]) -> list[Row]:
    """Take all; `tell` gets the share that is done, and what comes next. Raises CommandError."""
    core = small_board.leave_a_core() if arena.small_board else None
    kinds = [(_READINGS, series) for series in arena.size.growth_series]
    if not arena.embedded:  # it speaks no TLS
        kinds.append((_OVER_TLS, arena.size.growth_series[0]))
    kinds.append((_DEVICES, devices.DEVICES * FIELDS))
    rows = []
    for number, (messages, series) in enumerate(kinds):
        tell(number / len(kinds), f"{messages}, {series:,} series")
        rows.append(_row(arena, messages, series, core))
    tell(1.0, "")
    return rows


def _row(arena: Arena, messages: str, series: int, core: int | None) -> Row:
    size = arena.size
    of_devices = messages == _DEVICES
    topics = series // FIELDS if of_devices else series
    load_of = partial(Load, topics=topics, devices=of_devices)
    with _subscriber(arena, messages, core) as (broker, folder, role):
        # all series are there from the beginning
        ingest.ours(broker, folder, load_of(topics), role)
        load = {}
        for rate in size.growth_rates:
            run = ingest.ours(broker, folder, load_of(round(rate * size.growth_seconds), rate=rate), role)
            load[rate] = run.cpu / run.seconds
        run = ingest.ours(broker, folder, load_of(size.messages), role)
    return Row(messages, series, load, run.rate, run.cpu_per_million, run.memory)


@contextmanager
def _subscriber(arena: Arena, messages: str, core: int | None) -> Iterator[tuple[Broker, Path, Role]]:
    """Run a subscriber that takes in such messages, and its broker; also the folder of both.

    With a `core` it is bounded to half of that one.
    """
    stream_file = str(STREAM_FILE) if messages == _DEVICES else ""
    with (
        _broker(arena, messages) as (broker, access, folder),
        ingest.subscriber(access, folder, STREAMS_FILE=stream_file) as role,
        nullcontext() if core is None else small_board.bounded(role.pid, core),
    ):
        yield broker, folder, role


@contextmanager
def _broker(arena: Arena, messages: str) -> Iterator[tuple[Broker, Access, Path]]:
    if messages == _OVER_TLS:
        with tls.tls_broker(arena) as with_access:
            yield with_access
    else:
        with arena.broker() as (broker, folder):
            yield broker, broker.access, folder


def render(rows: Sequence[Row]) -> str:
    """Return the table, and below it the highest rates as bars."""
    rates = list(rows[0].load)
    headings = ["messages", "series", *(f"core at {rate:,.0f}/s" for rate in rates)]
    headings += ["highest rate", "CPU s a million", "MB"]
    table = [
        (
            row.messages,
            f"{row.series:,}",
            *(f"{share:.1%}" for share in row.load.values()),
            f"{row.highest:,.0f}",
            f"{row.cpu_per_million:.1f}",
            f"{row.memory:.0f}",
        )
        for row in rows
    ]
    most = max(row.highest for row in rows if row.messages == _READINGS)
    bars = [
        f"{row.series:>6,} series  {'█' * round(_BAR * row.highest / most):<{_BAR}}  {row.highest:>7,.0f}"
        for row in rows
        if row.messages == _READINGS
    ]
    text = render_columns(table, headings, set(range(1, len(headings))), "github")
    return "\n".join([text, "", "Highest rate, readings a second:", "", *bars])
