"""`manage.py` itself: help, mistakes, and where settings come from."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import SETTINGS
from models.storage.sqlite.opening import prepare
from tests.conftest import MakeRole
from tests.support.brokers import Mosquitto
from tests.support.processes import MANAGE, ROOT, manage, settings_only

COMMANDS = sorted(
    path.stem.replace("_", "-")
    for path in (ROOT / "scheduler_app" / "commands").glob("*.py")
    if path.stem != "__init__"
)


def test_help_lists_every_command(tmp_path: Path) -> None:
    """With or without `help`, each file in the commands' folder has its line."""
    done = manage("help", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    listed = [line.split()[0] for line in done.stdout.splitlines() if re.match(r"  \S", line)]
    assert sorted(listed) == COMMANDS
    assert {"broker", "check", "publisher", "runbroker-clients", "stats", "subscriber"} <= set(listed)
    assert manage(folder=tmp_path).stdout == done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(command: str, tmp_path: Path) -> None:
    """`help COMMAND` explains each setting, with its default, and leaves nothing behind."""
    done = manage("help", command, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"manage.py {command}" in done.stdout
    words = done.stdout.split()
    settings = [name for name in SETTINGS if f"--{name.replace('_', '-')}" in words]
    assert "log_level" in settings
    assert " ".join(words).count("(default: ") >= len(settings)
    assert list(tmp_path.iterdir()) == []


def test_help_flag(tmp_path: Path) -> None:
    """`COMMAND --help` says the same."""
    assert (
        manage("stats", "--help", folder=tmp_path).stdout == manage("help", "stats", folder=tmp_path).stdout
    )


def test_unknown_command(tmp_path: Path) -> None:
    """The nearest command is suggested."""
    done = manage("runbrokers-client", folder=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert "runbrokers-client" in line
    assert "runbroker-clients" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ("publisher", "--count", "0"),
        ("publisher", "--min-interval", "5s", "--max-interval", "4s"),
        ("publisher", "--topic", "sensors/+"),
        ("publisher", "--db-file", "x.db"),
        ("stats", "--format", "clay"),
        ("broker", "--port", "70000"),
        ("subscriber", "--broker", "mqtt://sensor:horse@localhost"),
        ("subscriber", "--windows", "1h", "--retention", "5min"),
    ],
    ids=" ".join,
)
def test_wrong_arguments(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """A wrong argument is one line, status 2, and nothing was begun."""
    done = manage(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "horse" not in line
    assert list(tmp_path.iterdir()) == []


def test_wrong_settings(tmp_path: Path) -> None:
    """Each wrong setting has a line with its name, its value and what it must be."""
    wrong = {"WINDOWS": "1min,soon", "STATS_INTERVAL": "fast", "LOG_LEVEL": "loud", "BROKER": "a b"}
    done = manage("subscriber", folder=tmp_path, environment=wrong)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == len(wrong)
    for name, value in wrong.items():
        [line] = [line for line in lines if f"{name}=" in line]
        assert value.lower() in line.lower()
        assert len(line.partition(" must be ")[2]) > 10


def test_where_settings_come_from(mosquitto: Mosquitto, make_role: MakeRole, tmp_path: Path) -> None:
    """`.env` is read, the environment wins over it, and a flag wins over both."""
    (tmp_path / ".env").write_text("TOPIC=from/file\nCLIENT_ID=named-in-file\n")

    def subscribed_topic(*arguments: str, **environment: str) -> str:
        before = len(mosquitto.packets(subscribed))
        make_role("subscriber", *arguments, broker=mosquitto, **environment).start_and_wait().end()
        [line] = mosquitto.packets(subscribed)[before:]
        return line.rpartition(" ")[2]

    subscribed = "named-in-file-subscriber 1 "
    assert subscribed_topic() == "from/file"
    assert subscribed_topic(TOPIC="from/environment") == "from/environment"
    assert subscribed_topic("--topic", "from/flag", TOPIC="from/environment") == "from/flag"


@pytest.mark.parametrize("arguments", [["help"], ["stats", "--help"]])
@pytest.mark.parametrize("buffered", [True, False])
def test_an_output_without_room_is_told_in_one_line(
    tmp_path: Path, arguments: list[str], *, buffered: bool
) -> None:
    """Also where each line is written at once, as in a container, or there is more than a buffer holds."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, str(MANAGE), *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=settings_only({} if buffered else {"PYTHONUNBUFFERED": "1"}),
            timeout=60,
            check=False,
        )
    line = "Error: standard output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, line)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_are_nothing_wrong(tmp_path: Path, closed: str) -> None:
    """Whoever starts a role in the background may close them; the database must not take their numbers."""
    prepare(tmp_path / "test.db")
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, str(MANAGE), "series"],
        cwd=tmp_path,
        env=settings_only({"DB_FILE": "test.db"}),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout == (b"" if ">&-" in closed.split() else b"there are no series\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_current_folder_that_is_gone_is_told_in_one_line(tmp_path: Path, command: str) -> None:
    """It was deleted, and made anew by a clone: a shell is still in the old one."""
    folder = tmp_path / "gone"
    folder.mkdir()
    done = subprocess.run(
        ["sh", "-c", f'rmdir {folder}; exec "$@"', "sh", sys.executable, str(MANAGE), command],
        cwd=folder,
        env=settings_only({}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    line = "Error: the current folder is not there any more: go to one that is, by 'cd'\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", line)
