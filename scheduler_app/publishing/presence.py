"""The subscriber's connection for publishing, and how it says on `$state` that it is there."""

import threading
import time
from collections.abc import Callable

from loguru import logger

from config.settings import Settings
from scheduler_app.log import LogLimit
from scheduler_app.mqtt.connection import Connection
from scheduler_app.mqtt.message import Message, Puback, Retained
from scheduler_app.publishing.messages import OFFLINE, ONLINE
from scheduler_app.publishing.topics import state_topic

# Seconds between two times that we say again that we are there.
_ASSERT_INTERVAL = 1.0


class Presence:
    """A connection of its own to publish over, so that one thread alone writes to the ingest socket.

    `<STATS_TOPIC>/$state` is `online` while we are connected, `offline` otherwise; both retained. When
    something else is published there meanwhile, we say again that we are there: the broker may publish
    the will of an older connection of ours late, another subscriber with the same STATS_TOPIC may stop,
    and anybody may write `offline`. Two subscribers agree, since both say the same.
    """

    def __init__(self, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        """`now` returns seconds, by a clock that never jumps. Nothing is opened before `start`."""
        self._now = now
        self._warnings = LogLimit()
        self._state_topic = state_topic(settings)
        self._connection = Connection(
            settings,
            "averages",
            subscribe=(self._state_topic,),
            on_message=self._take_state,
            state=Retained(self._state_topic, OFFLINE),
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
        """Say that we go, and end the connection."""
        with self._asserting:
            self._stopping = True
            if self._timer is not None:
                self._timer.cancel()
        self._connection.stop()

    def publish(
        self, topic: str, payload: str, *, when_acknowledged: Callable[[Puback], object] | None = None
    ) -> bool:
        """Publish, retained; return whether there was a connection to do it on.

        During an outage nothing is published later: when it ends, it would be old. `when_acknowledged`
        is called, on another thread, with the broker's answer; never if the connection is lost before.
        """
        return self._connection.publish(topic, payload, retain=True, when_acknowledged=when_acknowledged)

    def _announce(self) -> None:
        """Say that we are there."""
        with self._asserting:
            self._timer = None
            if not self._stopping:
                self._asserted_at = self._now()
                self._connection.publish(self._state_topic, ONLINE, retain=True)

    def _take_state(self, message: Message) -> None:
        # what the broker had retained when we came is older than what we have said since
        if message.retained or message.payload == ONLINE.encode() or message.topic != self._state_topic:
            return
        with self._asserting:
            if self._stopping or self._timer is not None:
                return
            pause = self._asserted_at + _ASSERT_INTERVAL - self._now()
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
