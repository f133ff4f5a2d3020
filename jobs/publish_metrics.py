"""Publish what has become of the messages."""

import json
from collections.abc import Callable, Mapping

# Every message received is counted as exactly one of the others.
ENDINGS = ("stored", "duplicates", "rejected", "late", "retained")
COUNTERS = ("received", *ENDINGS, "pruned")


def publish_metrics(
    counters: Callable[[], Mapping[str, int]],
    present: Callable[[], Mapping[str, object]],
    publish: Callable[[str], object],
    now: Callable[[], float],
) -> None:
    """Hand to `publish`, as one JSON object, the counters since the database was created and the present.

    `counters` are those of the database, among them `since` (UTC epoch seconds).
    """
    counts = counters()
    message = {
        "at": now(),
        "since": counts["since"],
        **{name: counts.get(name, 0) for name in COUNTERS},
        **present(),
    }
    publish(json.dumps(message))
