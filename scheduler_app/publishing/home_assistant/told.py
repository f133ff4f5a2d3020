"""What the broker keeps for Home Assistant of our devices, as anybody sees who subscribes to it."""

from config.home_assistant import OUR_DEVICES, config_topic
from config.settings import Settings
from scheduler_app.mqtt.message import Message
from scheduler_app.publishing.home_assistant.device_message import read_kept
from scheduler_app.publishing.home_assistant.identity import Identity
from scheduler_app.publishing.messages import ONLINE
from scheduler_app.publishing.topics import state_topic


class ToldDevices:
    """Collects what comes on `topics`."""

    def __init__(self, settings: Settings) -> None:
        self._prefix = settings.ha_prefix
        self._own = Identity(settings).prefix
        self._state_topic = state_topic(settings)
        # What to subscribe to.
        self.topics = (f"{self._prefix}/device/+/config", self._state_topic)
        # How many messages have come.
        self.count = 0
        # How many entities each device of ours has, by its discovery topic.
        self.devices: dict[str, int] = {}
        # The devices of other installations of ours.
        self.others: set[str] = set()
        # Whether a subscriber says that it is there.
        self.subscriber_is_there = False

    @property
    def entities(self) -> int:
        """How many entities there are on all devices of ours."""
        return sum(self.devices.values())

    def take(self, message: Message) -> None:
        """Take a message that the broker has kept."""
        self.count += 1
        if message.topic == self._state_topic:
            self.subscriber_is_there = message.payload == ONLINE.encode()
        elif not message.retained or not message.payload:
            return  # what changes meanwhile
        elif message.topic.startswith(config_topic(self._prefix, self._own).removesuffix("/config")):
            self.devices[message.topic] = len(read_kept(message.payload).keys)
        elif message.topic.startswith(f"{self._prefix}/device/{OUR_DEVICES}"):
            self.others.add(message.topic)
