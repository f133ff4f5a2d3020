"""What unit tests share: surroundings without settings for all, and the log for those who ask for it."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import hypothesis
import pytest
from loguru import logger

from config.settings import SETTINGS
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.store import Store

# A slow machine is no failure; and the suite is run often, so that few examples at a time are many.
hypothesis.settings.register_profile("unit", deadline=None, max_examples=50)
hypothesis.settings.load_profile("unit")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run each test in an empty folder, in UTC, without the settings of whoever runs it."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    for name in list(os.environ):
        if name.lower() in SETTINGS:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a database of ours, which is empty."""
    path = tmp_path / "test.db"
    prepare(path)
    return path


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """Give the store of that database."""
    store = Store(writing_database(path), "me")
    yield store
    store.close()


@pytest.fixture
def in_zone(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what puts this machine in another zone for the test."""

    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    return set_zone


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    """Collect what is logged, as `LEVEL: message`."""
    lines: list[str] = []
    handler = logger.add(
        lambda line: lines.append(line.removesuffix("\n")), format="{level}: {message}", level="DEBUG"
    )
    yield lines
    with suppress(ValueError):  # configure_log takes all handlers away
        logger.remove(handler)


@pytest.fixture
def restored_log() -> Iterator[None]:
    """Leave the logs as they were."""
    handlers, level = logging.root.handlers[:], logging.root.level
    levels = {name: logging.getLogger(name).level for name in ("apscheduler", "peewee", "paho", "rumqttd")}
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    for name, library_level in levels.items():
        logging.getLogger(name).setLevel(library_level)
    logger.remove()
    logger.configure(extra={}, patcher=lambda record: None)
    if sys.__stderr__ is not None:
        logger.add(sys.__stderr__)
