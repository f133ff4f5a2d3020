"""`manage.py stats`: what is on standard output, and nothing else."""

import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import MakeRole
from tests.support.brokers import Mosquitto
from tests.support.mqtt_client import Peer
from tests.support.processes import MANAGE, end_well, settings_only
from tests.support.terminal import Terminal
from tests.support.waiting import TIMEOUT, wait_for

AVERAGES = '{"avg_1min": 46, "avg_5min": 45.7, "avg_30min": 47.17777777777778}'
TABLE = """\
  avg_1min    avg_5min    avg_30min
----------  ----------  -----------
        46        45.7      47.1778
"""
GITHUB = """\
|   avg_1min |   avg_5min |   avg_30min |
|------------|------------|-------------|
|         46 |       45.7 |     47.1778 |
"""


@pytest.mark.parametrize(("arguments", "expected"), [((), TABLE), (("--format", "github"), GITHUB)])
def test_once(mosquitto: Mosquitto, make_role: MakeRole, arguments: tuple[str, ...], expected: str) -> None:
    """One table, exactly as the original prints it, and the end."""
    with Peer(mosquitto.access) as peer:
        peer.publish("STATS", AVERAGES, retain=True)
    role = make_role("stats", "--once", *arguments, broker=mosquitto).start()
    assert role.wait() == 0
    assert role.stdout == expected


def test_on_a_terminal(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A person gets one heading and a line each time; the tables of the original are still to be had."""
    environment = {**mosquitto.environment, "LOG_LEVEL": "ERROR", "TZ": "Asia/Kolkata"}
    with Peer(mosquitto.access) as peer:
        with Terminal(tmp_path, "stats", environment=environment, lines=24, columns=80) as terminal:
            peer.publish("STATS", AVERAGES, retain=True)
            terminal.wait_for_text("47.1778")
            peer.publish("STATS", '{"avg_1min": null, "avg_5min": 100000.5, "avg_30min": -1}', retain=True)
            terminal.wait_for_text("100000")
            assert terminal.interrupt() == 0
        heading, *lines = terminal.written.splitlines()
        assert heading == "time (UTC+05:30)          avg_1min       avg_5min      avg_30min"
        assert [line[19:] for line in lines] == [
            "             46           45.7        47.1778",
            "              -         100000             -1",
        ]
        peer.publish("STATS", AVERAGES, retain=True)
        arguments = ("stats", "--once", "--format", "original")
        with Terminal(tmp_path, *arguments, environment=environment) as terminal:
            assert terminal.wait() == 0
    assert terminal.written.replace("\r\n", "\n") == TABLE


def test_json(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """With `--format json` each line is a message, with every digit and in its order."""
    role = make_role("stats", "--format", "json", broker=mosquitto).start_and_wait()
    with Peer(mosquitto.access) as peer:
        peer.publish("STATS", AVERAGES, '{"avg_1s": null}')
    wait_for(lambda: role.stdout.count("\n") == 2, lambda: f"two lines: {role.stdout!r}")
    first, second = map(json.loads, role.stdout.splitlines())
    assert list(first.items()) == list(json.loads(AVERAGES).items())
    assert second == {"avg_1s": None}


def test_empty_windows(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """The average of an empty window is a dash."""
    with Peer(mosquitto.access) as peer:
        peer.publish("STATS", '{"avg_1min": null, "avg_5min": 45.7}', retain=True)
    role = make_role("stats", "--once", broker=mosquitto).start()
    assert role.wait() == 0
    assert role.stdout.splitlines()[2].split() == ["-", "45.7"]


def test_bad_messages(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """What holds no averages is one warning a reason, never an end, and never on standard output."""
    # each with how many reasons there have been so far
    bad: list[tuple[bytes, int]] = [
        (b"", 1),
        (b"46", 2),
        (b"[1]", 2),
        (b"{}", 2),
        (b"\xff", 2),
        (b"[" * 50_000, 3),
        (b'{"a": "b"}', 4),
        (b'{"b": NaN}', 4),
        (b'{"\xc2\x9b": 1}', 5),
    ]
    role = make_role("stats", broker=mosquitto).start_and_wait()

    def prints(tables: int) -> bool:
        return role.stdout == TABLE * tables

    with Peer(mosquitto.access) as peer:
        for number, (payload, reasons) in enumerate(bad, start=1):
            peer.publish("STATS", payload, AVERAGES)
            wait_for(partial(prints, number), lambda: f"a table:\n{role.stdout}")
            assert len(role.complaints()) == reasons, payload


def test_closed_pipe(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """`stats | head -3` prints one table and ends quietly, when the next one is due."""
    process = subprocess.Popen(
        [sys.executable, str(MANAGE), "stats"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=settings_only(mosquitto.environment),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        with Peer(mosquitto.access) as peer:
            peer.publish("STATS", AVERAGES, retain=True)
            assert "".join(process.stdout.readline() for _ in range(3)) == TABLE
            process.stdout.close()
            peer.publish("STATS", AVERAGES)
            assert process.wait(TIMEOUT) == 0
        log = process.stderr.read()
        assert "Traceback" not in log
        assert "rror" not in log
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_full_disk(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """`stats > file` where there is no room for the file tells so in one line."""
    with Peer(mosquitto.access) as peer:
        peer.publish("STATS", AVERAGES, retain=True)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, str(MANAGE), "stats"],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=settings_only({**mosquitto.environment, "LOG_LEVEL": "WARNING"}),
            timeout=TIMEOUT,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "Error: the tables cannot be written: No space left on device\n"


def test_no_standard_output(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """`stats --once >&-` has nowhere to print to, and ends well."""
    with Peer(mosquitto.access) as peer:
        peer.publish("STATS", AVERAGES, retain=True)
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, str(MANAGE), "stats", "--once"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=settings_only({**mosquitto.environment, "LOG_LEVEL": "WARNING"}),
        timeout=TIMEOUT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_ends_well_while_tables_come(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """A signal in the midst of many messages leaves whole tables behind."""
    role = make_role("stats", broker=mosquitto).start_and_wait()
    with Peer(mosquitto.access) as peer:
        peer.publish("STATS", *[AVERAGES] * 300, qos=0)
        wait_for(lambda: TABLE in role.stdout, "a table")
        end_well(signal.SIGINT, role)
    assert role.stdout == TABLE * role.stdout.count("avg_1min")
