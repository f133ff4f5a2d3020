"""`manage.py runbroker-clients`: everything with one command, and nothing left behind."""

import os
import re
import secrets
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.conftest import MakeRole
from tests.support.brokers import Mosquitto
from tests.support.ports import HOST, accepts_connections
from tests.support.processes import END_TIMEOUT, Role, descendants, end_well, still_running
from tests.support.waiting import on_this_machine, wait_for
from tests.support.web import ask

PORT = 1883
COMMAND = "runbroker-clients"


def own_names() -> tuple[str, ...]:
    """Return flags that keep us apart from others, should somebody's broker answer on this machine."""
    if not accepts_connections(PORT):
        return ()
    name = f"test-{secrets.token_hex(4)}"
    return ("--client-id", name, "--topic", f"{name}/data", "--stats-topic", f"{name}/stats")


def wait_for_tables(role: Role, count: int, timeout: float = 20) -> None:
    def printed() -> bool:
        assert role.running, f"it ended:\n{role.stderr}"
        return role.stdout.count("avg_1min") >= count

    wait_for(printed, lambda: f"{count} tables:\n{role.stdout}\nthe log:\n{role.stderr}", timeout)


def wait_for_children(role: Role, count: int) -> set[int]:
    """Return the process ids of all children when there are `count`."""
    wait_for(lambda: len(descendants(role.pid)) >= count, lambda: f"{count} children:\n{role.stderr}")
    children = descendants(role.pid)
    assert len(children) == count
    return children


def child(role: Role, command: str) -> int:
    """Return the process id of the child of `role` that runs `command`."""
    [found] = [
        pid for pid in descendants(role.pid) if f"\0{command}\0" in Path(f"/proc/{pid}/cmdline").read_text()
    ]
    return found


def assert_all_ended(pids: set[int]) -> None:
    wait_for(lambda: not still_running(pids), lambda: f"the end of {still_running(pids)}")


def test_newcomer(make_role: MakeRole, tmp_path: Path) -> None:
    """In an empty folder with no settings: a table within 15 s, and Ctrl-C ends it all."""
    assert list(tmp_path.iterdir()) == []
    answered = accepts_connections(PORT)
    role = make_role(COMMAND, *own_names()).start()
    wait_for_tables(role, 1, timeout=on_this_machine(15.0))
    children = wait_for_children(role, 4 if answered else 5)
    role.wait_for_log("started web")
    lines = role.log_lines("INFO")
    if answered:
        assert "using the broker that answers at localhost:1883" in lines[0]
    else:
        assert "broker" in lines[0]
        assert "127.0.0.1:1883" in lines[0]
    for command, line in zip(("subscriber", "stats", "publisher", "web"), lines[1:], strict=False):
        assert f"started {command}" in line
    assert role.complaints() == []
    assert (tmp_path / "tmp" / "test.db").exists()
    end_well(signal.SIGINT, role)
    assert still_running(children) == set()
    assert accepts_connections(PORT) == answered
    # the tables alone are on standard output: heading, line, averages
    assert {len(line.split()) for line in role.stdout.splitlines()} == {3}


def test_kill_leaves_nobody(make_role: MakeRole) -> None:
    """After kill -9 no child goes on, the broker included."""
    answered = accepts_connections(PORT)
    role = make_role(COMMAND, *own_names(), STATS_INTERVAL="100ms").start()
    wait_for_tables(role, 3)
    children = wait_for_children(role, 4 if answered else 5)
    role.kill()
    assert_all_ended(children)
    assert accepts_connections(PORT) == answered


@pytest.fixture
def broker_at_1883(tmp_path: Path) -> Iterator[None]:
    """Have a broker answer on localhost:1883: the one that does, or Mosquitto."""
    if accepts_connections(PORT):
        yield
        return
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Mosquitto(folder, port=PORT)
    try:
        broker.start()
        yield
    finally:
        broker.end()


@pytest.mark.usefixtures("broker_at_1883")
def test_broker_that_answers_is_used(make_role: MakeRole) -> None:
    """Where a broker answers, none is started."""
    role = make_role(COMMAND, *own_names(), STATS_INTERVAL="100ms").start()
    wait_for_tables(role, 3)
    assert "using the broker that answers at localhost:1883" in role.stderr
    assert "embedded" not in role.stderr
    wait_for_children(role, 4)
    end_well(signal.SIGTERM, role)


