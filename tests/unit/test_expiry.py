import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.storage.postgresql.expiry import expires, gone_until, granule
from models.storage.postgresql.pruning import KeptLonger

NOW = 1_700_000_000.0
times = st.floats(NOW - 1e6, NOW + 1e6)
retentions = st.floats(1.0, 3e7)


@pytest.mark.parametrize(
    ("retention", "minutes"),
    [(1, 1), (2 * 8 * 60 - 1, 1), (2 * 8 * 60, 2), (2100, 4), (4 * 8 * 60 - 1, 2), (86_400, 128)],
)
def test_readings_that_are_kept_for_long_go_in_larger_parts(retention: float, minutes: int) -> None:
    assert granule(retention) == minutes


@given(times, retentions)
def test_a_reading_is_kept_for_its_retention_and_not_much_longer(time: float, retention: float) -> None:
    end = expires(time, retention, now=time) * 60
    assert time + retention <= end + 1e-6
    assert end <= time + retention + max(60.0, retention / 8) + 60.0


@given(times, retentions)
def test_there_are_few_such_moments(now: float, retention: float) -> None:
    """So many partitions there are at once: those from now on to the last that a new reading has."""
    last = expires(now, retention, now)
    first = expires(now - retention, retention, now)
    assert (last - first) / granule(retention) <= 17


@given(times, retentions, times)
def test_what_expires_is_stored_where_nothing_has_expired(time: float, retention: float, now: float) -> None:
    end = expires(time, retention, now)
    assert end * 60 > now
    assert end % granule(retention) == 0


@given(times, retentions, times)
def test_what_is_said_to_be_gone_has_expired(time: float, retention: float, now: float) -> None:
    if time <= gone_until(retention, now):
        assert expires(time, retention, now=time - retention) * 60 <= now
    assert now - retention - gone_until(retention, now) < granule(retention) * 60


def test_what_was_stored_before_a_retention_was_raised_is_kept_longer() -> None:
    longer = KeptLonger(600.0, NOW)
    assert longer.until(NOW) == NOW + 600
    assert longer.until(math.nextafter(NOW, math.inf)) == math.nextafter(NOW, math.inf)
    assert longer.minute(NOW + 600) == math.floor(NOW / 60)
    assert longer.minute(NOW + 601) == math.floor((NOW + 601) / 60)
    assert KeptLonger(0.0, 0.0).minute(NOW) == math.floor(NOW / 60)
