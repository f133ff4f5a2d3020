"""Every role ends on SIGTERM and on SIGINT: in time, with status 0, and quietly."""

import signal
import time

import pytest

from tests.conftest import MakeRole
from tests.support.brokers import Access, EmbeddedBroker, Mosquitto
from tests.support.ports import accepts_connections, free_port
from tests.support.processes import END_TIMEOUT, end_well
from tests.support.waiting import on_this_machine, wait_for

CLIENTS = ("subscriber", "stats", "publisher")
both_signals = pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name
)


@both_signals
def test_at_work(mosquitto: Mosquitto, make_role: MakeRole, number: signal.Signals) -> None:
    roles = [make_role(command, broker=mosquitto).start() for command in CLIENTS]
    for role in roles:
        role.wait_healthy()
    end_well(number, *roles)

    def goodbyes() -> list[str]:
        """Return those of the roles, without what the subscriber has found out at first."""
        found = mosquitto.packets("Received DISCONNECT from averages-")
        return [line for line in found if "averages-numbering" not in line]

    # each said goodbye, the subscriber on both its connections
    wait_for(lambda: len(goodbyes()) == 4, "goodbyes")


@both_signals
def test_without_a_broker(make_role: MakeRole, number: signal.Signals) -> None:
    nobody = Access(free_port())
    roles = [make_role(command, broker=nobody).start() for command in CLIENTS]
    for role in roles:
        role.wait_for_complaint()
    end_well(number, *roles)


def test_publisher_with_a_count_and_no_broker(make_role: MakeRole) -> None:
    role = make_role("publisher", "--count", "3", broker=Access(free_port())).start()
    role.wait_for_complaint()
    end_well(signal.SIGINT, role)


@both_signals
def test_embedded_broker(embedded: EmbeddedBroker, number: signal.Signals) -> None:
    """The broker ends too, and its port is free again."""
    assert embedded.process.stop(number, timeout=on_this_machine(END_TIMEOUT)) == 0
    assert not accepts_connections(embedded.port)
    assert "Traceback" not in embedded.log


def test_impatience(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """Ctrl-C pressed again and again changes nothing, up to the very end of the process."""
    roles = [make_role(command, broker=mosquitto).start_and_wait() for command in CLIENTS]
    deadline = time.monotonic() + on_this_machine(END_TIMEOUT)
    while any(role.running for role in roles) and time.monotonic() < deadline:
        for role in roles:
            role.send(signal.SIGINT)
        time.sleep(0.001)  # so often that some come while the interpreter ends
    for role in roles:
        assert role.wait(0) == 0, role.stderr
        role.assert_no_traceback()
