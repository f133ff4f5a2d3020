"""The subscriber under a service manager, and the unit by which systemd starts it."""

import configparser
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler_app.runtime import lifecycle
from tests.conftest import MakeRole
from tests.support.brokers import Mosquitto, find_program
from tests.support.notify_socket import NotifySocket, notify_socket
from tests.support.processes import ROOT, end_well
from tests.support.waiting import stays

UNIT = ROOT / "config" / "systemd" / "averages.service"
READY, WATCHDOG, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"
# As `systemd-analyze security` counts, from 0 to 10: a service with nothing said has 9.6. What is left is
# mostly that it reaches the network, which it has to.
MOST_EXPOSED = 1.5


@pytest.fixture(
    params=[False, pytest.param(True, marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux"))]
)
def systemd(request: pytest.FixtureRequest) -> Iterator[NotifySocket]:
    """Listen as systemd does: at a file, or at a name without one."""
    with notify_socket(abstract=request.param) as listening:
        yield listening


def test_from_start_to_stop(absent_mosquitto: Mosquitto, make_role: MakeRole, systemd: NotifySocket) -> None:
    """Ready when subscribed and not before; the watchdog is fed while all is well, not without the broker."""
    subscriber = make_role("subscriber", broker=absent_mosquitto, NOTIFY_SOCKET=systemd.address).start()
    systemd.wait_for("STATUS=not connected, or what arrives cannot be stored: see the log")
    assert not any(READY in lines for lines in systemd.heard)
    absent_mosquitto.start()
    systemd.wait_for(READY)
    systemd.wait_for(WATCHDOG, count=2)
    absent_mosquitto.stop()
    systemd.wait_for("STATUS=not connected, or what arrives cannot be stored: see the log", count=2)
    fed = sum(WATCHDOG in lines for lines in systemd.heard)
    stays(
        lambda: sum(WATCHDOG in lines for lines in systemd.heard) == fed,
        "the watchdog is not fed",
        1.5 * lifecycle._HEALTH_INTERVAL,
    )
    end_well(signal.SIGTERM, subscriber)
    assert STOPPING in systemd.heard[-1]
    assert sum(STOPPING in lines for lines in systemd.heard) == 1


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Copy the unit, with this Python and this clone in the place of /opt/averages."""
    text = UNIT.read_text()
    assert "\nExecStart=/opt/averages/.venv/bin/python /opt/averages/manage.py subscriber\n" in text
    text = text.replace("/opt/averages/.venv/bin/python", sys.executable).replace("/opt/averages", str(ROOT))
    path = tmp_path / UNIT.name
    path.write_text(text)
    return path


def analyze(*arguments: str) -> str:
    """Return all that systemd-analyze says; fail if its exit status is not 0."""
    done = subprocess.run(
        [find_program("systemd-analyze"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_systemd_takes_the_unit(unit: Path) -> None:
    """It knows each line, or it would say which it does not."""
    assert analyze("verify", str(unit)) == ""


def test_systemd_would_name_a_line_that_it_does_not_know(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("ProtectClock=yes", "ProtectClocks=yes"))
    assert "ProtectClocks" in analyze("verify", str(unit))


def test_the_service_can_do_little_else_than_its_work(unit: Path) -> None:
    told = analyze("security", "--offline=yes", "--no-pager", str(unit))
    [exposure] = re.findall(r"exposure level for \S+: ([\d.]+)", told)
    assert float(exposure) <= MOST_EXPOSED, told


def test_the_watchdog_waits_for_many_heartbeats() -> None:
    """So that a machine that is busy for a moment costs nothing."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read_string(UNIT.read_text())
    assert int(unit["Service"]["WatchdogSec"]) >= 10 * lifecycle._HEALTH_INTERVAL
    assert unit["Service"]["Type"] == "notify"
