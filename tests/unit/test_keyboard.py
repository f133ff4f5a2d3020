import os
import pty
import termios
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue

import pytest

from scheduler_app.console.keyboard import Keyboard, keys_in
from tests.support.waiting import TIMEOUT


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """Make a terminal; return the end of the person, and that of the program."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    for end in (ours, theirs):
        with suppress(OSError):
            os.close(end)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("q", ["q"]),
        ("\x1b[A\x1bOB", ["up", "down"]),
        ("\x1b[5~\x1b[6~", ["page up", "page down"]),
        ("\x1b[H\x1bOF\x1b[1~\x1b[4~", ["home", "end", "home", "end"]),
        ("\x1b", ["escape"]),
        ("\r\n", ["enter", "enter"]),
        ("\x7f\x08", ["backspace", "backspace"]),
        ("aü ", ["a", "ü", " "]),
        # keys that mean nothing here: F5, Ctrl-right, Ctrl-D
        ("\x1b[15~\x1b[1;5C\x04", []),
    ],
)
def test_what_a_terminal_sends_is_a_key(text: str, keys: list[str]) -> None:
    assert list(keys_in(text)) == keys


def test_keys_are_heard_at_once_and_the_terminal_is_given_back_as_it_was(ends: tuple[int, int]) -> None:
    ours, theirs = ends
    keys: SimpleQueue[str] = SimpleQueue()
    before = termios.tcgetattr(theirs)
    with os.fdopen(os.dup(theirs), "r") as terminal, Keyboard(terminal, keys.put):
        assert not termios.tcgetattr(theirs)[3] & (termios.ICANON | termios.ECHO)
        assert termios.tcgetattr(theirs)[3] & termios.ISIG
        os.write(ours, "ß".encode()[:1])
        os.write(ours, "ß".encode()[1:] + b"\x1b[5")
        os.write(ours, b"~")
        assert [keys.get(timeout=TIMEOUT) for _ in range(2)] == ["ß", "page up"]
    assert termios.tcgetattr(theirs) == before


def test_an_input_that_is_no_terminal_is_left_alone() -> None:
    reading, writing = os.pipe()
    keys: SimpleQueue[str] = SimpleQueue()
    os.write(writing, b"q")
    with os.fdopen(reading) as pipe, Keyboard(pipe, keys.put):
        pass
    os.close(writing)
    with pytest.raises(Empty):
        keys.get_nowait()


def test_a_terminal_that_is_gone_ends_the_listening(ends: tuple[int, int]) -> None:
    ours, theirs = ends
    with os.fdopen(os.dup(theirs), "r") as terminal:
        keyboard = Keyboard(terminal, print)
        with suppress(termios.error), keyboard:
            os.close(ours)
            keyboard._thread.join(TIMEOUT)
            assert not keyboard._thread.is_alive()
