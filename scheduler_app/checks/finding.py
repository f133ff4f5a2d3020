"""What a check finds."""

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """How good a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


class Finding(NamedTuple):
    """What one check found, in one line."""

    level: Level
    name: str
    text: str
