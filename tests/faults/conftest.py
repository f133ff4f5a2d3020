"""Fixtures of the fault tests, and their summary."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler_app.console.table import render_table
from tests.conftest import MakeRole
from tests.faults.verdict import Line, Report
from tests.support.brokers import Access, Broker, Mosquitto
from tests.support.processes import Role

_LINES = pytest.StashKey[list[Line]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_LINES] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(_LINES, [])
    if lines:
        terminalreporter.section("faults")
        terminalreporter.write_line(render_table(lines, Line._fields))


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    return Report(request.config.stash[_LINES])


@pytest.fixture
def saving_mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """Mosquitto that saves everything after each packet: what a kill leaves of it is nearly all.

    It takes about 200 packets a second then, with 1,000 messages in flight.
    """
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Mosquitto(folder, settings=["autosave_on_changes true", "autosave_interval 1"])
    try:
        yield broker.start()
    finally:
        broker.end()


class MakeSubscriber:
    """Makes subscribers that publish often what they have counted."""

    def __init__(self, make_role: MakeRole) -> None:
        self._make_role = make_role

    def __call__(self, broker: Broker | Access, **settings: str) -> Role:
        return self._make_role("subscriber", broker=broker, **{"STATS_INTERVAL": "200ms", **settings})


@pytest.fixture
def make_subscriber(make_role: MakeRole) -> MakeSubscriber:
    return MakeSubscriber(make_role)
