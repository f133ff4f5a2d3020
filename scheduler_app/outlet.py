"""The subscriber's way out: averages on STATS_TOPIC; below it each series, `$metrics` and `$state`."""

from collections.abc import Callable

from config.settings import Settings
from scheduler_app.mqtt import Connection, Puback, Retained


class Outlet:
    """Publishes over a connection of its own, so that one thread alone writes to the ingest socket.

    `<STATS_TOPIC>/$state` is `online` while we are connected, `offline` otherwise; both retained.
    """

    def __init__(self, settings: Settings) -> None:
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
        """Publish the statistics of a series, retained; return whether there was a connection."""
        return self._connection.publish(f"{self._topic}/{name}", payload, retain=True)

    def clear_series(self, name: str, when_cleared: Callable[[], object]) -> None:
        """Have the broker forget what was published of a series. `when_cleared` is called if that has worked.

        It is called on another thread.
        """

        def answered(puback: Puback) -> None:
            if puback.accepted:
                when_cleared()

        self._connection.publish(f"{self._topic}/{name}", "", retain=True, when_acknowledged=answered)

    def publish_metrics(self, payload: str) -> None:
        """Publish, retained, as far as there is a connection."""
        self._connection.publish(self._metrics_topic, payload, retain=True)


def metrics_topic(settings: Settings) -> str:
    """Return the topic on which the subscriber publishes its counters."""
    return f"{settings.stats_topic}/$metrics"


def state_topic(settings: Settings) -> str:
    """Return the topic on which the subscriber says whether it is there."""
    return f"{settings.stats_topic}/$state"
