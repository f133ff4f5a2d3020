"""Terminals that show no colours, or ASCII alone, get what they can show, and no traceback."""

from pathlib import Path

import pytest

from tests.support.processes import manage
from tests.support.terminal import Terminal
from tests.unit.database_file import store_readings

NOW = 1_700_000_000.0


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "test.db"
    store_readings(path, {"küche": [(NOW + number, float(number)) for number in range(50)]})
    return path


@pytest.mark.parametrize("arguments", [("series",), ("history", "küche"), ("rejected",)], ids=" ".join)
def test_ascii(database: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    environment = {"PYTHONIOENCODING": "ascii", "DB_FILE": str(database)}
    done = manage(*arguments, folder=tmp_path, environment=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert "k\\xfcche" in done.stdout or arguments == ("rejected",)


def test_ascii_log(tmp_path: Path) -> None:
    """What is logged, and what is told of a mistake, too."""
    environment = {"PYTHONIOENCODING": "ascii", "BROKR": "x", "TOPIC": "küche/#/x"}
    done = manage("subscriber", folder=tmp_path, environment=environment)
    assert done.returncode == 2
    assert "TOPIC=k\\xfcche/#/x must" in done.stderr


@pytest.mark.parametrize(("no_color", "has_colours"), [("", True), ("1", False)])
def test_colours(database: Path, tmp_path: Path, no_color: str, has_colours: bool) -> None:
    """They are for terminals, in the log and in plots, unless NO_COLOR is set."""
    environment = {
        "TERM": "xterm",
        "NO_COLOR": no_color,
        "DB_FILE": str(database),
        "LOGLEVEL": "a misspelt setting, which is a line in the log",
    }
    with Terminal(tmp_path, "history", "küche", environment=environment, lines=24, columns=80) as terminal:
        assert terminal.wait() == 0
    log, _, plot = terminal.written.partition("LOG_LEVEL?")
    assert "WARNING" in log
    assert "readings" in plot
    assert ("\x1b[" in log, "\x1b[" in plot) == (has_colours, has_colours)
