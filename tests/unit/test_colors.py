import io

import pytest

from config.colors import colored


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_a_terminal_has_colours_and_nothing_else_has() -> None:
    assert colored(Terminal())
    assert not colored(io.StringIO())
    assert not colored(None)


@pytest.mark.parametrize(
    ("name", "value", "has"), [("NO_COLOR", "0", False), ("NO_COLOR", "", True), ("TERM", "dumb", False)]
)
def test_who_wants_no_colours_gets_none(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, has: bool
) -> None:
    monkeypatch.setenv(name, value)
    assert colored(Terminal()) is has
