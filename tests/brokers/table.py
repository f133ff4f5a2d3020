"""The table in docs/brokers.md, of what the scenarios have found out."""

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


def table(cells: Cells) -> str:
    """Return the table; it needs each broker, scenario and kind."""
    lines = [
        f"| broker | readings | {' | '.join(HEADINGS[scenario] for scenario in SCENARIOS)} |",
        f"|---|---|{'---|' * len(SCENARIOS)}",
    ]
    for broker in BROKERS:
        for kind in Kind:
            found = [str(cells[broker, scenario, kind.value]) for scenario in SCENARIOS]
            lines.append(f"| {broker} | {kind.value} | {' | '.join(found)} |")
    return "\n".join(lines)


def write_table(cells: Cells) -> None:
    """Put the table between its two comments in the page."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(cells)}\n\n{END}{after}")
