"""A line on a terminal that says what is being done, and makes room for what is printed."""

from typing import TextIO

# Columns. What is longer could wrap, and would then stay.
_LONGEST = 78


class Progress:
    """Shows one line at a time, only where there is a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shows = stream.isatty()
        self._shown = ""

    def show(self, text: str) -> None:
        """Show `text` in place of what was shown before."""
        line = text[:_LONGEST]
        if self._shows and line != self._shown:
            self._write(f"{line}…")
            self._shown = line

    def clear(self) -> None:
        """Leave an empty line."""
        if self._shown:
            self._write("")
            self._shown = ""

    def _write(self, line: str) -> None:
        # back to the first column, and away with what stands there
        self._stream.write(f"\r\x1b[K{line}")
        self._stream.flush()
