"""The documents say what is so: their tables, links, command lines and examples are held against the code."""

import argparse
import json
import re
import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest

from config.settings import SETTINGS, default_text, load_settings
from config.streams import load_streams
from models.statistics.registry import STATISTICS, Percentiles, find_statistic, is_statistic
from scheduler_app.checks.recomputation import Given, recompute, recompute_age
from scheduler_app.management import build_parser, command_names, load_command
from tests.support.reference import agrees, reference
from tests.unit.one_window import taken
from tests.unit.test_layout import ROOMS

ROOT = Path(__file__).parents[2]
LARGEST_README = 14_000  # bytes
README = ROOT / "README.md"
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
PICTURES = sorted((ROOT / "docs").rglob("*.svg"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, language: str) -> list[str]:
    """Return the fenced blocks of a document that are in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)


def spans(path: Path) -> list[str]:
    """Return what stands between single backticks in a document."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`]+)`", text)


def table(path: Path, *headings: str) -> list[list[str]]:
    """Return the rows of the table with these headings, as the texts of their cells."""
    lines = iter(path.read_text().splitlines())
    wanted = f"| {' | '.join(headings)} |"
    assert wanted in lines, f"{name_of(path)} has no table {wanted}"
    assert set(next(lines)) == set("|-")
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
        assert len(rows[-1]) == len(headings), line
    return rows


class Call(NamedTuple):
    """One command line with manage.py, and the settings that stand before it."""

    arguments: list[str]
    environment: dict[str, str]


def calls(text: str) -> Iterator[Call]:
    """Yield what is called in a line of a shell; text with COMMAND or … is no call but a pattern."""
    for part in re.split(r" && | \|\| | \| |; ", text):
        if "manage.py" not in part or "…" in part or "COMMAND" in part:
            continue
        words = shlex.split(part.partition(" > ")[0], comments=True)
        place = next(index for index, word in enumerate(words) if word.endswith("manage.py"))
        before = (word.partition("=") for word in words[:place] if re.match(r"[A-Z_]+=", word))
        yield Call(words[place + 1 :], {name: value for name, _, value in before})


def documented_calls() -> Iterator[tuple[str, Call]]:
    for path in DOCUMENTS:
        lines = [line for block in blocks(path, "sh") for line in block.splitlines()]
        for line in [*lines, *spans(path)]:
            yield from ((name_of(path), call) for call in calls(line))
    for path in PICTURES:
        title = ET.parse(path).getroot()[0]
        yield from ((name_of(path), call) for call in calls(str(title.text)))


CALLS = list(documented_calls())


def parser_of(command: str) -> argparse.ArgumentParser:
    return build_parser(command, load_command(command))


@pytest.fixture(autouse=True)
def in_a_folder_with_what_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").symlink_to(ROOT / "config")


def test_the_readme_is_short() -> None:
    assert len(README.read_bytes()) <= LARGEST_README


def test_the_calls_are_found_wherever_they_stand() -> None:
    assert list(calls("cd x && A_B='c d' .venv/bin/python manage.py stats --sort -5min > tables.txt")) == [
        Call(["stats", "--sort", "-5min"], {"A_B": "c d"})
    ]
    assert list(calls("python manage.py help COMMAND")) == []
    for name in ("README.md", "docs/many-sensors.md", "docs/running-it.md", "docs/pictures/history.svg"):
        assert any(where == name for where, _ in CALLS)


