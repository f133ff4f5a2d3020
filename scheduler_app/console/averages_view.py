"""Shows the averages over all readings together, as they are published."""

import json
import time
from collections.abc import Callable, Mapping
from queue import Empty
from typing import Protocol

from loguru import logger

from config.settings import Settings
from scheduler_app.console.absence import Absence
from scheduler_app.console.inbox import Inbox
from scheduler_app.console.table import render
from scheduler_app.formatting import local_text, number_text, zone_text
from scheduler_app.log import LogLimit, more_like_it
from scheduler_app.mqtt.message import Message
from scheduler_app.publishing.messages import InvalidMessage, parse_averages, parse_state
from scheduler_app.publishing.topics import state_topic

Averages = Mapping[str, float | None]

# The least characters of a column: as many as a float with six significant digits can take.
_NARROWEST = 13
# What stands in place of the time of averages that were published before we came.
_EARLIER = "earlier"


class Printer(Protocol):
    """How averages are printed."""

    def text(self, averages: Averages, at: float | None) -> str:
        """Return what to print of averages that came at this time; None if that was before we came."""


class Lines:
    """A line each time, under one heading, in columns that stay where they are."""

    def __init__(self) -> None:
        self._names: list[str] = []

    def text(self, averages: Averages, at: float | None) -> str:
        names, lines = list(averages), []
        widths = [max(len(name), _NARROWEST) for name in names]
        heading = f"time ({zone_text()})"
        # as wide as a time, or as the heading where the zone has minutes
        first = max(len(local_text(0)), len(heading))
        if names != self._names:
            self._names = names
            lines.append(_line(heading, names, first, widths))
        cells = [_fitting(value, width) for value, width in zip(averages.values(), widths, strict=True)]
        lines.append(_line(_EARLIER if at is None else local_text(at), cells, first, widths))
        return "\n".join(lines)


class Tables:
    """A table each time."""

    def __init__(self, table_format: str) -> None:
        self._format = table_format

    def text(self, averages: Averages, at: float | None) -> str:
        return render(averages, self._format)


class Json:
    """The message itself, with every digit."""

    def text(self, averages: Averages, at: float | None) -> str:
        return json.dumps(averages)


class AveragesView:
    """Takes messages from `inbox` until there is None, and prints the averages in them."""

    def __init__(
        self,
        settings: Settings,
        inbox: Inbox,
        printer: Printer,
        *,
        once: bool = False,
        connected: Callable[[], bool] = lambda: True,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`now` tells UTC epoch seconds, `connected` whether there is a connection to the broker."""
        self._state_topic = state_topic(settings)
        self._inbox = inbox
        self._printer = printer
        self._once = once
        self._now = now
        self._warnings = LogLimit()
        self._absence = Absence("there are no newer averages", connected)

    def run(self) -> None:
        """Print what comes until the inbox ends; with `once`, a single time."""
        while True:
            self._absence.look()
            try:
                message = self._inbox.get(timeout=self._absence.patience())
            except Empty:
                continue
            if message is None:
                return
            averages = self._read(message)
            if averages is None:
                continue
            print(self._printer.text(averages, None if message.retained else self._now()), flush=True)
            if self._once:
                if message.retained:  # of when, nobody can tell
                    self._absence.settle(self._inbox, self._read)
                return

    def _read(self, message: Message) -> Averages | None:
        """Return the averages in a message; None if there are none, as in that of the subscriber's state."""
        try:
            if message.topic != self._state_topic:
                return parse_averages(message.payload)
            self._absence.heard(parse_state(message.payload))
        except InvalidMessage as error:
            if (held := self._warnings.allows(error.reason)) is not None:
                logger.warning(
                    "a message on {} was ignored, since it does not come from a subscriber: {}{}",
                    message.topic,
                    error,
                    more_like_it(held),
                )
        return None


def _line(first: str, cells: list[str], width: int, widths: list[int]) -> str:
    texts = [f"{cell:>{wide}}" for cell, wide in zip(cells, widths, strict=True)]
    return "  ".join([f"{first:<{width}}", *texts])


def _fitting(value: float | None, width: int) -> str:
    text = number_text(value)
    return text if value is None or len(text) <= width else f"{value:.6g}"
