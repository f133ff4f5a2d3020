"""From 1 series to 10,000, and from 100 readings a second to as many as it takes."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from scheduler_app.console.table import render_columns
from tests.benchmarks import ingest
from tests.benchmarks.arena import Arena
from tests.benchmarks.ingest import Load

_BAR = 50


@dataclass(frozen=True)
class Row:
    """What a subscriber takes with so many series. Processor times are shares of one core."""

    series: int
    # Processor time at these rates (readings a second), publishing every ten seconds.
    load: dict[float, float]
    # The most readings a second, and the processor seconds that a million of them takes then.
    highest: float
    cpu_per_million: float
    # MB, the most it held.
    memory: float

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def measure(arena: Arena, tell: Callable[[float, str], object]) -> list[Row]:
    """Take all; `tell` gets the share that is done, and what comes next."""
    rows = []
    steps = arena.size.growth_series
    for number, series in enumerate(steps):
        tell(number / len(steps), f"{series:,} series")
        rows.append(_row(arena, series))
    tell(1.0, "")
    return rows


def _row(arena: Arena, series: int) -> Row:
    size = arena.size
    with arena.broker() as (broker, folder), ingest.subscriber(broker, folder) as role:
        # all series are there from the beginning
        ingest.ours(broker, folder, Load(series, series), role)
        load = {}
        for rate in size.growth_rates:
            run = ingest.ours(broker, folder, Load(round(rate * size.growth_seconds), series, rate), role)
            load[rate] = run.cpu / run.seconds
        run = ingest.ours(broker, folder, Load(size.messages, series), role)
    return Row(series, load, run.rate, run.cpu_per_million, run.memory)


def render(rows: Sequence[Row]) -> str:
    """Return the table, and below it the highest rates as bars."""
    rates = list(rows[0].load)
    headings = ["series", *(f"core at {rate:,.0f}/s" for rate in rates)]
    headings += ["highest rate", "CPU s a million", "MB"]
    table = [
        (
            f"{row.series:,}",
            *(f"{share:.1%}" for share in row.load.values()),
            f"{row.highest:,.0f}",
            f"{row.cpu_per_million:.1f}",
            f"{row.memory:.0f}",
        )
        for row in rows
    ]
    most = max(row.highest for row in rows)
    bars = [
        f"{row.series:>6,} series  {'█' * round(_BAR * row.highest / most):<{_BAR}}  {row.highest:>7,.0f}"
        for row in rows
    ]
    text = render_columns(table, headings, set(range(len(headings))), "github")
    return "\n".join([text, "", "Highest rate, readings a second:", "", *bars])
