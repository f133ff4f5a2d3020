from collections.abc import Mapping, Sequence
from typing import cast

import pytest

from jobs.publish_averages import publish_averages
from models.statistics.rolling import RollingStatistics, WindowAverage


class FakeStatistics:
    """Statistics with these averages at their latest tick."""

    def __init__(self, *means: float | None) -> None:
        self.means = means

    def pooled(self) -> list[WindowAverage]:
        return [WindowAverage(mean, 0 if mean is None else 2) for mean in self.means]


def published(statistics: FakeStatistics, names: Sequence[str]) -> Mapping[str, float | None]:
    messages: list[Mapping[str, float | None]] = []
    publish_averages(cast(RollingStatistics, statistics), names, messages.append)
    [message] = messages
    return message


def test_each_window_has_its_average_and_an_empty_one_none() -> None:
    message = published(FakeStatistics(46.0, 45.7, None), ["1min", "5min", "30min"])
    assert message == {"1min": 46.0, "5min": 45.7, "30min": None}


def test_windows_keep_the_order_of_the_setting() -> None:
    assert list(published(FakeStatistics(1.0, 2.0, 3.0), ["1h", "10s", "5min"])) == ["1h", "10s", "5min"]


def test_a_name_without_an_average_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        published(FakeStatistics(1.0), ["1min", "5min"])
