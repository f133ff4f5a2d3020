import fcntl
import os
import pty
import struct
import termios
from collections.abc import Iterator
from contextlib import suppress

import pytest

from scheduler_app.console.screen import Screen

# Comes behind everything else that was written.
_END = b"\0"


class Terminal:
    """A terminal of 4 lines and 6 columns, and what is written to it."""

    def __init__(self) -> None:
        self._ours, theirs = pty.openpty()
        self.stream = os.fdopen(theirs, "w", encoding="utf-8")
        self.resize(lines=4, columns=6)

    def resize(self, *, lines: int, columns: int) -> None:
        fcntl.ioctl(self.stream, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    @property
    def written(self) -> str:
        """What was written since the last time: a terminal may hand it over in several pieces."""
        os.write(self.stream.fileno(), _END)
        written = b""
        while not written.endswith(_END):
            written += os.read(self._ours, 65536)
        return written.removesuffix(_END).decode().replace("\r\n", "\n")

    def close(self) -> None:
        with suppress(OSError):
            self.stream.close()
        os.close(self._ours)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


def test_it_has_a_page_of_its_own_and_gives_back_the_other(terminal: Terminal) -> None:
    with pytest.raises(ZeroDivisionError), Screen(terminal.stream):  # noqa: PT012 - it must be left
        assert terminal.written == "\x1b[?1049h\x1b[?25l\x1b[?7l"
        _ = 1 / 0
    assert terminal.written == "\x1b[?7h\x1b[?25h\x1b[?1049l"


def test_lines_are_drawn_in_place_and_what_was_below_is_gone(terminal: Terminal) -> None:
    screen = Screen(terminal.stream)
    screen.draw(["ab", "▁█"])
    assert terminal.written == "\x1b[H\x1b[2Kab\n\x1b[2K▁█\n\x1b[J"


def test_no_more_is_drawn_than_there_is_room_for(terminal: Terminal) -> None:
    screen = Screen(terminal.stream)
    assert screen.size == (6, 4)
    screen.draw(["1234567", *"abcde"])
    assert terminal.written == "\x1b[H\x1b[2K123456\n\x1b[2Ka\n\x1b[2Kb\n\x1b[2Kc"


@pytest.mark.parametrize(
    ("lines", "columns", "size"), [(0, 0, (80, 24)), (0, 6, (6, 24)), (4, 0, (80, 4)), (1, 1, (1, 1))]
)
def test_a_terminal_that_does_not_say_its_size_has_the_usual_one(
    terminal: Terminal, lines: int, columns: int, size: tuple[int, int]
) -> None:
    """A serial console has none, and would show nothing at all."""
    terminal.resize(lines=lines, columns=columns)
    assert Screen(terminal.stream).size == size


def test_what_is_left_behind_fits_and_ends_its_lines(terminal: Terminal) -> None:
    Screen(terminal.stream).leave(["1234567", "\x1b[2J"])
    assert terminal.written == "123456\n\\x1b[2\n"


def test_a_line_gives_no_orders_to_the_terminal(terminal: Terminal) -> None:
    Screen(terminal.stream).draw(["\x1b[2J", "a\u202eb"])
    assert terminal.written == "\x1b[H\x1b[2K\\x1b[2\n\x1b[2Ka\\u202\n\x1b[J"
