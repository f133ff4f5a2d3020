"""A real Home Assistant, in its own environment, which `make_environment.py` makes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.home_assistant.instance import HomeAssistant
from tests.support.brokers import Mosquitto
from tests.support.processes import ROOT


@pytest.fixture(scope="session")
def python() -> Path:
    """Return the Python of the environment with Home Assistant."""
    folder = Path(os.environ.get("HOME_ASSISTANT", ROOT / "tmp" / "home-assistant"))
    found = folder / "bin" / "python"
    if not found.exists():
        pytest.fail(f"{found} is not there: make_environment.py makes it")
    return found


@pytest.fixture
def home_assistant(python: Path, mosquitto: Mosquitto, tmp_path: Path) -> Iterator[HomeAssistant]:
    """Home Assistant, connected to the broker; it knows no device yet."""
    folder = tmp_path / "home-assistant"
    folder.mkdir()
    found = HomeAssistant(python, folder)
    try:
        found.start()
        found.set_up(mosquitto.port)
        yield found
    finally:
        found.process.end()
