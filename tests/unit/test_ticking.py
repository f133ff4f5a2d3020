"""What a process that takes the averages says of a database that cannot be read for a while."""

from typing import Any, cast

import pytest

from models.statistics.rolling import RollingStatistics
from models.storage.errors import UnreadableDatabase
from scheduler_app.averages.following import Follower
from scheduler_app.averages.leading import Leading
from scheduler_app.averages.ticking import Ticking
from scheduler_app.log import LogLimit
from scheduler_app.subscriber.monitor import ReadErrors
from tests.unit.test_following import Process

ERROR = "ERROR: no answer; nothing can be published of what is in it"
AGAIN = "INFO: the database can be read again; what is in it is published"


class Follows:
    """A process that follows another leader, on a database that can be read or not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.readable = True
        process = Process()
        self.hand_over = process.hand_over
        news, series = process.stored.news, process.stored.series

        def read(what: Any) -> Any:
            if not self.readable:
                raise UnreadableDatabase("no answer")
            return what()

        monkeypatch.setattr(process.stored, "news", lambda: read(news))
        monkeypatch.setattr(process.stored, "series", lambda: read(series))
        self.ticking = Ticking(
            process.follower,
            cast(RollingStatistics, self),
            cast("Leading[Any]", self),
            errors=LogLimit(),
            read_errors=ReadErrors(),
        )
        self._follower: Follower = process.follower

    # The lead, which is another's, and the statistics.
    term = None

    def tick(self, now: float) -> None:
        if not self.hand_over.loaded:
            with self._follower.snapshot():
                self.hand_over.end_loading(0)


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Follows:
    return Follows(monkeypatch)


def test_who_follows_says_when_the_database_can_be_read_again(process: Follows, log_lines: list[str]) -> None:
    process.ticking.tick()
    process.readable = False
    process.ticking.follow()
    process.ticking.tick()
    process.ticking.look_at_series()
    assert log_lines == [ERROR]
    assert not process.ticking.works
    process.readable = True
    process.ticking.follow()
    process.ticking.look_at_series()
    process.ticking.tick()
    process.ticking.tick()
    assert log_lines == [ERROR, AGAIN]


def test_following_while_all_is_loaded_reads_nothing_and_proves_nothing(
    process: Follows, log_lines: list[str]
) -> None:
    process.readable = False
    process.hand_over.begin_loading()
    process.ticking.tick()
    process.ticking.follow()
    assert log_lines == [ERROR]
    process.readable = True
    process.ticking.follow()
    assert log_lines == [ERROR]
    process.ticking.tick()
    assert log_lines == [ERROR, AGAIN]
