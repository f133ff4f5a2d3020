"""Which version this is. The one place that says so is pyproject.toml."""

import platform
import tomllib
from pathlib import Path

_PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def version() -> str:
    """Return the version of this project, such as 0.1.0."""
    return str(tomllib.loads(_PYPROJECT.read_text())["project"]["version"])


def version_line() -> str:
    """Return what the report of a fault should begin with: our version, that of Python, and the system."""
    return f"rolling-averages {version()} (Python {platform.python_version()}, {platform.system()})"
