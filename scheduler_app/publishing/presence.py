"""The subscriber's connection for publishing, and how it says on `$state` that it is there."""

import threading
import time
from collections.abc import Callable
from functools import partial

from loguru import logger

from config.settings import Settings
from config.text import printable
from scheduler_app.log import LogLimit, more_like_it
from scheduler_app.mqtt.connection import Connection
from scheduler_app.mqtt.message import Message, Puback, Retained
from scheduler_app.publishing.messages import OFFLINE, ONLINE
from scheduler_app.publishing.topics import state_topic

# Seconds between two times that we say again that we are there.
_ASSERT_INTERVAL = 1.0
# At so many looks in a row, what we say has not come back: then it does not arrive.
_UNHEARD_LOOKS = 3
# Of so many topics it is remembered that the broker refuses what we publish there.
_MOST_REFUSED = 100


class Presence:
    """A connection of its own to publish over, so that one thread alone writes to the ingest socket.

    `<STATS_TOPIC>/$state` is `online` while we are connected, `offline` otherwise; both retained. When
    something else is published there meanwhile, we say again that we are there: the broker may publish
    the will of an older connection of ours late, another subscriber with the same STATS_TOPIC may stop,
    and anybody may write `offline`. Two subscribers agree, since both say the same.

    Where only one at a time may publish, each connection has the same client id: the broker then ends the
    connection of whoever published before.

    We hear what we say there, and so we know whether what we publish arrives: a broker of MQTT 3.1.1 may
    throw it away, and acknowledge it.
    """

    def __init__(
        self,
        settings: Settings,
        now: Callable[[], float] = time.monotonic,
        *,
        topic: str | None = None,
        client_id: str | None = None,
        may_connect: Callable[[], bool] = lambda: True,
        beside: bool = False,
    ) -> None:
        """`now` returns seconds, by a clock that never jumps. Nothing is opened before `start`.

        `topic` takes the place of `$state` for who is one of several. `client_id`, `may_connect` and `beside`
        are described at Connection.
        """
        self._now = now
        self._warnings = LogLimit()
        self._stats_topic = settings.stats_topic
        self._state_topic = topic or state_topic(settings)
        self._connection = Connection(
            settings,
            "averages",
            subscribe=(self._state_topic,),
            # For QoS 1 a cluster of RabbitMQ keeps a queue on one node, and hangs up at our SUBSCRIBE for as
            # long as that node is away: nothing would be published then.
            subscribe_qos=0,
            on_message=self._take_state,
            state=Retained(self._state_topic, OFFLINE),
            client_id=client_id,
            may_connect=may_connect,
            quiet=True,
            beside=beside,
        )
        # Held while the state is published: nothing may say `online` once we are about to go.
        self._asserting = threading.Lock()
        self._stopping = False
        self._asserted_at = float("-inf")
        self._timer: threading.Timer | None = None
        # Whether what we say on this connection has come back; at how many looks it had not.
        self._heard = False
        self._unheard_looks = 0
        # Whether something else stood there on this connection, and what we said to it has not come back.
        self._denied = False
        # On which topics the broker refuses what we publish, and why.
        self._refused: dict[str, str] = {}

    @property
    def outage(self) -> str | None:
        """What keeps this connection from being there, in one line; None if nothing is known to."""
        return self._connection.trouble

    @property
    def trouble(self) -> str | None:
        """What keeps statistics from going out, or some of them, in one line; None if nothing is known to."""
        refused = next(iter(self._refused.copy().values()), None)
        return self.outage or refused or self._unheard or self._connection.too_large

    @property
    def works(self) -> bool:
        """Whether what we publish is known to arrive; a single series may be refused all the same."""
        refused = self._stats_topic in self._refused or self._state_topic in self._refused
        return self._connection.connected and self._heard and not refused

    @property
    def behind(self) -> bool:
        """Whether some of what was published still waits, since the broker took no more."""
        return self._connection.behind

    def start(self, on_connect: Callable[[], object]) -> None:
        """Begin to connect; `on_connect` is called, on another thread, whenever that has worked."""

        def announce() -> None:
            self._refused.clear()
            self._heard, self._unheard_looks, self._denied = False, 0, False
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
        answered = partial(self._answered, topic, when_acknowledged) if payload else when_acknowledged
        return self._connection.publish(topic, payload, retain=True, when_acknowledged=answered)

    def look(self) -> None:
        """See whether what we say comes back, and say it again if it has not; call it every few seconds.

        A broker that keeps no retained messages is told again in any case, for those who have come since.
        """
        if not self._connection.connected:
            return
        if not self._heard:
            self._unheard_looks += 1
            if self._unheard_looks == _UNHEARD_LOOKS and not self._refused:
                logger.error("{}", self._unheard)
        if (too_large := self._connection.too_large) and self._warnings.allows("size") is not None:
            logger.error("{}", too_large)
        if not self._heard or self._connection.granted.retain_available is False:
            self._announce()

    @property
    def _arrives(self) -> bool:
        """Whether what we publish arrives, or there has been no time yet to know that it does not."""
        return self._heard or self._unheard_looks < _UNHEARD_LOOKS

    @property
    def _unheard(self) -> str | None:
        if self._arrives:
            return None
        allow = f"{self._allow}, and to read {self._state_topic}"
        return f"what we publish on {self._state_topic} does not come back: {allow}"

    @property
    def _allow(self) -> str:
        topics = f"{self._state_topic}, {self._stats_topic} and {self._stats_topic}/#"
        return f"have the broker's rules (ACL) allow us to publish on {topics}"

    def _answered(
        self, topic: str, when_acknowledged: Callable[[Puback], object] | None, puback: Puback
    ) -> None:
        """Take the broker's answer to what we have published on a topic."""
        if puback.accepted:
            self._refused.pop(topic, None)
            if self._connection.version == "5":
                self._heard = True  # a broker of MQTT 3.1.1 accepts what it throws away, too
        else:
            shown = printable(topic[:200])
            line = f"the broker refuses what we publish on {shown}: {puback.reason}; {self._allow}"
            if len(self._refused) < _MOST_REFUSED:
                self._refused[topic] = line
            if (held := self._warnings.allows("refused")) is not None:
                logger.error("{}{}", line, more_like_it(held))
        if when_acknowledged is not None:
            when_acknowledged(puback)

    def _announce(self) -> None:
        """Say that we are there."""
        with self._asserting:
            self._timer = None
            if not self._stopping:
                self._asserted_at = self._now()
                self.publish(self._state_topic, ONLINE)

    def _take_state(self, message: Message) -> None:
        if message.topic != self._state_topic:
            return
        if message.payload == ONLINE.encode():
            self._heard = True
            self._tell_denial()
            return
        if message.retained:
            return  # what the broker had when we came is older than what we have said since
        with self._asserting:
            if self._stopping:
                return
            self._denied = True
            if self._timer is not None:
                return
            pause = self._asserted_at + _ASSERT_INTERVAL - self._now()
            if pause > 0:
                self._timer = threading.Timer(pause, self._announce)
                self._timer.daemon = True
                self._timer.start()
        if pause <= 0:
            self._announce()

    def _tell_denial(self) -> None:
        """Tell that something else stood on the topic, now that it says again that we are there.

        Not before: a broker that is stopped publishes our will as its last word, and hears no more of us.
        """
        denied, self._denied = self._denied, False
        if denied and (held := self._warnings.allows("state")) is not None:
            logger.info(
                "{} did not say that we are here, perhaps because of an older connection of ours: "
                "we have said it again{}",
                self._state_topic,
                f" ({held} more times)" if held else "",
            )
