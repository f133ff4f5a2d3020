import math
from pathlib import Path

import pytest

from config.settings import load_settings
from scheduler_app.commands.history import Command
from scheduler_app.management import build_parser, main
from tests.unit.database_file import store_readings

pytestmark = pytest.mark.usefixtures("restored_log")

NOW = 1_700_000_000.0
READINGS = [(NOW + 10 * number, value) for number, value in enumerate([0.1, 0.2, 0.3, 1e9, 0.7])]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "test.db"
    store_readings(path, {"home/attic": READINGS, "home/cellar": [(NOW, 1.0)], "x\x1b": [(NOW, 1.0)]})
    return path


def run(path: Path, *arguments: str) -> int:
    return main(["manage.py", "history", "--db-file", str(path), *arguments])


def test_csv_has_every_digit(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(path, "home/attic", "--csv", "--window", "20s") == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header == "time,value,avg_20s"
    expected = []
    for at, value in READINGS:
        inside = [other for time, other in READINGS if at - 20 < time <= at]
        expected.append((at, value, math.fsum(inside) / len(inside)))
    assert [tuple(map(float, line.split(","))) for line in lines] == expected


def test_since_takes_the_last_and_their_averages_are_those_of_whole_windows(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = Command(now=lambda: NOW + 45)
    arguments = ["home/attic", "--csv", "--window", "20s", "--since", "10s"]
    options = build_parser("history", command).parse_args(arguments)
    command.handle(options, load_settings({"db_file": str(path)}))
    assert capsys.readouterr().out.splitlines()[1:] == [f"{NOW + 40!r},0.7,{(1e9 + 0.7) / 2!r}"]


def test_a_plot_fills_the_terminal(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    monkeypatch.setenv("LINES", "20")
    assert run(path, "home/attic", "--window", "20s") == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 18
    assert "home/attic" in out
    assert "avg_20s" in out


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("home/atic", "Did you mean home/attic or home/cellar?"),
        ("CELLAR", "Did you mean home/cellar?"),
        ("x", "Did you mean x\\x1b?"),
        ("zzz\x1b", "'manage.py series' lists them."),
    ],
)
def test_an_unknown_series_suggests_the_nearest(
    path: Path, capsys: pytest.CaptureFixture[str], typed: str, hint: str
) -> None:
    assert run(path, typed) == 1
    err = capsys.readouterr().err
    assert hint in err
    assert err.isascii()
    assert err.removesuffix("\n").isprintable()


def test_no_readings_in_that_time_is_told(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(path, "home/attic", "--since", "1min") == 1
    assert capsys.readouterr().err == "Error: home/attic has no readings in the time that --since asks for\n"


@pytest.mark.parametrize("arguments", [(), ("a", "--window", "0s"), ("a", "--since", "5")])
def test_a_wrong_call_is_one_line(
    path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert run(path, *arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1
