"""Where settings are written: the environment, and `.env` in the current folder."""

import os
from collections.abc import Collection, Mapping
from io import StringIO
from pathlib import Path

from config.near_names import nearest
from config.setting import InvalidSettings
from config.text import printable

_FILE = Path(".env")


def written() -> dict[str, str]:
    """Return what is set by `.env`, and by the environment, which wins; by name in small letters.

    What is empty counts as not set. Raises InvalidSettings if `.env` cannot be read.
    """
    return {name: text for name, text in {**_file(), **_environment()}.items() if text is not None}


def misspelt(known: Collection[str]) -> list[str]:
    """Return a sentence for each name, in `.env` or the environment, that is nearly one of `known`."""
    capitals = [name.upper() for name in known]
    return [
        f"{printable(name.upper())} in {where} is no setting and is ignored; did you mean {near}?"
        for where, names in (("the environment", _environment()), (".env", _file()))
        for name in names
        if (near := nearest(name.upper(), capitals)) is not None
    ]


def _environment() -> dict[str, str | None]:
    return _without_empty(os.environ)


def _file() -> dict[str, str | None]:
    """Return what `.env` sets; a name that has no `=` has None."""
    try:
        if not (_FILE.is_file() or _FILE.is_fifo()):
            return {}
        text = _FILE.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f".env cannot be read: {error}") from None
    from dotenv import dotenv_values  # few have this file
    from dotenv.parser import parse_stream

    for statement in parse_stream(StringIO(text)):
        if statement.error:
            written = statement.original.string
            line = statement.original.line + written[: -len(written.lstrip())].count("\n")
            # what stands there is not shown: it may be a password
            raise InvalidSettings(f".env, line {line}: must be NAME=value, with both of its quotation marks")
    return _without_empty(dotenv_values(stream=StringIO(text)))


def _without_empty(variables: Mapping[str, str | None]) -> dict[str, str | None]:
    return {name.lower(): text for name, text in variables.items() if text != ""}
