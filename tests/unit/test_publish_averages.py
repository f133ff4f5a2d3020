import json
from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.publish_averages import publish_averages
from models.rolling import RollingStatistics, WindowAverage


class FakeStatistics:
    """Statistics with these averages at their latest tick."""

    def __init__(self, *means: float | None) -> None:
        self.means = means

    def pooled(self) -> list[WindowAverage]:
        return [WindowAverage(mean, 0 if mean is None else 2) for mean in self.means]


def published(statistics: FakeStatistics, names: Sequence[str]) -> str:
    payloads: list[str] = []
    publish_averages(cast(RollingStatistics, statistics), names, payloads.append)
    [payload] = payloads
    return payload


def test_the_payload_is_what_the_original_viewer_reads() -> None:
    payload = published(FakeStatistics(46.0, 45.7, None), ["1min", "5min", "30min"])
    assert payload == '{"avg_1min": 46, "avg_5min": 45.7, "avg_30min": null}'


def test_windows_keep_the_order_of_the_setting() -> None:
    assert list(json.loads(published(FakeStatistics(1.0, 2.0, 3.0), ["1h", "10s", "5min"]))) == [
        "avg_1h",
        "avg_10s",
        "avg_5min",
    ]


@pytest.mark.parametrize(
    ("mean", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (-5.0, "-5"),
        (0.1, "0.1"),
        (47.1778, "47.1778"),
        (1e300, "1e+300"),
        (5e-324, "5e-324"),
        (2.0**53 - 1, "9007199254740991"),
        (-(2.0**53), "-9007199254740992.0"),  # from here on not every whole number is a float
    ],
)
def test_a_whole_number_is_written_without_a_point(mean: float, text: str) -> None:
    assert published(FakeStatistics(mean), ["1min"]) == f'{{"avg_1min": {text}}}'


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_mean_is_published_to_the_last_bit(mean: float) -> None:
    assert json.loads(published(FakeStatistics(mean), ["1min"])) == {"avg_1min": mean}


def test_a_name_without_an_average_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        published(FakeStatistics(1.0), ["1min", "5min"])
