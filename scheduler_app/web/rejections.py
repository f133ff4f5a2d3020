"""The rejected messages that are kept, with what can be done about each."""

from collections import defaultdict

from models.storage.interface import ReadingStore
from scheduler_app.cures import cure_of

# So many topics are named of one reason.
_MOST_TOPICS = 20


def rejected(stored: ReadingStore, newest: int) -> dict[str, object]:
    """Return what is known of the rejected messages, as it is sent, with the `newest` so many of them."""
    counters = stored.counters()
    topics: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for number, reason, topic in stored.rejected_counts():
        topics[reason].append((number, topic))
    reasons = [
        {
            "reason": reason,
            "cure": cure_of(reason),
            "kept": sum(number for number, _ in found),
            "topics": [{"topic": topic, "kept": number} for number, topic in found[:_MOST_TOPICS]],
            "more_topics": max(0, len(found) - _MOST_TOPICS),
        }
        for reason, found in topics.items()
    ]
    reasons.sort(key=lambda entry: str(entry["reason"]))
    return {
        "counted": counters.get("rejected", 0),
        "since": counters.get("since"),
        "reasons": reasons,
        "newest": [
            row.content() | {"cure": cure_of(row.reason)} for row in stored.rejected_messages(newest=newest)
        ],
    }
