"""What the subscriber does before it opens anything."""

import sys
from collections.abc import Iterator

import pytest

from scheduler_app.management import main
from scheduler_app.subscriber.role import SWITCH_INTERVAL


@pytest.fixture
def interval() -> Iterator[float]:
    """Have the interval of before again afterwards, since it is the whole process's."""
    before = sys.getswitchinterval()
    yield before
    sys.setswitchinterval(before)


def test_a_commit_need_not_wait_long_for_threads_that_compute(interval: float) -> None:
    assert interval > SWITCH_INTERVAL
    assert main(["manage.py", "subscriber", "--db-file", "/dev/null/test.db"]) == 1
    assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL)
