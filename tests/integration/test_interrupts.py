"""A program that is interrupted at the worst moment: as a process, since it is the interpreter that ends."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import TIMEOUT

# A signal comes while an object is taken away, where Python drops whatever is raised.
PROGRAM = """
import signal, sys, time
from scheduler_app.interrupts import exit_status_of

class Interrupting:
    def __del__(self):
        signal.raise_signal({number})

def program():
    Interrupting()
    {then}
    return 3

sys.exit(exit_status_of(program))
"""


def run(number: int, then: str) -> "subprocess.CompletedProcess[str]":
    program = PROGRAM.format(number=int(number), then=then)
    folder = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        timeout=TIMEOUT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_comes_while_an_object_is_taken_away_ends_the_program_quietly(number: int) -> None:
    """Or it would go on, print a traceback, and listen to no further signal."""
    found = run(number, f"time.sleep({2 * TIMEOUT})")
    assert (found.returncode, found.stderr) == (0, "")


def test_an_interrupt_that_comes_as_the_last_thing_changes_nothing() -> None:
    found = run(signal.SIGINT, "pass")
    assert found.returncode in {0, 3}  # it may come again in time, or not
    assert found.stderr == ""


def test_any_other_error_where_nobody_can_catch_it_is_shown() -> None:
    found = run(9999, "pass")
    assert found.returncode == 3
    assert "Exception ignored" in found.stderr
    assert "OSError" in found.stderr
