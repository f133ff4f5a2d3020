"""Whether a stream gets colours: https://no-color.org, the convention that programs for terminals share."""

import os
from typing import TextIO


def colored(stream: TextIO | None) -> bool:
    """Whether `stream` is a terminal that shows colours, and nobody has asked for none with NO_COLOR."""
    if stream is None or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()
