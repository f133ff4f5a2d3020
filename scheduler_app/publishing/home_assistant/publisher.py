"""The publisher of what Home Assistant is told: which entities there are. Their states are in STATS."""

import random
import threading
import time
from collections.abc import Callable
from functools import partial

from loguru import logger

from config.home_assistant import OUR_DEVICES, config_topic
from config.settings import Settings
from config.text import printable
from models.catalog import SeriesRow
from models.statistics.tick import Tick
from scheduler_app.log import LogLimit, more_like_it
from scheduler_app.mqtt.connection import Connection
from scheduler_app.mqtt.message import Message, Puback
from scheduler_app.publishing.home_assistant.announcement import PLATFORMS
from scheduler_app.publishing.home_assistant.device_message import Kept, read_kept
from scheduler_app.publishing.home_assistant.devices import Devices
from scheduler_app.publishing.home_assistant.identity import Identity
from scheduler_app.publishing.home_assistant.next_step import next_step
from scheduler_app.publishing.home_assistant.series import is_wanted
from scheduler_app.publishing.home_assistant.sources import Sources

# Seconds between two times that some is sent, and how many messages that is at most.
SEND_INTERVAL = 1.0
MOST_AT_ONCE = 100
# Seconds for which it is listened to what the broker keeps, before anything is sent on a new connection; and
# since the last of it, where that takes longer.
_LISTENING, _QUIET = 5.0, 1.0
# Seconds after we have taken entities back, in which Home Assistant may take back a whole device by itself:
# it does so for each disabled entity of a device that for a moment has no other.
_UNSETTLED = 10.0
# Within so many seconds its birth message is answered: others answer it too.
_ANSWERING = 5.0
_BIRTH = b"online"