@pytest.mark.parametrize("command", ["subscriber", "stats", "publisher", "web"])
def test_one_for_all(mosquitto: Mosquitto, make_role: MakeRole, command: str) -> None:
    """When one ends, all end, with its reason and a status that says so."""
    role = make_role(COMMAND, broker=mosquitto, STATS_INTERVAL="100ms").start()
    wait_for_tables(role, 1)
    assert f"using the broker at {mosquitto.address}" in role.stderr
    children = wait_for_children(role, 4)
    os.kill(child(role, command), signal.SIGKILL)
    assert role.wait(on_this_machine(2 * END_TIMEOUT)) == 1
    assert still_running(children) == set()
    [line] = [line for line in role.stderr.splitlines() if line.startswith("Error: ")]
    assert command in line
    assert "SIGKILL" in line


def test_child_that_cannot_start(mosquitto: Mosquitto, make_role: MakeRole, tmp_path: Path) -> None:
    """What a child has to say is on standard error, and all end."""
    (tmp_path / "notes.txt").write_text("milk, eggs\n" * 1000)
    role = make_role(COMMAND, broker=mosquitto, DB_FILE="notes.txt").start()
    assert role.wait() == 1
    assert "notes.txt is not an SQLite database" in role.stderr
    assert "subscriber ended" in role.stderr
    role.assert_no_traceback()


def test_signal_during_the_start(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """Ctrl-C while children are still being started ends those that were."""
    role = make_role(COMMAND, broker=mosquitto).start()
    children = wait_for(lambda: descendants(role.pid), "a child")
    started = time.monotonic()
    end_well(signal.SIGINT, role)
    assert time.monotonic() - started < on_this_machine(END_TIMEOUT)
    assert still_running(children) == set()


def test_a_topic_filter_has_no_publisher(make_role: MakeRole) -> None:
    """Who averages sensors of their own needs no random numbers; and nothing can be published to a filter."""
    role = make_role(COMMAND, *own_names(), "--topic", "sensors/+,home/#", STATS_INTERVAL="100ms").start()
    wait_for_tables(role, 1)
    role.wait_for_log("started no publisher: sensors/+,home/# is not a single topic")
    role.wait_for_log("Ctrl-C ends everything")
    end_well(signal.SIGINT, role)


def test_the_page_is_at_the_address_that_is_told(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    role = make_role(COMMAND, broker=mosquitto, STATS_INTERVAL="100ms").start()
    role.wait_for_log("started web")
    [line] = [line for line in role.log_lines("INFO") if "started web" in line]
    [port] = re.findall(r"started web: open http://127\.0\.0\.1:(\d+)/$", line)
    wait_for(lambda: ask(int(port), "/readyz").status == 200, "the newest statistics on the page")


def test_another_port_takes_the_place_of_one_that_nobody_has_set(
    mosquitto: Mosquitto, make_role: MakeRole
) -> None:
    with ExitStack() as stack:
        with suppress(OSError):  # another program has it already
            stack.enter_context(socket.create_server((HOST, 8080)))
        role = make_role(COMMAND, broker=mosquitto).start()
        role.wait_for_log("started web: open http://127.0.0.1:80")
        assert "http://127.0.0.1:8080/" not in role.stderr


def test_everything_else_goes_on_if_the_port_is_taken_that_was_asked_for(
    mosquitto: Mosquitto, make_role: MakeRole
) -> None:
    role = make_role(COMMAND, broker=mosquitto, STATS_INTERVAL="100ms", WEB_PORT=str(mosquitto.port)).start()
    role.wait_for_complaint(f"started no page: WEB_PORT={mosquitto.port} cannot be listened on")
    wait_for_tables(role, 2)
    wait_for_children(role, 3)


def test_the_page_can_be_left_out(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    role = make_role(
        COMMAND, "--no-web", broker=mosquitto, STATS_INTERVAL="100ms", WEB_HOST="0.0.0.0"
    ).start()
    role.wait_for_log("Ctrl-C ends everything")
    wait_for_tables(role, 1)
    wait_for_children(role, 3)
    assert "web" not in role.stderr


def test_a_page_that_everybody_could_see_is_refused_before_anything_starts(
    mosquitto: Mosquitto, make_role: MakeRole
) -> None:
    role = make_role(COMMAND, broker=mosquitto, WEB_HOST="0.0.0.0").start()
    assert role.wait() == 2
    [line] = role.stderr.splitlines()
    assert "WEB_HOST=0.0.0.0 can be reached from other machines: set WEB_TOKEN" in line
