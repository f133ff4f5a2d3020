"""What a running subscriber tells of itself."""

from collections.abc import Iterator

from config.settings import Settings
from scheduler_app.checks.finding import Finding, Level
from scheduler_app.formatting import moment_text
from scheduler_app.mqtt.dialer import SUSPICIOUS
from scheduler_app.publishing.messages import InvalidMessage, parse_metrics
from scheduler_app.publishing.records import Metrics
from scheduler_app.publishing.topics import metrics_topic

# Messages a second. At a lower rate, a queue of any size lasts for years.
_LEAST_RATE = 1e-5


def read_metrics(settings: Settings, payload: bytes) -> Metrics | Finding:
    """Return the metrics that are published, or what was found in their place."""
    try:
        return parse_metrics(payload)
    except InvalidMessage as error:
        text = f"the message on {metrics_topic(settings)} does not come from a subscriber: {error}"
        return Finding(Level.WARN, "metrics", text)


def check_metrics(settings: Settings, metrics: Metrics) -> Iterator[Finding]:
    """Look at what a running subscriber tells of itself."""
    if metrics.short_connections >= SUSPICIOUS:
        text = (
            "the broker closes the subscriber's connection again and again: does another client use "
            f"the same CLIENT_ID={settings.client_id}?"
        )
        yield Finding(Level.WARN, "client id", text)
    if metrics.session_lost_at is not None:
        text = (
            f"at {moment_text(metrics.session_lost_at)} the broker had no session of the subscriber: what "
            f"was published from {moment_text(metrics.session_lost_since)} until then was lost. Does "
            f"another client use the same CLIENT_ID={settings.client_id}, or has the broker lost its data?"
        )
        yield Finding(Level.WARN, "session", text)
    if metrics.unmatched:
        text = (
            f"{metrics.unmatched} messages came under topics that match nothing that the subscriber has "
            "subscribed to, and were not read: its log names the first. Write the topic as it comes in TOPIC "
            "or STREAMS_FILE"
        )
        yield Finding(Level.WARN, "topics", text)
    if metrics.trouble is not None:
        text = f"the subscriber said at {moment_text(metrics.at)}: {metrics.trouble}"
        yield Finding(Level.WARN, "trouble", text)


def rate(metrics: Metrics | None) -> float | None:
    """Return how many messages a second a running subscriber has received so far, None if hardly any."""
    if metrics is None or metrics.at <= metrics.since:
        return None
    received = metrics.received / (metrics.at - metrics.since)
    return received if received >= _LEAST_RATE else None