@pytest.mark.parametrize(("where", "call"), CALLS, ids=lambda value: str(value)[:60])
def test_each_command_line_of_the_documents_is_understood(where: str, call: Call) -> None:
    match call.arguments:
        case [] | ["help"] | ["--version"]:
            pass
        case ["help", name] | [name, "--help"]:
            load_command(name)
        case [name, *rest]:
            parser = parser_of(name)
            if name == "history" and not rest:
                rest = ["SERIES"]  # where a command is only named
            joined = re.sub(r"--sort -", "--sort=-", shlex.join(rest))
            options = vars(parser.parse_args(shlex.split(joined)))
            flags = {key: value for key, value in options.items() if key in SETTINGS}
            load_settings({key.lower(): value for key, value in call.environment.items()} | flags)
    assert {key.lower() for key in call.environment} <= SETTINGS.keys()


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_each_file_that_a_command_line_names_is_there(path: Path) -> None:
    named = r"(?:tests|config|docs)/[\w./-]+|requirements[\w-]*\.txt|docker-compose[\w-]*\.yml|\.ci/run"
    for block in blocks(path, "sh"):
        for name in re.findall(rf"(?<![\w./-])(?:{named})", block):
            assert (ROOT / name).exists(), name


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_each_file_and_folder_of_the_code_that_is_named_is_there(path: Path) -> None:
    for text in spans(path):
        if re.fullmatch(
            r"(?:scheduler_app|models|jobs|config|tests|docs)/[\w./-]*|[\w-]+\.(?:py|toml)", text
        ):
            assert (ROOT / text).exists(), text


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_each_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        linked = (path.parent / name).resolve() if name else path
        assert linked.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in headings}


def test_each_document_is_linked_from_another() -> None:
    linked = {
        (path.parent / target.partition("#")[0]).resolve()
        for path in DOCUMENTS
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text())
    }
    assert set(DOCUMENTS) - linked <= {README}
    assert set(PICTURES) <= linked


def test_the_table_of_commands_has_each_command_and_no_flag_that_there_is_not() -> None:
    rows = table(README, "command", "what it does")
    assert sorted(row[0].strip("`") for row in rows) == command_names()
    for name, text in rows:
        known = parser_of(name.strip("`")).format_help()
        for flag in re.findall(r"`(--[a-z-]+)", text):
            assert re.search(rf"{flag}(?![\w-])", known), f"{name} {flag}"


def test_the_table_of_rooms_has_each_room() -> None:
    rows = table(ROOT / "docs" / "how-it-is-built.md", "room", "what is in it")
    named = {name.strip("`").rstrip("/") for name, _ in rows}
    assert {room for room in ROOMS if (ROOT / room).is_dir()} <= named


def test_the_arrows_between_rooms_are_allowed() -> None:
    """An arrow may leave out what is on the way, but none leads where a room may not import from."""
    [diagram] = [block for block in blocks(ROOT / "docs" / "how-it-is-built.md", "mermaid") if "TD" in block]
    short = {room.rpartition("/")[2]: room for room in ROOMS}
    arrows = re.findall(r"^ +(\w+) --> (.+)$", re.sub(r'\["[^"]*"\]', "", diagram), re.MULTILINE)
    assert arrows
    for source, targets in arrows:
        assert {short[target] for target in targets.split(" & ")} <= ROOMS[short[source]], source


def test_the_table_of_settings_has_each_setting_with_its_default() -> None:
    rows = table(README, "setting", "default", "meaning")
    assert {name.strip("`").lower(): default.strip("`") for name, default, _ in rows} == {
        name: default_text(name) for name in SETTINGS
    }


def test_the_settings_of_the_readme_are_allowed() -> None:
    lines = [line for block in blocks(README, "sh") for line in block.splitlines() if re.match("[A-Z]", line)]
    settings = dict(line.split("=", 1) for line in lines)
    assert settings["BROKER"].startswith("mqtts://")  # or the password went out in clear
    loaded = load_settings({name.lower(): value for name, value in settings.items()})
    assert loaded.topic == settings["TOPIC"]


def test_the_stream_files_of_the_documents_can_be_loaded(tmp_path: Path) -> None:
    found = [block for path in DOCUMENTS for block in blocks(path, "toml")]
    assert found
    for block in found:
        if 'format = "sparkplug_b"' in block and find_spec("google") is None:
            continue  # its library is needed by nobody else
        path = tmp_path / "streams.toml"
        path.write_text(block)
        assert load_streams(path, load_settings().windows, 2100.0, "STATS")


def test_the_json_of_the_documents_is_json() -> None:
    found = [block for path in DOCUMENTS for block in blocks(path, "json")]
    assert found
    assert all(json.loads(block) for block in found)


