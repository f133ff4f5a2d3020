"""Types of command-line arguments. What is wrong is told with what is allowed."""

from argparse import ArgumentTypeError

from config.quantities import parse_duration


def positive(text: str) -> int:
    """Read a whole number, 1 or more."""
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is not allowed: 1 or more")
    return int(text)


def port_number(text: str) -> int:
    """Read a TCP port."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise ArgumentTypeError(f"{text!r} is not allowed: 1 to 65535")
    return int(text)


def pause(text: str) -> float:
    """Read a duration of at least 1 ms; return its seconds."""
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not allowed: {error}") from None
    if seconds < 0.001:
        raise ArgumentTypeError(f"{text!r} is not allowed: at least 1ms")
    return seconds
