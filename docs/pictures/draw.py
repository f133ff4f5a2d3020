"""Draws the pictures of the README: `.venv/bin/python -m docs.pictures.draw`, in a clone, on Linux or macOS.

A broker and a subscriber are started, half an hour of readings of a house is published, each with its
own time, and what the real commands then draw in a terminal becomes an SVG.
"""

import math
import os
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from html import escape
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.support.brokers import EmbeddedBroker
from tests.support.mqtt_client import Peer
from tests.support.processes import Role
from tests.support.terminal import Terminal
from tests.support.waiting import wait_for

FOLDER = Path(__file__).parent
COLUMNS = 104
# Seconds: how far back the readings begin, between two of one sensor, and until the live table is taken.
HISTORY, PERIOD, WATCHED = 1800, 3, 45
# Of each sensor: where it begins, how far it swings in how many seconds, its noise, and its digits.
SENSORS = {
    "home/bathroom/humidity": (58.0, 9.0, 1500, 0.8, 1),
    "home/kitchen/temperature": (21.4, 1.6, 1100, 0.35, 2),
    "home/livingroom/temperature": (20.8, 0.6, 2300, 0.1, 2),
    "home/office/co2": (780.0, 190.0, 1900, 14.0, 0),
    "house/power": (420.0, 260.0, 700, 60.0, 0),
    "outside/temperature": (6.2, 1.1, 4000, 0.15, 1),
}

# Pixels of a character cell, and of the frame around them.
CELL_WIDTH, CELL_HEIGHT, BORDER = 8.4, 18, 14
FONT = 'font-family="ui-monospace,Menlo,Consolas,monospace" font-size="14"'
BACKGROUND, FOREGROUND = "#161b22", "#d0d7de"
# What a terminal means by the colours 0 to 15 (ECMA-48, and xterm's bright ones).
PALETTE = (
    *("#484f58", "#ff7b72", "#7ee787", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", FOREGROUND),
    *("#6e7681", "#ffa198", "#56d364", "#f2cc60", "#58a6ff", "#bc8cff", "#39c5cf", "#f0f6fc"),
)
# Which dot of a braille character each bit of its code is: column and row.
BRAILLE = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))

# All but spaces, braille characters and blocks.
WORD = r"[^\s\u2800-\u28ff\u2580-\u259f]+"


class Cell(NamedTuple):
    """One character of a terminal, and its colour."""

    text: str
    colour: str


def main() -> None:
    """Draw all pictures; takes a minute."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        broker = EmbeddedBroker(folder).start()
        stack.callback(broker.end)
        settings = {**broker.environment, "TOPIC": "#", "STATS_INTERVAL": "1s", "LOG_LEVEL": "WARNING"}
        subscriber = Role(folder, "subscriber", environment=settings)
        stack.callback(subscriber.end)
        subscriber.start_and_wait()
        house = House(Random(7))
        with Peer(broker.access) as peer:
            now = time.time()
            peer.publish_all(house.readings(now - HISTORY, now))
            arguments: tuple[str, ...] = ("stats", "--all", "--live")
            with Terminal(folder, *arguments, environment=settings, lines=11, columns=COLUMNS) as terminal:
                until = now + WATCHED
                while now < until:
                    time.sleep(0.5)
                    before, now = now, time.time()
                    peer.publish_all(house.readings(before, now))
                    assert terminal.page is not None  # read, or it stops when its buffer is full
                draw("live-table", arguments, "\n".join(terminal.wait_for_page(*SENSORS)))
        arguments = ("history", "home/kitchen/temperature", "--window", "5min")
        with Terminal(folder, *arguments, environment=settings, lines=24, columns=COLUMNS) as terminal:
            wait_for(lambda: terminal.page and "UTC" in terminal.written, "the plot")
            terminal.interrupt()
            draw("history", arguments, terminal.written)


class House:
    """The sensors of a house: each value follows a wave with some noise."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def readings(self, after: float, until: float) -> Iterator[tuple[str, str]]:
        """Yield (topic, payload) of what was measured in that time (UTC epoch seconds)."""
        for number in range(math.floor(after / PERIOD) + 1, math.floor(until / PERIOD) + 1):
            at = number * PERIOD
            for topic, (middle, swing, seconds, noise, digits) in SENSORS.items():
                value = middle + swing * math.sin(at / seconds * math.tau) + self._random.gauss(0, noise)
                yield topic, f'{{"number": {value:.{digits}f}, "epochtime": {at}}}'


