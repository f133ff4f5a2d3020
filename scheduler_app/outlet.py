"""The subscriber's way out: averages on STATS_TOPIC, and whether it is there on `$state`."""

from collections.abc import Callable

from config.settings import Settings
from scheduler_app.mqtt import Connection, LastWill


class Outlet:
    """Publishes over a connection of its own, so that one thread alone writes to the ingest socket.

    `<STATS_TOPIC>/$state` is `online` while we are connected, `offline` otherwise; both retained.
    """

    def __init__(self, settings: Settings, on_connect: Callable[[], None]) -> None:
        """`on_connect` is called, on another thread, whenever publishing has become possible."""
        self._topic = settings.stats_topic
        self._state_topic = state_topic(settings)
        self._offline = LastWill(self._state_topic, "offline")
        self._on_connect = on_connect
        self._connection = Connection(
            settings, "averages", will=self._offline, on_connect=self._announce, quiet=True
        )

    def start(self) -> None:
        self._connection.start()

    def stop(self) -> None:
        self._connection.stop(farewell=self._offline)

    def publish_averages(self, payload: str) -> None:
        """Publish, retained. During an outage nothing is: when it ends, the payload would be old."""
        if self._connection.connected:
            self._connection.publish(self._topic, payload, retain=True)

    def _announce(self) -> None:
        self._connection.publish(self._state_topic, "online", retain=True)
        self._on_connect()


def state_topic(settings: Settings) -> str:
    """Return the topic on which the subscriber says whether it is there."""
    return f"{settings.stats_topic}/$state"
