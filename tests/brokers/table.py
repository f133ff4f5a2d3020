"""The table in docs/brokers.md, of what the scenarios have found out."""

from collections.abc import Mapping
from typing import NamedTuple

from tests.brokers.brokers import BROKERS
from tests.brokers.scenarios import SCENARIOS
from tests.faults.load import Kind
from tests.faults.verdict import Verdict
from tests.support.processes import ROOT

PAGE = ROOT / "docs" / "brokers.md"
BEGIN = "<!-- written by the tests: begin -->"
END = "<!-- written by the tests: end -->"
HEADINGS = {
    "killed": "subscriber killed 5 times",
    "acks-lost": "acknowledgements lost, then killed",
    "cut": "network cut 5 times",
    "broker-restarted": "broker restarted while away",
    "database-hangs": "database hangs",
}


class Cell(NamedTuple):
    """What has become of the readings of one kind in one scenario."""

    verdict: Verdict
    # What is lost was never acknowledged by us, or kept for a session that the broker had forgotten.
    lost_by_broker: bool

    def __str__(self) -> str:
        lost, double = self.verdict.lost.total(), self.verdict.double.total()
        of = self.verdict.acknowledged.total()
        if lost:
            return f"the broker forgot {lost} of {of}" if self.lost_by_broker else f"LOST {lost} of {of}"
        return f"{double} of {of} double" if double else "exact"


# By broker, scenario and kind of readings.
Cells = dict[tuple[str, str, str], Cell]


def read_table(text: str) -> dict[tuple[str, str, str], str]:
    """Return the cells of the table that stands in `text`."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {
        (broker, scenario, kind): cell
        for broker, kind, *cells in rows[1:]
        for scenario, cell in zip(SCENARIOS, cells, strict=True)
    }


def table(cells: Mapping[tuple[str, str, str], str]) -> str:
    """Return the table with these cells."""
    lines = [
        f"| broker | readings | {' | '.join(HEADINGS[scenario] for scenario in SCENARIOS)} |",
        f"|---|---|{'---|' * len(SCENARIOS)}",
    ]
    for broker in BROKERS:
        for kind in Kind:
            found = [cells.get((broker, scenario, kind.value), "not tried") for scenario in SCENARIOS]
            lines.append(f"| {broker} | {kind.value} | {' | '.join(found)} |")
    return "\n".join(lines)


def write_table(cells: Cells) -> None:
    """Put the table between its two comments in the page. What was not tried now stays as it was."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    old, _, after = rest.partition(END)
    merged = read_table(old) | {place: str(cell) for place, cell in cells.items()}
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(merged)}\n\n{END}{after}")
