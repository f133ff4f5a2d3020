"""The brokers, each started once, and the table of what was found out at them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers.brokers import BROKERS
from tests.brokers.table import Cells, write_table
from tests.support.brokers import Broker

_CELLS = pytest.StashKey[Cells]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-table", action="store_true", help="write the table into docs/brokers.md")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_CELLS] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for (broker, scenario, kind), cell in config.stash.get(_CELLS, {}).items():
        terminalreporter.write_line(f"{broker:10} {scenario:17} {kind:10} {cell}")
    if config.getoption("--write-table"):
        write_table(config.stash[_CELLS])


@pytest.fixture
def cells(request: pytest.FixtureRequest) -> Cells:
    return request.config.stash[_CELLS]


@pytest.fixture(params=BROKERS, scope="module")
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Each broker in turn; all scenarios share it."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    running = BROKERS[request.param](folder)
    try:
        yield running.start()
    finally:
        running.end()