class HomeAssistantPublisher:
    """Tells Home Assistant of the averages, as far as it does not know of them yet.

    It listens to what the broker keeps: our own messages of an earlier run, and those in which the sources
    tell of their sensors. What differs is sent, a bounded number each second. So whatever was lost,
    changed or left behind while we were away is right some seconds after we have come back.
    """

    def __init__(
        self,
        settings: Settings,
        row_of: Callable[[str], SeriesRow | None],
        *,
        now: Callable[[], float] = time.monotonic,
        chance: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """`row_of` returns a series by its name. `now` returns seconds, by a clock that never jumps.

        `chance` returns a number between two others. Nothing is opened before `start`.
        """
        self._settings = settings
        self._now = now
        self._chance = chance
        self._identity = Identity(settings)
        self._status_topic = f"{settings.ha_prefix}/status"
        self._connection = Connection(
            settings,
            "home-assistant",
            subscribe=(self._status_topic, *listened_to(settings.ha_prefix)),
            on_message=self._take,
            quiet=True,
        )
        # Held while what follows is looked at or changed; nothing is published meanwhile.
        self._lock = threading.Lock()
        self._sources = Sources(partial(is_wanted, settings))
        self._devices = Devices(settings, self._identity, self._sources, row_of)
        # What the broker keeps of our devices, by their ids, with what is on its way.
        self._kept: dict[str, Kept] = {}
        # The ids of the devices that are to be looked at, in that order.
        self._due: dict[str, None] = {}
        # Until when devices are unsettled.
        self._unsettled: dict[str, float] = {}
        # Whether there was a tick, which tells all series there are.
        self._knows_series = False
        # When everything is to be looked at, and to be sent again. None: not at all.
        self._look_at: float | None = None
        self._resend_at: float | None = None
        self._sent = 0
        # Whether it was told how long it takes.
        self._is_long = False
        # What was told last of what is the matter with the connection.
        self._told: str | None = None
        self._warnings = LogLimit()

    def start(self) -> None:
        """Begin to connect, and to listen."""
        self._connection.start(self._begin)

    def stop(self) -> None:
        """End the connection. What Home Assistant was told stays."""
        self._connection.stop()

    def connected(self) -> None:
        """Do nothing: this publisher has a connection of its own."""

    def publish(self, tick: Tick) -> None:
        """Take note of series that are new, or of which something else is computed."""
        with self._lock:
            for result in tick.series:
                device_id = self._devices.see(result.series, result.plan)
                if device_id is not None:
                    self._due[device_id] = None
            self._knows_series = True

    def series_gone(self, name: str, when_gone: Callable[[], object]) -> None:
        """Have a series disappear. That is not waited for: what is left behind is found when we connect."""
        with self._lock:
            device_id = self._devices.forget(name)
            if device_id is not None:
                self._due[device_id] = None
        when_gone()

    def send(self) -> None:
        """Send what is due, a bounded number of messages; to be called every SEND_INTERVAL."""
        if not self._connection.connected:
            return
        self._tell_trouble()
        with self._lock:
            steps = self._steps()
            finished = not self._due and self._look_at is None
        for device_id, payload in steps:
            topic = config_topic(self._settings.ha_prefix, device_id)
            refused = partial(self._answered, topic)
            self._connection.publish(topic, payload, retain=True, when_acknowledged=refused)
        self._sent += len(steps)
        if finished and self._sent:
            logger.info("discovery messages sent to Home Assistant: {:,}", self._sent)
            self._sent = 0

    def _tell_trouble(self) -> None:
        """Say once what keeps us from hearing of the sources, or from telling of a device."""
        trouble = self._connection.trouble or self._connection.too_large
        if trouble != self._told:
            self._told = trouble
            if trouble is not None:
                logger.error("what Home Assistant is told may not be all there is: {}", trouble)

    def _steps(self) -> list[tuple[str, str]]:
        """Return the messages to be sent now, each with the id of its device."""
        now = self._now()
        if not self._knows_series or (self._look_at is not None and now < self._look_at):
            return []
        self._look_at_what_is_due(now)
        self._tell_how_long()
        steps = []
        for device_id in list(self._due)[:MOST_AT_ONCE]:
            del self._due[device_id]
            wanted = self._devices.wanted(device_id)
            step = next_step(self._settings, wanted, self._kept.get(device_id))
            if step is None:
                continue
            steps.append((device_id, step.payload))
            if step.more:
                self._unsettled[device_id] = now + _UNSETTLED
            self._kept.pop(device_id, None)
            if step.kept is not None:
                self._kept[device_id] = step.kept
            if step.more:
                self._due[device_id] = None
            if step.left_out:
                self._warn_of_size(device_id, step.left_out)
        return steps

    def _look_at_what_is_due(self, now: float) -> None:
        if self._look_at is not None:
            self._look_at = None
            self._look_at_everything()
        if self._resend_at is not None and now >= self._resend_at:
            self._resend_at = None
            self._kept = {device_id: kept._replace(digest=None) for device_id, kept in self._kept.items()}
            self._look_at_everything()

    def _warn_of_size(self, device_id: str, left_out: int) -> None:
        if (held := self._warnings.allows("size")) is not None:
            logger.warning(
                "{} has more entities than one message may hold: {:,} of them are left out; have fewer "
                "statistics computed, over fewer windows, or of fewer fields{}",
                config_topic(self._settings.ha_prefix, device_id),
                left_out,
                more_like_it(held),
            )

    def _look_at_everything(self) -> None:
        """Have each device looked at that there is or was."""
        self._due.update(dict.fromkeys((*self._devices, *self._kept)))

    def _tell_how_long(self) -> None:
        """Say once how much there is to do, if it takes a while."""
        if not self._due:
            self._is_long = False
        elif len(self._due) > MOST_AT_ONCE and not self._is_long:
            self._is_long = True
            logger.info(
                "{:,} devices of Home Assistant are looked at; what differs is sent, up to {} messages a "
                "second: that takes up to {:.0f} s",
                len(self._due),
                MOST_AT_ONCE,
                len(self._due) / MOST_AT_ONCE * SEND_INTERVAL,
            )

    def _begin(self) -> None:
        """There is a new connection, on which the broker tells what it keeps."""
        with self._lock:
            self._kept.clear()
            self._sources.forget_all()
            self._unsettled.clear()
            self._resend_at = None
            self._look_at = self._now() + _LISTENING

    def _take(self, message: Message) -> None:
        if message.topic == self._status_topic:
            # a retained one says that it is there, and not that it has just come
            if message.payload == _BIRTH and not message.retained:
                with self._lock:
                    self._resend_at = self._now() + self._chance(0.0, _ANSWERING)
            return
        platform, _, rest = message.topic.removeprefix(f"{self._settings.ha_prefix}/").partition("/")
        device_id = rest.removesuffix("/config")
        with self._lock:
            if not device_id.startswith(OUR_DEVICES):
                changed = self._sources.take(message.topic, platform, message.payload)
                if self._look_at is None:  # else everything is looked at soon
                    for topic in changed:
                        self._due.update(dict.fromkeys(self._devices.on_topic(topic)))
            elif device_id.startswith(self._identity.prefix):
                self._take_our_own(device_id, message)
            if self._look_at is not None:
                self._look_at = max(self._look_at, self._now() + _QUIET)

    def _take_our_own(self, device_id: str, message: Message) -> None:
        """Take a discovery message of ours as the broker has kept it, or as it comes while we are connected.

        Then it is what we have just sent; or somebody has taken the device back. Whoever deletes an entity
        in Home Assistant has it do that. So it is not sent again before it has to be, unless that was our own
        doing.
        """
        if message.retained:
            self._kept[device_id] = read_kept(message.payload)
            self._due[device_id] = None
        elif not message.payload:
            self._kept.pop(device_id, None)
            if self._now() < self._unsettled.get(device_id, float("-inf")):
                self._due[device_id] = None

    def _answered(self, topic: str, puback: Puback) -> None:
        if not puback.accepted and (held := self._warnings.allows("refused")) is not None:
            logger.error(
                "the broker refuses what is to be told to Home Assistant on {}: {}; have its rules (ACL) "
                "allow us to publish on {}/device/+/config{}",
                printable(topic),
                puback.reason,
                self._settings.ha_prefix,
                more_like_it(held),
            )


def listened_to(prefix: str) -> tuple[str, ...]:
    """Return the topic filters of the discovery messages that tell of numbers."""
    kinds = ("device", *PLATFORMS)
    return tuple(f"{prefix}/{kind}/{levels}/config" for kind in kinds for levels in ("+", "+/+"))
