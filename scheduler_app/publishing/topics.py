"""The topics that a subscriber publishes on: STATS_TOPIC and what is below it."""

from config.settings import Settings
from config.topics import unpublishable
from scheduler_app.mqtt.message import INVALID_TOPIC

# The first levels below STATS_TOPIC that are no series.
_OWN = ("$state", "$metrics", "$check", "$proof")


def metrics_topic(settings: Settings) -> str:
    """Return the topic on which the subscriber publishes its counters."""
    return f"{settings.stats_topic}/$metrics"


def state_topic(settings: Settings) -> str:
    """Return the topic on which the subscriber says whether it is there."""
    return f"{settings.stats_topic}/$state"


def member_state_topic(settings: Settings, slot: int) -> str:
    """Return the topic on which the member in a slot says whether it is there."""
    return f"{state_topic(settings)}/{slot}"


def check_topic(settings: Settings, name: str) -> str:
    """Return a topic for `check` to try the broker with; below STATS_TOPIC, since that is never input."""
    return f"{settings.stats_topic}/$check/{name}"


def is_of_series(name: str) -> bool:
    """Whether what is published as `name` below STATS_TOPIC is of a series, and nothing of our own."""
    return name.partition("/")[0] not in _OWN


def unpublishable_name(settings: Settings, name: str) -> str | None:
    """Say why the statistics of a series of that name cannot be published, None if they can."""
    first, _, _ = name.partition("/")
    if first in _OWN:
        return f"what we tell of ourselves is published on {first}"
    if first == INVALID_TOPIC:
        return f"{INVALID_TOPIC!a} stands for a topic that is not UTF-8"
    return unpublishable(f"{settings.stats_topic}/{name}")
