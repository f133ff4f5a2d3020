"""Somebody whom permissions bind, also when the tests are run by root."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Be somebody whom permissions bind while inside."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def outside_of(name: str) -> Iterator[Path]:
    """Be such a user while inside, and have the path of an empty file in a folder that may not be entered."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).touch()
        Path(folder).chmod(0o000)
        try:
            with as_ordinary_user():
                yield Path(folder, name)
        finally:
            Path(folder).chmod(0o700)
