"""A password appears in no log, no error and no process title."""

import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import MakeRole
from tests.support.brokers import Access, Login, Mosquitto
from tests.support.processes import Role, descendants, end_well, manage
from tests.support.waiting import wait_for

# Stands in the password of the fixture, and in no path or topic.
SECRET = "horse"
CLIENTS = ("subscriber", "stats", "publisher")


def titles(pid: int) -> str:
    """Return the command lines of a process and of all below it."""
    found = ""
    for process in {pid} | descendants(pid):
        with suppress(FileNotFoundError):  # it has just ended
            found += Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ") + "\n"
    return found


def assert_secret(role: Role) -> None:
    assert SECRET not in role.stdout + role.stderr


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "CRITICAL"])
def test_at_work(mosquitto_password: Mosquitto, make_role: MakeRole, level: str) -> None:
    """Not while all goes well, at any level."""
    login = mosquitto_password.access.login
    assert login is not None
    assert SECRET in login.password
    role = make_role(
        "runbroker-clients", broker=mosquitto_password, LOG_LEVEL=level, STATS_INTERVAL="100ms"
    ).start()
    wait_for(lambda: "avg_1min" in role.stdout, lambda: f"a table; the log:\n{role.stderr}")
    wait_for(lambda: titles(role.pid).count("manage.py") == 4, "four processes")
    shown = titles(role.pid)
    assert "subscriber" in shown
    assert SECRET not in shown
    end_well(signal.SIGINT, role)
    assert_secret(role)


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_refused(mosquitto_password: Mosquitto, make_role: MakeRole, tmp_path: Path, level: str) -> None:
    """Not when the broker refuses it."""
    wrong = Access(mosquitto_password.port, login=Login("sensor", "high horse"))
    roles = [make_role(command, broker=wrong, LOG_LEVEL=level).start() for command in CLIENTS]
    for role in roles:
        role.wait_for_complaint()
    end_well(signal.SIGTERM, *roles)
    for role in roles:
        assert_secret(role)
    done = manage("check", folder=tmp_path, environment=wrong.environment | {"LOG_LEVEL": level})
    assert done.returncode == 1
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "broker",
    [
        "mqtt://sensor:horse@localhost:notaport",
        "mqtt://sensor:hor/horse@localhost",
        "mqtt://sensor:a@horse@localhost:0",
        "mqtt//sensor:horse@localhost",
        "sensor:horse@localhost",
        "sensor:horse",
    ],
)
def test_badly_written(broker: str, tmp_path: Path) -> None:
    """Not when BROKER is written wrongly."""
    done = manage("check", folder=tmp_path, environment={"BROKER": broker})
    assert done.returncode == 2
    assert "BROKER=" in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_badly_written_in_a_file(tmp_path: Path) -> None:
    """Not when BROKER is written wrongly in `.env`."""
    (tmp_path / ".env").write_text("BROKER='mqtt://sensor:hor/horse@localhost'\n")
    done = manage("check", folder=tmp_path)
    assert done.returncode == 2
    assert "BROKER=" in done.stderr
    assert SECRET not in done.stdout + done.stderr
