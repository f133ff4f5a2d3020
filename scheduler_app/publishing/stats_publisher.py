"""The subscriber's way out: averages on STATS_TOPIC; below it each series, `$metrics` and `$state`."""

import threading
import time
from collections.abc import Callable, Mapping

from loguru import logger

from config.settings import Settings
from config.text import printable
from config.topics import unpublishable
from models.series_message import SeriesMessage
from scheduler_app.log import LogLimit
from scheduler_app.mqtt.client import Connection, Puback, Retained
from scheduler_app.mqtt.packets import INVALID_TOPIC, Message
from scheduler_app.publishing.messages import OFFLINE, ONLINE, write_averages, write_metrics, write_series

# Seconds between two times that we say again that we are there.
_ASSERT_INTERVAL = 1.0
# The first levels below STATS_TOPIC that are no series.
_OWN = ("$state", "$metrics", "$check", "$proof")
# MQTT 5 section 3.4.2.1
_NO_SUCH_TOPIC = "Topic name invalid"


class Outlet:
    """Publishes over a connection of its own, so that one thread alone writes to the ingest socket.

    `<STATS_TOPIC>/$state` is `online` while we are connected, `offline` otherwise; both retained. When
    something else is published there meanwhile, we say again that we are there: the broker may publish
    the will of an older connection of ours late, another subscriber with the same STATS_TOPIC may stop,
    and anybody may write `offline`. Two subscribers agree, since both say the same.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._warnings = LogLimit()
        self._topic = settings.stats_topic
        self._metrics_topic = metrics_topic(settings)
        self._state_topic = state_topic(settings)
        self._offline = Retained(self._state_topic, OFFLINE)
        self._connection = Connection(
            settings,
            "averages",
            subscribe=(self._state_topic,),
            on_message=self._take_state,
            state=self._offline,
            quiet=True,
        )
        # Held while the state is published: nothing may say `online` once we are about to go.
        self._asserting = threading.Lock()
        self._stopping = False
        self._asserted_at = float("-inf")
        self._timer: threading.Timer | None = None

    def start(self, on_connect: Callable[[], object]) -> None:
        """Begin to connect; `on_connect` is called, on another thread, whenever that has worked."""

        def announce() -> None:
            self._announce()
            on_connect()

        self._connection.start(announce)

    def stop(self) -> None:
        with self._asserting:
            self._stopping = True
            if self._timer is not None:
                self._timer.cancel()
        self._connection.stop()

    def publish_averages(self, means: Mapping[str, float | None]) -> None:
        """Publish, retained. During an outage nothing is: when it ends, the averages would be old."""
        self._connection.publish(self._topic, write_averages(means), retain=True)

    def publish_series(self, message: SeriesMessage) -> bool:
        """Publish the statistics of a series, retained; return whether that was possible."""
        why = unpublishable_name(self._settings, message.series)
        if why is not None:  # an earlier version took it
            if self._warnings.allows("name") is not None:
                logger.warning(
                    "the statistics of {} cannot be published: {}", printable(message.series[:200]), why
                )
            return False
        return self._connection.publish(f"{self._topic}/{message.series}", write_series(message), retain=True)

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

    def publish_metrics(self, metrics: Mapping[str, object]) -> None:
        """Publish, retained, as far as there is a connection."""
        self._connection.publish(self._metrics_topic, write_metrics(metrics), retain=True)

    def _announce(self) -> None:
        """Say that we are there."""
        with self._asserting:
            self._timer = None
            if not self._stopping:
                self._asserted_at = time.monotonic()
                self._connection.publish(self._state_topic, ONLINE, retain=True)

    def _take_state(self, message: Message) -> None:
        # what the broker had retained when we came is older than what we have said since
        if message.retained or message.payload == ONLINE.encode() or message.topic != self._state_topic:
            return
        with self._asserting:
            if self._stopping or self._timer is not None:
                return
            pause = self._asserted_at + _ASSERT_INTERVAL - time.monotonic()
            if pause > 0:
                self._timer = threading.Timer(pause, self._announce)
                self._timer.daemon = True
                self._timer.start()
        if (held := self._warnings.allows("state")) is not None:
            logger.info(
                "{} does not say that we are here, perhaps because of an older connection of ours: "
                "we say it again{}",
                self._state_topic,
                f" ({held} more times)" if held else "",
            )
        if pause <= 0:
            self._announce()


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
