"""The subscriber's way out: averages on STATS_TOPIC; below it each series, `$metrics` and `$state`."""

from collections.abc import Callable

from loguru import logger

from config.settings import Settings
from config.text import printable
from config.topics import unpublishable
from scheduler_app.log import Once
from scheduler_app.mqtt import Connection, Puback, Retained
from scheduler_app.packets import INVALID_TOPIC

# The first levels below STATS_TOPIC that are no series.
_OWN = ("$state", "$metrics", "$check", "$proof")
# MQTT 5 section 3.4.2.1
_NO_SUCH_TOPIC = "Topic name invalid"


class Outlet:
    """Publishes over a connection of its own, so that one thread alone writes to the ingest socket.

    `<STATS_TOPIC>/$state` is `online` while we are connected, `offline` otherwise; both retained.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._warnings = Once()
        self._topic = settings.stats_topic
        self._metrics_topic = metrics_topic(settings)
        self._state_topic = state_topic(settings)
        self._offline = Retained(self._state_topic, "offline")
        self._connection = Connection(settings, "averages", state=self._offline, quiet=True)

    def start(self, on_connect: Callable[[], object]) -> None:
        """Begin to connect; `on_connect` is called, on another thread, whenever that has worked."""

        def announce() -> None:
            self._connection.publish(self._state_topic, "online", retain=True)
            on_connect()

        self._connection.start(announce)

    def stop(self) -> None:
        self._connection.stop()

    def publish_averages(self, payload: str) -> None:
        """Publish, retained. During an outage nothing is: when it ends, the payload would be old."""
        self._connection.publish(self._topic, payload, retain=True)

    def publish_series(self, name: str, payload: str) -> bool:
        """Publish the statistics of a series, retained; return whether that was possible."""
        why = unpublishable_name(self._settings, name)
        if why is not None:  # an earlier version took it
            if self._warnings.allows("name") is not None:
                logger.warning("the statistics of {} cannot be published: {}", printable(name[:200]), why)
            return False
        return self._connection.publish(f"{self._topic}/{name}", payload, retain=True)

    def clear_series(self, name: str, when_cleared: Callable[[], object]) -> None:
        """Have the broker forget what was published of a series. `when_cleared` is called if that has worked.

        It is called on another thread; at once if nothing can have been published of it.
        """
        if unpublishable_name(self._settings, name) is not None:
            when_cleared()
            return

        def answered(puback: Puback) -> None:
            if puback.accepted or puback.reason == _NO_SUCH_TOPIC:
                when_cleared()

        self._connection.publish(f"{self._topic}/{name}", "", retain=True, when_acknowledged=answered)

    def publish_metrics(self, payload: str) -> None:
        """Publish, retained, as far as there is a connection."""
        self._connection.publish(self._metrics_topic, payload, retain=True)


def unpublishable_name(settings: Settings, name: str) -> str | None:
    """Say why the statistics of a series of that name cannot be published, None if they can."""
    first, _, _ = name.partition("/")
    if first in _OWN:
        return f"what we tell of ourselves is published on {first}"
    if first == INVALID_TOPIC:
        return f"{INVALID_TOPIC!a} stands for a topic that is not UTF-8"
    return unpublishable(f"{settings.stats_topic}/{name}")


def metrics_topic(settings: Settings) -> str:
    """Return the topic on which the subscriber publishes its counters."""
    return f"{settings.stats_topic}/$metrics"


def state_topic(settings: Settings) -> str:
    """Return the topic on which the subscriber says whether it is there."""
    return f"{settings.stats_topic}/$state"
