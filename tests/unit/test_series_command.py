import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler_app.management import main
from tests.unit.database_file import RETENTION, store_readings

NOW = 1_700_000_000.0

pytestmark = pytest.mark.usefixtures("restored_log")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "test.db"
    often = [(NOW + 6 * number, 1.0) for number in range(11)]
    store_readings(path, {"b/x": often, "a/x": [(NOW - 60, 1.0), (NOW, 2.0)], "c\x1b[2J": [(NOW, 1.0)]})
    return path


def shown(capsys: pytest.CaptureFixture[str], path: Path, *arguments: str) -> str:
    assert main(["manage.py", "series", "--db-file", str(path), *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def names(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines()[2:]]


def test_a_row_has_count_rate_and_times(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, path) == (
        "series      count    per minute  first (UTC)          last (UTC)\n"
        "--------  -------  ------------  -------------------  -------------------\n"
        "a/x             2             1  2023-11-14 22:12:20  2023-11-14 22:13:20\n"
        "b/x            11            10  2023-11-14 22:13:20  2023-11-14 22:14:20\n"
        "c\\x1b[2J        1             -  2023-11-14 22:13:20  2023-11-14 22:13:20\n"
    )


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("count", ["c\\x1b[2J", "a/x", "b/x"]),
        ("-count", ["b/x", "a/x", "c\\x1b[2J"]),
        ("-rate", ["b/x", "a/x", "c\\x1b[2J"]),
        ("rate", ["a/x", "b/x", "c\\x1b[2J"]),
        ("first", ["a/x", "b/x", "c\\x1b[2J"]),
        ("-name", ["c\\x1b[2J", "b/x", "a/x"]),
    ],
)
def test_rows_are_sorted(
    path: Path, capsys: pytest.CaptureFixture[str], order: str, expected: list[str]
) -> None:
    assert names(shown(capsys, path, "--sort", order)) == expected


def test_numbers_in_names_are_sorted_as_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rooms.db"
    store_readings(path, {name: [(NOW, 1.0)] for name in ("room10", "room9", "room1")})
    assert names(shown(capsys, path)) == ["room1", "room9", "room10"]
    assert names(shown(capsys, path, "--sort", "-name")) == ["room10", "room9", "room1"]
    assert names(shown(capsys, path, "--sort", "count")) == ["room1", "room9", "room10"]


def test_the_heading_names_the_zone(
    path: Path, capsys: pytest.CaptureFixture[str], in_zone: Callable[[str], None]
) -> None:
    in_zone("Asia/Kolkata")
    heading, _, first, *_ = shown(capsys, path).splitlines()
    assert "first (UTC+05:30)" in heading
    assert "2023-11-15 03:42:20" in first


def test_a_filter_is_one_of_mqtt(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert names(shown(capsys, path, "--filter", "+/x")) == ["a/x", "b/x"]
    assert shown(capsys, path, "--filter", "x/#") == "no series matches x/#\n"


def test_json_is_an_object_a_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [line] = shown(capsys, path, "--filter", "b/#", "--format", "json").splitlines()
    assert json.loads(line) == {
        "series": "b/x",
        "topic": "b/x",
        "field": "",
        "count": 11,
        "per_minute": 10.0,
        "first": NOW,
        "last": NOW + 60,
        "since": NOW,
        "retention": RETENTION,
    }


def test_a_long_name_is_cut_in_a_table_and_whole_in_json(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = f"a/{'x' * 1000}/end"
    store_readings(path, {long: [(NOW, 1.0)]})
    text = shown(capsys, path)
    assert max(map(len, text.splitlines())) < 160
    assert "…" in text
    assert "xxx/end " in text
    names_in_json = [
        json.loads(line)["series"] for line in shown(capsys, path, "--format", "json").splitlines()
    ]
    assert long in names_in_json


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sort", "age"], "'age' must be one of name, count, rate, first, last; a - before it"),
        (["--filter", "a/#/b"], "sensors/+/temp"),
        (["--format", "nonsense"], "'nonsense' must be json or a format of tabulate: "),
    ],
)
def test_a_wrong_argument_is_one_line(
    path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["manage.py", "series", "--db-file", str(path), *arguments]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_without_a_database_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manage.py", "series", "--db-file", str(tmp_path / "none.db")]) == 1
    assert "does not exist: the subscriber creates it when it first runs" in capsys.readouterr().err
