"""What the leader does beside publishing."""

import threading
from typing import Any, cast

import pytest

from models.storage.errors import StoreUnavailable
from models.storage.interface import WritingStore
from scheduler_app.averages.chores import Chores


class Leader:
    def __init__(self) -> None:
        self.closed = 0
        self.lock = threading.Lock()
        store: Any = self
        self.chores = Chores(cast(WritingStore, store), self.lock)
        self.done: list[str] = []

    def close(self) -> None:
        self.closed += 1

    def task(self, name: str, rounds: int = 1) -> None:
        """Submit a task that has so many parts; the last of them stops the thread if it is called `stop`."""
        left = iter(range(rounds - 1, -1, -1))

        def part() -> bool:
            assert self.lock.locked()
            self.done.append(name)
            if name == "stop":
                self.chores.stop()
            return next(left) > 0

        self.chores.submit(part)


@pytest.fixture
def leader() -> Leader:
    return Leader()


def test_tasks_are_done_part_by_part_in_turn(leader: Leader) -> None:
    """Under the lock of whatever else changes the catalog; and the connection is closed when all is done."""
    leader.task("a", 3)
    leader.task("b", 2)
    leader.task("stop", 1)
    leader.chores.run()
    assert leader.done == ["a", "b", "stop"]
    assert leader.closed == 2


def test_what_goes_wrong_with_one_keeps_no_other_from_being_done(
    leader: Leader, log_lines: list[str]
) -> None:
    def unavailable() -> bool:
        raise StoreUnavailable("disk full")

    def broken() -> bool:
        raise ZeroDivisionError

    leader.chores.submit(unavailable)
    leader.chores.submit(broken)
    leader.task("stop")
    leader.chores.run()
    assert leader.done == ["stop"]
    assert "disk full" in log_lines[0]
    assert "ZeroDivisionError" in log_lines[1]
    assert log_lines[2] == "INFO: the database can be written again"
    assert not leader.lock.locked()
