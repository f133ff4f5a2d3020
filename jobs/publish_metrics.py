"""Publish what has become of the messages."""

from collections.abc import Callable, Mapping

# Every message received is counted as exactly one of the others.
ENDINGS = ("stored", "duplicates", "rejected", "late", "retained")
COUNTERS = ("received", *ENDINGS, "pruned")


def publish_metrics(
    counters: Callable[[], Mapping[str, int]],
    present: Callable[[], Mapping[str, object]],
    publish: Callable[[Mapping[str, object]], object],
    now: Callable[[], float],
) -> None:
    """Hand to `publish`, by their names, the counters since the database was created and the present.

    `counters` are those of the database, among them `since` (UTC epoch seconds).
    """
    counts = counters()
    message = {
        "at": now(),
        "since": counts["since"],
        **{name: counts.get(name, 0) for name in COUNTERS},
        **present(),
    }
    publish(message)
