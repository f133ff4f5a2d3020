import io

import pytest

from config.colors import colored
from scheduler_app.checks.finding import Finding, Level
from scheduler_app.commands.check import line, summary
from scheduler_app.console.progress import Progress

OK = Finding(Level.OK, "disk", "fine")
WARN = Finding(Level.WARN, "clock", "slow")
FAIL = Finding(Level.FAIL, "broker", "none")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("finding", "plain", "color"),
    [
        (OK, "ok    disk      fine", "\x1b[32mok  \x1b[0m  disk      fine"),
        (WARN, "warn  clock     slow", "\x1b[33mwarn\x1b[0m  clock     slow"),
        (FAIL, "FAIL  broker    none", "\x1b[1;31mFAIL\x1b[0m  broker    none"),
    ],
)
def test_a_finding_is_one_line_and_its_level_has_a_color_on_a_terminal(
    finding: Finding, plain: str, color: str
) -> None:
    assert line(finding, in_color=False) == plain
    assert line(finding, in_color=True) == color


def test_what_comes_from_outside_is_never_obeyed_by_the_terminal() -> None:
    assert line(Finding(Level.OK, "a", "\x1b[2J"), in_color=True).endswith("\\x1b[2J")


@pytest.mark.parametrize(
    ("environment", "stream", "expected"),
    [
        ({}, Terminal(), True),
        ({}, io.StringIO(), False),
        ({"NO_COLOR": "1"}, Terminal(), False),
        ({"NO_COLOR": ""}, Terminal(), True),
        ({"TERM": "dumb"}, Terminal(), False),
    ],
)
def test_colors_are_for_terminals_of_those_who_want_them(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], stream: io.StringIO, expected: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert colored(stream) == expected


@pytest.mark.parametrize(
    ("found", "level", "text"),
    [
        ([OK, OK], Level.OK, "all is well"),
        ([OK, WARN], Level.WARN, "it works, with 1 warning"),
        ([WARN, WARN], Level.WARN, "it works, with 2 warnings"),
        ([OK, FAIL], Level.FAIL, "1 of 2 failed, and 0 warnings"),
        ([WARN, FAIL, FAIL], Level.FAIL, "2 of 3 failed, and 1 warning"),
    ],
)
def test_the_last_line_says_what_all_come_to(found: list[Finding], level: Level, text: str) -> None:
    assert summary(found) == Finding(level, "result", text)


def test_progress_is_one_line_that_makes_room() -> None:
    terminal = Terminal()
    progress = Progress(terminal)
    progress.clear()
    progress.show("a")
    progress.show("a")
    progress.show("b" * 100)
    progress.clear()
    assert terminal.getvalue() == f"\r\x1b[Ka…\r\x1b[K{'b' * 78}…\r\x1b[K"


def test_progress_is_shown_on_terminals_only() -> None:
    stream = io.StringIO()
    Progress(stream).show("a")
    assert stream.getvalue() == ""
