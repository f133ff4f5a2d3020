"""When a reading may be deleted: at a moment that many share, so that they go with one partition.

It is told in minutes since 1970, UTC: a number of four bytes.
"""

import math
from functools import lru_cache

# How many such moments there are in the time that readings are kept: so many, and fewer than twice as many.
_PARTS = 8


# Few retentions, and asked for each reading.
@lru_cache(maxsize=1000)
def granule(retention: float) -> int:
    """Return the minutes from one such moment to the next, for readings that are kept so many seconds.

    A power of two, so that the moments of a long retention are among those of each shorter one.
    """
    return 1 << max(0, math.floor(math.log2(max(1.0, retention / 60 / _PARTS))))


def expires(time: float, retention: float, now: float) -> int:
    """Return when a reading of `time` that is kept for `retention` seconds may be deleted.

    Later than `now`, also where the reading is so old that it should be gone: what has expired has no
    partition any more. `time` and `now` are in UTC epoch seconds.
    """
    step = granule(retention)
    return max(math.ceil((time + retention) / 60 / step), math.floor(now / 60 / step) + 1) * step


def gone_until(retention: float, now: float) -> float:
    """Return the time up to which readings are gone when all is deleted that has expired by `now`.

    Readings that are kept for `retention` seconds; UTC epoch seconds.
    """
    step = granule(retention) * 60
    return math.floor(now / step) * step - retention
