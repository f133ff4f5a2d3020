"""A page of a terminal that is drawn again and again in its place (ECMA-48 and xterm's private modes)."""

import os
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TextIO

from config.text import printable

# Switch to a second page, so that the one with the history stays as it is; hide the cursor; cut off long
# lines instead of wrapping them.
_BEGIN = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_END = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME = "\x1b[H"
# Columns and lines of a terminal that does not say how many it has, such as a serial console.
_UNTOLD = os.terminal_size((80, 24))
# A line is cleared before it is written: after one that fills its line, the cursor stands on the last
# character, which would be cleared too.
_CLEAR_LINE, _CLEAR_REST = "\x1b[2K", "\x1b[J"


class Screen:
    """Shows lines on a page of its own while entered; leaving brings back what was there before."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal

    def __enter__(self) -> Self:
        self._write(_BEGIN)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._write(_END)

    @property
    def size(self) -> os.terminal_size:
        """How many columns there are, and how many lines."""
        columns, lines = os.get_terminal_size(self._terminal.fileno())
        return os.terminal_size((columns or _UNTOLD.columns, lines or _UNTOLD.lines))

    def draw(self, lines: Sequence[str]) -> None:
        """Show `lines` from the top, as far as there is room. What is not printable in them is escaped."""
        columns, height = self.size
        text = "\n".join(f"{_CLEAR_LINE}{printable(line)[:columns]}" for line in lines[:height])
        rest = f"\n{_CLEAR_REST}" if len(lines) < height else ""
        # written in one piece over the old page, so that nothing flickers
        self._write(f"{_HOME}{text}{rest}")

    def leave(self, lines: Sequence[str]) -> None:
        """Write `lines` where the history is, after the page was left: they stay there when we have gone."""
        columns, _ = self.size
        self._write("".join(f"{printable(line)[:columns]}\n" for line in lines))

    def _write(self, text: str) -> None:
        self._terminal.write(text)
        self._terminal.flush()