def draw(name: str, arguments: Iterable[str], written: str) -> None:
    """Write NAME.svg: the command, and below it what it has written to its terminal."""
    prompt = [Cell(character, PALETTE[2]) for character in "$ "]
    command = [Cell(character, PALETTE[15]) for character in f"manage.py {' '.join(arguments)}"]
    lines = [[*prompt, *command], *cells(written)]
    while not "".join(cell.text for cell in lines[-1]).strip():
        lines.pop()
    width = COLUMNS * CELL_WIDTH + 2 * BORDER
    height = len(lines) * CELL_HEIGHT + 2 * BORDER
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" {FONT}>',
        f"<title>manage.py {escape(' '.join(arguments))}</title>",
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
        *(part for number, line in enumerate(lines) for part in line_parts(line, number)),
        "</svg>",
    ]
    (FOLDER / f"{name}.svg").write_text("\n".join(parts) + "\n")


def cells(written: str) -> list[list[Cell]]:
    """Return the lines that a terminal shows; of its control sequences only colours are understood."""
    lines: list[list[Cell]] = [[]]
    colour = FOREGROUND
    for sequence, character in re.findall(r"\x1b\[([\d;?]*[A-Za-z])|([^\r])", written, re.DOTALL):
        if character == "\n":
            lines.append([])
        elif character:
            lines[-1].append(Cell(character, colour))
        elif sequence.endswith("m"):
            colour = colour_of(sequence[:-1], colour)
    return lines


def colour_of(codes: str, before: str) -> str:
    """Return the colour of what follows an SGR sequence (ECMA-48, 8.3.117)."""
    match [int(code or 0) for code in codes.split(";")]:
        case [0, *_]:
            return FOREGROUND
        case [38, 5, number, *_]:
            return PALETTE[number] if number < len(PALETTE) else FOREGROUND
        case [38, 2, red, green, blue, *_]:
            return f"#{red:02x}{green:02x}{blue:02x}"
        case [number] if 30 <= number < 38:
            return PALETTE[number - 30]
        case [number] if 90 <= number < 98:
            return PALETTE[number - 82]
    return before


def line_parts(line: list[Cell], number: int) -> Iterator[str]:
    """Yield a line: its words as text, each at its own place, and drawn characters as shapes.

    Fonts do not agree how wide a braille character or a block is.
    """
    top = BORDER + number * CELL_HEIGHT
    row = "".join(cell.text for cell in line)
    for word in re.finditer(rf"{WORD}(?: {WORD})*", row):
        start = word.start()
        while start < word.end():
            colour = line[start].colour
            end = next((i for i in range(start, word.end()) if line[i].colour != colour), word.end())
            text = row[start:end].rstrip()
            yield (
                f'<text x="{BORDER + start * CELL_WIDTH:.1f}" y="{top + 14}" fill="{colour}" '
                f'textLength="{len(text) * CELL_WIDTH:.1f}" xml:space="preserve">{escape(text)}</text>'
            )
            start = end
    shapes: dict[str, list[str]] = {}
    for place, (text, colour) in enumerate(line):
        left = BORDER + place * CELL_WIDTH
        if 0x2800 < ord(text) <= 0x28FF:
            for bit, (column, dot) in enumerate(BRAILLE):
                if (ord(text) - 0x2800) >> bit & 1:
                    across, down = left + 1 + column * CELL_WIDTH / 2, top + 1 + dot * CELL_HEIGHT / 4
                    shapes.setdefault(colour, []).append(f"M{across:.1f} {down:.1f}h2.4v2.4h-2.4z")
        elif 0x2581 <= ord(text) <= 0x2588:  # from an eighth to the full height
            height = (ord(text) - 0x2580) / 8 * (CELL_HEIGHT - 2)
            shapes.setdefault(colour, []).append(
                f"M{left:.1f} {top + CELL_HEIGHT - 1 - height:.1f}h{CELL_WIDTH - 0.8:.1f}v{height:.1f}"
                f"h-{CELL_WIDTH - 0.8:.1f}z"
            )
    for colour, paths in shapes.items():
        yield f'<path fill="{colour}" d="{"".join(paths)}"/>'


if __name__ == "__main__":
    os.umask(0o022)
    main()
