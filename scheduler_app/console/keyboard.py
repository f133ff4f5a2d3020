"""The keys that a person presses while a page of the terminal is drawn."""

import codecs
import os
import re
import select
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self, TextIO

# What terminals send for a key (ECMA-48, and xterm's cursor keys in both of their modes).
_SEQUENCES = {
    **dict.fromkeys(("\x1b[A", "\x1bOA"), "up"),
    **dict.fromkeys(("\x1b[B", "\x1bOB"), "down"),
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
    **dict.fromkeys(("\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~"), "home"),
    **dict.fromkeys(("\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~"), "end"),
    "\x1b": "escape",
    **dict.fromkeys(("\r", "\n"), "enter"),
    **dict.fromkeys(("\x7f", "\x08"), "backspace"),
}
_KEY = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z~]|O[A-Za-z])?|.", re.DOTALL)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-9;?]*|O)?\Z")
# Seconds in which the rest of a key's sequence must come; Escape alone is one that has no rest.
_REST = 0.05


class Keyboard:
    """While entered, each key goes to `press` at once, by its name or as its character.

    `press` is called in a thread of its own. Where the input is no terminal, or another program's, nothing
    happens.
    """

    def __init__(self, terminal: TextIO | None, press: Callable[[str], object]) -> None:
        self._terminal = terminal
        self._input = -1
        self._press = press
        self._former: list[Any] | None = None
        self._thread = threading.Thread(target=self._listen, name="keyboard", daemon=True)

    def __enter__(self) -> Self:
        terminal = self._terminal
        if terminal is not None and terminal.isatty() and _in_foreground(terminal.fileno()):
            self._input = terminal.fileno()
            self._former = termios.tcgetattr(self._input)
            # keys come without Enter and are not shown; Ctrl-C stays a signal
            tty.setcbreak(self._input, termios.TCSANOW)
            self._ending, self._end = os.pipe()
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._former is None:
            return
        os.close(self._end)
        self._thread.join()
        os.close(self._ending)
        # keys that were pressed since are not for the shell either
        termios.tcsetattr(self._input, termios.TCSAFLUSH, self._former)

    def _listen(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        while True:
            ready, _, _ = select.select([self._input, self._ending], [], [])
            if self._ending in ready:
                return
            text = ""
            while True:
                data = self._read()
                if not data:
                    return  # the terminal is gone
                text += decoder.decode(data)
                if not (_UNFINISHED.search(text) and select.select([self._input], [], [], _REST)[0]):
                    break
            for key in keys_in(text):
                self._press(key)

    def _read(self) -> bytes:
        try:
            return os.read(self._input, 1024)
        except OSError:
            return b""


def keys_in(text: str) -> Iterator[str]:
    """Yield the keys that a terminal has sent, those without a name or a character left out."""
    for found in _KEY.finditer(text):
        key = _SEQUENCES.get(found[0], found[0])
        if key.isprintable():
            yield key


def _in_foreground(terminal: int) -> bool:
    """Whether it is us that the terminal listens to: in the background, to change its mode would stop us."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:  # a terminal that controls no process
        return os.isatty(terminal)
