"""`manage.py demo`: everything in one terminal, apart from all that is real, and nothing left behind."""

import os
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.brokers import Mosquitto, missing
from tests.support.mqtt_client import Peer
from tests.support.processes import END_TIMEOUT, descendants, manage, still_running
from tests.support.terminal import Terminal
from tests.support.waiting import on_this_machine, wait_for


@pytest.fixture
def embedded_broker() -> None:
    """Skip the test where the broker that it starts is not installed."""
    if find_spec("iotcore") is None:
        missing("the embedded broker is not installed")


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Make a folder for temporary files, in which nothing may be left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.mark.usefixtures("embedded_broker")
def test_a_thousand_sensors_apart_from_what_is_real(tmp_path: Path, temporary: Path) -> None:
    """With the settings of a real installation around, none of them is used; Ctrl-C ends it all."""
    work = tmp_path / "work"
    work.mkdir()
    (work / ".env").write_text("BROKER=192.0.2.1\nTOPIC=home/#\nSTATS_TOPIC=home/averages\nDB_FILE=real.db\n")
    environment = {"TMPDIR": str(temporary), "CLIENT_ID": "real", "RETENTION": "1h"}
    with Terminal(work, "demo", environment=environment, lines=24, columns=80) as terminal:
        page = terminal.wait_for_page("1-20 of 1,000 series by name")
        assert [line.split()[0] for line in page[4:7]] == ["sensor/0", "sensor/1", "sensor/2"]
        assert max(map(len, page)) <= 80
        children = descendants(terminal.pid)
        assert len(children) == 3
        terminal.type("q")
        assert terminal.wait() == 0
        after = terminal.written.rpartition("\x1b[?1049l")[2]
    assert "sensor/0" in after
    assert "Traceback" not in terminal.written
    assert "WARNING" not in terminal.written
    assert still_running(children) == set()
    assert list(work.iterdir()) == [work / ".env"]
    assert list(temporary.iterdir()) == []


def test_at_a_broker_that_is_named_nothing_stays(
    mosquitto: Mosquitto, tmp_path: Path, temporary: Path
) -> None:
    """It keeps to topics of its own, and takes away what the broker has retained of it."""
    command = ("demo", "-b", mosquitto.environment["BROKER"], "--series", "5", "--rate", "50")
    with Peer(mosquitto.access) as peer:
        peer.publish("STATS", "somebody's", retain=True)
        with Terminal(tmp_path, *command, environment={"TMPDIR": str(temporary)}) as terminal:
            terminal.wait_for_page("1-5 of 5 series by name", "averages-demo/STATS/#")
            assert terminal.interrupt() == 0
    with Peer(mosquitto.access) as peer:
        peer.subscribe("#")
        peer.publish("last", "one")
        peer.wait_for_message("last")
        peer.wait_for_message("STATS")
        assert {message.topic for message in peer.messages} == {"STATS", "last"}


def test_without_a_terminal(tmp_path: Path) -> None:
    done = manage("demo", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: the demo needs a terminal to draw on")


@pytest.mark.usefixtures("embedded_broker")
def test_a_role_that_ends_ends_all_and_says_why(tmp_path: Path, temporary: Path) -> None:
    with Terminal(tmp_path, "demo", environment={"TMPDIR": str(temporary)}) as terminal:
        terminal.wait_for_page("of 1,000 series")
        children = descendants(terminal.pid)
        [publisher] = [
            pid for pid in children if b"\0publisher\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        os.kill(publisher, signal.SIGKILL)
        assert terminal.wait() == 1
        assert "Error: publisher ended by SIGKILL, so everything is stopped" in terminal.written
    wait_for(lambda: not still_running(children), "the end of all", on_this_machine(END_TIMEOUT))
    assert list(temporary.iterdir()) == []
