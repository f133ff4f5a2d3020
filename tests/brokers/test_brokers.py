"""What holds at each broker. `--write-table` writes it into docs/brokers.md."""

from pathlib import Path

import pytest

from tests.brokers.scenarios import SCENARIOS, Bench, bench
from tests.brokers.table import Cell, Cells
from tests.conftest import MakeRole
from tests.faults.load import Kind
from tests.faults.stored import books
from tests.faults.verdict import Verdict
from tests.support.brokers import Broker

pytestmark = pytest.mark.brokers

# Where a reading without an id may count twice, and for which reason docs/brokers.md says so.
_MAY_DOUBLE = {
    "embedded": set(SCENARIOS),
    "aedes": set(SCENARIOS),
    "RabbitMQ": set(SCENARIOS),
    "NATS": {"broker-restarted", "database-hangs"},
    "amqtt": set(SCENARIOS),
}
# They drop readings by themselves, or send them as what they are not.
_FORGETFUL = {"aedes", "amqtt"}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_reading_is_stored_once_or_it_is_said(
    *,
    request: pytest.FixtureRequest,
    broker: Broker,
    scenario: str,
    tmp_path: Path,
    make_role: MakeRole,
    cells: Cells,
) -> None:
    """Nothing is lost but what the broker itself forgets; with ids, nothing counts twice."""
    name = request.node.callspec.params["broker"]
    with bench(broker, tmp_path, make_role, scenario) as running:
        SCENARIOS[scenario](running)
        verdicts = {lane.kind: lane.settle() for lane in running.lanes}
        forgotten = name in _FORGETFUL or (scenario == "broker-restarted" and not broker.persistent)
        for kind, verdict in verdicts.items():
            cells[name, scenario, kind.value] = Cell(verdict, forgotten)
        if scenario == "broker-restarted" and not broker.persistent:
            _assert_told(running)
        elif name in _FORGETFUL:
            for lane in running.lanes:
                # what amqtt has kept for a session it sends as retained copies, which are never counted
                retained = books(lane.database).get("retained", 0)
                assert len(lane.acknowledged_and_lost(verdicts[lane.kind])) <= retained
        else:
            for verdict in verdicts.values():
                verdict.assert_nothing_lost()
    _assert_nothing_double(verdicts, may_double=scenario in _MAY_DOUBLE.get(name, ()))


def _assert_told(running: Bench) -> None:
    """Fail unless each subscriber says that its session was forgotten."""
    for lane in running.lanes:
        assert lane.subscriber.complaints("the broker has no session of ours"), lane.subscriber.stderr


def _assert_nothing_double(verdicts: dict[Kind, Verdict], *, may_double: bool) -> None:
    for kind, verdict in verdicts.items():
        if kind is Kind.IDS or not may_double:
            verdict.assert_nothing_double()