def test_each_statistic_is_defined_with_an_example_that_is_right() -> None:
    path = ROOT / "docs" / "statistics.md"
    at = datetime.fromisoformat("2026-11-26T12:01:00Z").timestamp()
    readings = [
        (datetime.fromisoformat(f"2026-11-26T{time}Z").timestamp(), float(value))
        for time, value in table(path, "time", "value")
    ]
    assert len(readings) == 5
    begin, before, inside = at - 60, readings[0], readings[1:]
    assert before[0] <= begin < inside[0][0]
    rows = table(path, "statistic", "definition", "example")
    documented = {name.strip("`"): definition for name, definition, _ in rows}
    for statistic in STATISTICS:
        names = [name for name in documented if statistic.called(name)]
        assert names, f"{statistic.name} is not in {name_of(path)}"
        # of those that are named alike, it says in the table which they are
        assert documented[names[0]].endswith(statistic.definition)
        assert isinstance(statistic, Percentiles) or documented[names[0]] == statistic.definition
    for name, _, example in rows:
        assert is_statistic(name.strip("`"))
        expected = reference(name.strip("`"), at, inside, begin=begin, before=before)
        assert agrees(name.strip("`"), float(example), expected, 26.0), name


RULE = re.compile(r"^\| (`[^`]*`)? ?\| ([^|]* at [^|]*) \| (\w+) \| `(\w+)` \| (\S+) \|$", re.MULTILINE)
RULES = RULE.findall((ROOT / "docs" / "statistics.md").read_text())


@pytest.mark.parametrize("example", RULES)
def test_each_example_of_a_rule_is_right(tmp_path: Path, example: Sequence[str]) -> None:
    """By what ticks compute, and by what audits compute."""
    keys, readings, window, statistic, expected = example
    path = tmp_path / "streams.toml"
    path.write_text(f'[[stream]]\ntopic="a"\nwindows="{window}"\nstatistics=["rate"]\n{keys.strip("`")}\n')
    [stream] = load_streams(path, (), 4000.0, "STATS")
    found = re.findall(r"([\d.]+) at (-?\d+) s", readings.replace("\N{MINUS SIGN}", "-"))
    pairs = [(float(time), float(value)) for value, time in found]
    assert len(pairs) == readings.count(" at ")
    at = max(0.0, pairs[-1][0])
    ours = taken(pairs, stream.windows[0].seconds, at=at, rules=stream.rules).get(statistic)
    begin = at - stream.windows[0].seconds
    inside = [pair for pair in pairs if pair[0] > begin]
    before = next((pair for pair in reversed(pairs) if pair[0] <= begin), None)
    given = Given(
        *(at, [time for time, _ in inside], [value for _, value in inside], begin, before),
        *(stream.hold, stream.reset_below, stream.per),
    )
    audited = recompute_age(given) if statistic == "age" else recompute(statistic, given)
    if expected == "null":
        assert ours is audited.value is None
    else:
        assert ours == pytest.approx(float(expected), rel=1e-9, abs=1e-9)
        assert audited.value == pytest.approx(float(expected), rel=1e-9, abs=1e-9)


def test_there_is_an_example_of_each_key_and_of_each_statistic_that_has_rules() -> None:
    assert {keys.strip("`").partition(" ")[0] for keys, *_ in RULES} == {"", "hold", "reset_below", "per"}
    assert {"rate", "time_weighted_avg", "circular_avg", "age"} <= {row[3] for row in RULES}


def test_the_document_says_which_statistics_a_held_value_has() -> None:
    text = (ROOT / "docs" / "statistics.md").read_text()
    [names] = re.findall(r"and `hold`: (.*?) are that value", text, re.DOTALL)
    held = {
        entry.name
        for entry in STATISTICS
        if (found := find_statistic(entry.examples[0])) is not None and found.of_held is not None
    }
    assert set(re.findall(r"`(\w+)`", names)) == held


def test_the_document_says_which_statistics_are_exact() -> None:
    text = (ROOT / "docs" / "statistics.md").read_text()
    [sentence] = re.findall(r"^(.*) are right to the last bit", text, re.MULTILINE)
    exact = [statistic.name for statistic in STATISTICS if statistic.exact]
    assert sorted(re.findall(r"`([a-z_]+)`", sentence)) == sorted(exact)
