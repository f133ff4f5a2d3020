"""What the texts of settings stand for. ValueError says what is allowed."""

import re
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from stat import S_ISREG

from config.quantities import LONGEST_DURATION, Window, each_of, format_duration, parse_duration
from config.stream_keys import read_windows
from config.topics import check_topic_filter

# In a list of hosts: whatever the name is.
ANY_HOST = "*"
_HOST_NAME = re.compile(r"(?!-)[\w-]{1,63}(?:\.[\w-]{1,63})*\.?", re.ASCII)
_TOKEN = re.compile(r"[!-~]{16,256}")


def duration(least: float, most: float = LONGEST_DURATION) -> Callable[[str], float]:
    """Return what reads a duration within these bounds, in seconds."""

    def read(text: str) -> float:
        seconds = parse_duration(text)
        if not least <= seconds <= most:
            bounds = f"from {format_duration(least)} to {format_duration(most)}"
            raise ValueError(f"must be a duration {bounds}")
        return seconds

    return read


def windows(text: str) -> tuple[Window, ...]:
    """Read windows, separated by commas."""
    return read_windows(text.split(","))


def path(text: str) -> Path:
    """Read a path, in which ~ stands for the user's home, wherever it was written."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError("must begin with no ~, or with that of a user who has a home folder") from None


def existing_file(text: str) -> Path:
    """Read the path of a file that exists."""
    found = path(text)
    try:
        if S_ISREG(found.stat().st_mode):
            return found
    except PermissionError:
        raise ValueError("must be a file in a folder that we may enter") from None
    except OSError:  # there is none, or its name is too long for one
        pass
    raise ValueError("must be an existing file")


def client_id(text: str) -> str:
    """Read the prefix of client ids."""
    if not (0 < len(text) <= 64 and text.isascii() and text.isprintable()):
        raise ValueError("must be 1 to 64 printable ASCII characters")
    return text


def one_of(*allowed: str) -> Callable[[str], str]:
    """Return what reads one of several words."""
    *others, last = map(repr, allowed)

    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"must be {', '.join(others)} or {last}")
        return text

    return read


def mqtt_version(text: str) -> str:
    """Read a version as it is, or as Mosquitto's clients write it."""
    written = {"mqttv5": "5", "mqttv311": "3.1.1", "311": "3.1.1"}.get(text, text)
    return one_of("auto", "5", "3.1.1")(written)


def log_level(text: str) -> str:
    """Read a level of the log, in capitals or not."""
    return one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")(text.upper())


def topic_filters(text: str) -> str:
    """Read topic filters, separated by commas; return them without spaces around the commas."""
    return ",".join(each_of(map(str.strip, text.split(",")), check_topic_filter))


def filters_if_any(text: str) -> tuple[str, ...] | None:
    """Read topic filters, separated by commas, or nothing."""
    return tuple(topic_filters(text).split(",")) if text.strip() else None


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number within these bounds."""

    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


def group(text: str) -> str:
    """Return the name of a group for shared subscriptions."""
    try:
        check_topic_filter(f"$share/{text}/#")
    except ValueError:
        text = ""
    if not text or "/" in text:
        raise ValueError("must be the name of a group, without / + and #, for example averages")
    return text


def port(text: str) -> int:
    """Read a TCP port."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise ValueError("must be a port, from 1 to 65535")
    return int(text)


def host(text: str) -> str:
    """Read an IP address, or the name of a host."""
    name = text.strip().strip("[]")
    try:
        return str(ip_address(name))
    except ValueError:
        if not _HOST_NAME.fullmatch(name):
            raise ValueError("must be an IP address, such as 127.0.0.1, or the name of a host") from None
    return name.lower().removesuffix(".")


def hosts(text: str) -> tuple[str, ...]:
    """Read hosts, separated by commas, or `ANY_HOST`."""
    return (ANY_HOST,) if text.strip() == ANY_HOST else tuple(each_of(text.split(","), host))


def token(text: str) -> str:
    """Read a secret that can stand in a header of HTTP."""
    if not _TOKEN.fullmatch(text):
        raise ValueError("must be 16 to 256 letters, digits and other ASCII characters without spaces")
    return text
