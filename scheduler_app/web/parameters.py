"""The parameters of a request: each is looked at, and a wrong one is told with what is allowed."""

import math
from collections.abc import Callable
from typing import TypeVar

from config.quantities import Window, parse_duration
from config.text import complaint, printable, shortened
from scheduler_app.console.order import Order
from scheduler_app.publishing.messages import is_time

T = TypeVar("T")

# So much of a wrong value is repeated.
_SHOWN = 60


class WrongRequest(Exception):
    """A request that cannot be answered. The text says what is wrong and what is allowed."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


class Parameters:
    """The parameters of one request. Asking for one that is there takes it out; `end` refuses the rest."""

    def __init__(self, given: list[tuple[str, str]]) -> None:
        self._given: dict[str, list[str]] = {}
        for name, value in given:
            self._given.setdefault(name, []).append(value)

    def take(self, name: str, parse: Callable[[str], T], default: T) -> T:
        """Return a parameter, or `default` if it is not given or empty. `parse` raises ValueError."""
        text = self._single(name)
        return default if not text else _parsed(name, text, parse)

    def several(self, name: str, parse: Callable[[str], T]) -> list[T]:
        """Return a parameter that may be given several times."""
        return [_parsed(name, text, parse) for text in self._given.pop(name, []) if text]

    def required(self, name: str) -> str:
        text = self._single(name)
        if not text:
            raise WrongRequest(f"{name} is missing")
        return text

    def end(self) -> None:
        """Raise WrongRequest if there is a parameter that nobody has asked for."""
        for name in self._given:
            raise WrongRequest(f"{_shown(name)} is no parameter of this address: docs/web.md lists them")

    def _single(self, name: str) -> str:
        texts = self._given.pop(name, [""])
        if len(texts) > 1:
            raise WrongRequest(f"{name} is given twice")
        return texts[0]


def _parsed(name: str, text: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise WrongRequest(complaint(f"{name}={_shown(text)}", str(error))) from None


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number in these bounds."""

    def parse(text: str) -> int:
        if not text.isdecimal() or len(text) > 18 or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return parse


def epoch_seconds(text: str) -> float:
    """Read a time."""
    try:
        time = float(text)
    except ValueError:
        time = math.nan
    if not is_time(time):
        raise ValueError("must be a time in UTC epoch seconds, such as 1764201600.5")
    return time


def duration(text: str) -> float:
    """Read a span of time, in seconds."""
    seconds = parse_duration(text)
    if seconds <= 0:
        raise ValueError("must be more than 0s")
    return seconds


def order(columns: tuple[str, ...]) -> Callable[[str], Order]:
    """Return what reads by what to sort: one of `columns`, or a window; with a `-` before it, descending."""

    def parse(text: str) -> Order:
        column = text.removeprefix("-")
        if column not in columns:
            try:
                column = Window.parse(column).name
            except ValueError:
                raise ValueError(
                    f"must be one of {', '.join(columns)} or a window such as 5min, with a - before it to "
                    "sort in descending order"
                ) from None
        return Order(column, text.startswith("-"))

    return parse


def one_of(*values: str) -> Callable[[str], str]:
    """Return what reads one of some words."""

    def parse(text: str) -> str:
        if text not in values:
            raise ValueError(f"must be {' or '.join(values)}")
        return text

    return parse


def _shown(text: str) -> str:
    return shortened(printable(text), _SHOWN)
