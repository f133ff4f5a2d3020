"""The programs this project replaces, beside ours, in every combination."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import MakeRole
from tests.support.brokers import Mosquitto
from tests.support.database import values
from tests.support.original import OriginalPublisher, OriginalSubscriber, OriginalViewer
from tests.support.waiting import wait_for

NUMBERS = [46, 1, 100, 46, 8]
HEADINGS = ["avg_1min", "avg_5min", "avg_30min"]


class Programs:
    """Runs each program as the original or as ours, against one broker."""

    def __init__(self, mosquitto: Mosquitto, make_role: MakeRole, folder: Path) -> None:
        self._broker = mosquitto
        self._make_role = make_role
        self._folder = folder

    @contextmanager
    def subscriber(self, kind: str) -> Iterator[Callable[[], list[float]]]:
        """Run it; yield what returns the numbers it has stored."""
        if kind == "ours":
            self._make_role("subscriber", broker=self._broker, STATS_INTERVAL="200ms").start_and_wait()
            yield lambda: values(self._folder / "tmp" / "test.db")
        else:
            path = self._folder / "original.db"
            with OriginalSubscriber(self._broker.port, path, interval=0.2) as original:
                yield lambda: [float(number) for number in original.numbers]

    @contextmanager
    def viewer(self, kind: str) -> Iterator[Callable[[], list[list[str]]]]:
        """Run it; yield what returns the tables it has printed, each as its lines."""
        if kind == "ours":
            role = self._make_role("stats", broker=self._broker).start_and_wait()
            yield lambda: _tables(role.stdout)
        else:
            printed: list[str] = []
            with OriginalViewer(self._broker.port, printed.append):
                yield lambda: _tables("\n".join(printed))

    def publish(self, kind: str) -> None:
        """Have it publish as many numbers as there are NUMBERS."""
        if kind == "ours":
            arguments = ("--count", str(len(NUMBERS)), "--min-interval", "1ms", "--max-interval", "9ms")
            assert self._make_role("publisher", *arguments, broker=self._broker).start().wait() == 0
        else:
            with OriginalPublisher(self._broker.port) as original:
                for number in NUMBERS:
                    original.publish(number)


@pytest.fixture
def programs(mosquitto: Mosquitto, make_role: MakeRole, tmp_path: Path) -> Programs:
    return Programs(mosquitto, make_role, tmp_path)


@pytest.mark.parametrize("publisher", ["original", "ours"])
@pytest.mark.parametrize("subscriber", ["original", "ours"])
@pytest.mark.parametrize("viewer", ["original", "ours"])
def test_combination(programs: Programs, publisher: str, subscriber: str, viewer: str) -> None:
    """What either publisher sends, either subscriber averages, and either viewer prints as a table."""
    with programs.viewer(viewer) as tables, programs.subscriber(subscriber) as stored:
        programs.publish(publisher)
        wait_for(lambda: len(stored()) == len(NUMBERS), lambda: f"all numbers; stored are {stored()}")
        numbers = stored()
        average = f"{sum(numbers) / len(numbers):g}"
        wait_for(
            lambda: [average] * 3 in [table[2].split() for table in tables() if len(table) == 3],
            lambda: f"a table with {average}; printed were {tables()}",
        )
        assert {tuple(table[0].split()) for table in tables()} == {tuple(HEADINGS)}
    if publisher == "original":
        assert numbers == NUMBERS
    else:
        assert all(number in range(1, 101) for number in numbers)


def _tables(text: str) -> list[list[str]]:
    lines = text.splitlines()
    return [lines[first : first + 3] for first in range(0, len(lines), 3)]
