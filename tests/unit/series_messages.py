"""Messages with the statistics of a series, as a subscriber publishes them."""

import json
from typing import Any

AT = 1_700_000_000.0


def content(series: str = "a", **changes: Any) -> dict[str, Any]:
    return {
        "series": series,
        "at": AT,
        "sequence": 12,
        "last": {"value": 21.5, "time": AT - 5},
        "windows": {
            "1min": {"count": 2, "coverage": 1.0, "avg": 21.25, "max": 21.5},
            "5min": {"count": 9, "coverage": 0.5, "avg": 20.5, "max": None},
        },
        **changes,
    }


def payload(series: str = "a", **changes: Any) -> bytes:
    return json.dumps(content(series, **changes)).encode()
