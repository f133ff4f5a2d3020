"""Who leads: a term begins with the lead, and ends with it."""

import pytest

from scheduler_app.averages.leading import Leading


class FakeLead:
    """Is ours when the test says so."""

    def __init__(self) -> None:
        self.ours = self.held = False
        self.trouble: str | None = None
        self.closed = False

    def open(self) -> None: ...

    def look(self) -> bool:
        return self.ours

    def close(self) -> None:
        self.closed = True


class FakeTerm:
    ended = 0

    def end(self) -> None:
        self.ended += 1


class Process:
    def __init__(self) -> None:
        self.lead = FakeLead()
        self.terms: list[FakeTerm] = []
        self.leading: Leading[FakeTerm] = Leading(self.lead, self._begin)

    def _begin(self) -> FakeTerm:
        self.terms.append(FakeTerm())
        return self.terms[-1]

    def look(self, *, ours: bool) -> FakeTerm | None:
        """Look once, when the lead is ours or another's; return the term that there is then."""
        self.lead.ours = self.lead.held = ours
        self.leading._look()
        return self.leading.term


@pytest.fixture
def process() -> Process:
    return Process()


def test_a_term_lasts_as_long_as_the_lead(process: Process) -> None:
    assert process.look(ours=False) is None
    term = process.look(ours=True)
    assert term is not None
    assert process.look(ours=True) is term
    assert process.look(ours=False) is None
    assert term.ended == 1
    assert process.look(ours=True) is not term
    assert len(process.terms) == 2


def test_there_is_no_term_when_the_time_is_over_though_nobody_has_looked_yet(process: Process) -> None:
    """A process that was stopped wakes up in the middle of whatever it was doing."""
    term = process.look(ours=True)
    assert term is not None
    process.lead.held = False
    assert process.leading.term is None
    assert term.ended == 0


def test_it_is_told_once_who_leads(process: Process, log_lines: list[str]) -> None:
    for ours in (False, False, True, True, False, False):
        process.look(ours=ours)
    for process.lead.trouble in ("the server does not answer", "it is starting up"):
        process.look(ours=False)
    process.lead.trouble = None
    process.look(ours=True)
    for process.lead.trouble in ("it is gone", "the server does not answer"):
        process.look(ours=False)
    process.lead.trouble = None
    process.look(ours=False)
    beginnings = (
        "INFO: another process leads",
        "INFO: this process leads",
        "WARNING: the lead is lost",
        "INFO: another process leads",
        "ERROR: the lead cannot be asked for: the server does not answer",
        "INFO: this process leads",
        "WARNING: the lead is lost: it is gone",
        "INFO: another process leads",
    )
    assert len(log_lines) == len(beginnings)
    assert all(map(str.startswith, log_lines, beginnings))


def test_the_lead_is_given_away_at_the_end(process: Process) -> None:
    term = process.look(ours=True)
    process.leading.stop()
    process.leading.run()
    assert term is not None
    assert term.ended == 1
    assert process.lead.closed
