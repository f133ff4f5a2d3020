"""Types of command-line arguments. A wrong one is told with what it must be."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from ipaddress import ip_address

from config.quantities import Window, parse_duration
from config.topics import check_topic_filter
from scheduler_app.console.order import Order

# Our own formats of averages: a line each time under one heading; and the tables of the program that this one
# replaces.
LINES, ORIGINAL = "lines", "original"
# For each sensor its value and the time of its next reading are kept in memory.
_MOST_SENSORS = 100_000
# Readings a second.
_HIGHEST_RATE = 100_000.0
# What a database takes for a number of rows.
_MOST = 2**63 - 1


def positive(text: str) -> int:
    """Read a whole number, 1 or more."""
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} must be a whole number, 1 or more")
    if int(text) > _MOST:
        raise ArgumentTypeError(f"{text!r} must be {_MOST} at most")
    return int(text)


def port_number(text: str) -> int:
    """Read a TCP port."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise ArgumentTypeError(f"{text!r} must be a port, from 1 to 65535")
    return int(text)


def listening_address(text: str) -> str:
    """Read an IP address to listen on."""
    try:
        address = ip_address(text)
    except ValueError:
        address = None
    # a zone, as in fe80::1%eth0, is nothing that the broker understands
    if address is None or "%" in text:
        raise ArgumentTypeError(f"{text!r} must be an IP address, such as 127.0.0.1, or 0.0.0.0 for all")
    return str(address)


def pause(text: str) -> float:
    """Read a duration of at least 1 ms; return its seconds."""
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} {error}") from None
    if seconds < 0.001:
        raise ArgumentTypeError(f"{text!r} must be at least 1ms")
    return seconds


def sensor_count(text: str) -> int:
    """Read how many sensors to stand in for."""
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_SENSORS:
        raise ArgumentTypeError(f"{text!r} must be a whole number from 1 to {_MOST_SENSORS}")
    return int(text)


def rate(text: str) -> float:
    """Read a number of readings a second."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.001 <= value <= _HIGHEST_RATE:
        raise ArgumentTypeError(
            f"{text!r} must be readings a second, from 0.001 to {_HIGHEST_RATE:.0f}, such as 0.5 or 200"
        )
    return value


def window(text: str) -> Window:
    """Read a window, such as 5min."""
    try:
        return Window.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} {error}") from None


def topic_filter(text: str) -> str:
    """Read an MQTT topic filter."""
    try:
        return check_topic_filter(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} {error}") from None


def table_format(text: str) -> str:
    """Read a format of tabulate, or json."""
    from scheduler_app.console.table import FORMATS

    if text != "json" and text not in FORMATS:
        raise ArgumentTypeError(
            f"{text!r} must be json or a format of tabulate: {', '.join(sorted(FORMATS))}"
        )
    return text


def stats_format(text: str) -> str:
    """Read a format of averages: one of our own, or of tabulate, or json."""
    return text if text in (LINES, ORIGINAL) else table_format(text)


def order(columns: tuple[str, ...], *, windows: bool = False) -> Callable[[str], Order]:
    """Return the type of a `--sort` by one of `columns`, or by a window; with a `-` before it, descending."""

    def parse(text: str) -> Order:
        column = text.removeprefix("-")
        if column not in columns:
            try:
                if not windows:
                    raise ValueError
                column = Window.parse(column).name
            except ValueError:
                names = ", ".join(columns) + (", or a window such as 5min" if windows else "")
                raise ArgumentTypeError(
                    f"{text!r} must be one of {names}; a - before it sorts in descending order"
                ) from None
        return Order(column, text.startswith("-"))

    return parse
