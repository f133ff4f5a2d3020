"""What a broker does not grant though we need it, each with its cure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from loguru import logger

from config.quantities import format_duration
from config.text import listed
from config.topics import is_shared
from scheduler_app.mqtt.granted import Granted

# Seconds. A session that outlasts a day outlasts what the averages look back.
_LONG_SESSION = 86_400.0
# Bytes. What we tell of ourselves takes as much, and the statistics of a series hardly less.
LEAST_PACKET = 1024


class Shortcoming(NamedTuple):
    """One thing that a broker does not grant. The names in the brackets of `text` are Mosquitto's."""

    text: str
    # Whether we cannot do our work without it.
    grave: bool


def shortcomings(
    granted: Granted, topic_filters: Iterable[str], at_qos_0: Sequence[str] = ()
) -> list[Shortcoming]:
    """Return what is missing for a subscriber that subscribes to `topic_filters`.

    `at_qos_0`: those of them that the broker has granted at QoS 0 only.
    What a broker does not tell is none; nor is what is acted upon without anybody noticing: its keep alive,
    and how many messages may be on their way to it.
    """
    found = []
    filters = list(topic_filters)
    if granted.maximum_qos == 0:
        text = (
            "the broker allows QoS 0 only: what is sent while the connection is lost, or we are away, is "
            "lost. Have it allow QoS 1 (Mosquitto: max_qos 1)"
        )
        found.append(Shortcoming(text, grave=True))
    elif at_qos_0:
        text = (
            f"the broker grants {listed(at_qos_0)} at QoS 0 only: what is sent on it while the connection "
            "is lost, or we are away, is lost. Have it allow QoS 1 (Mosquitto: max_qos 1)"
        )
        found.append(Shortcoming(text, grave=True))
    if granted.retain_available is False:
        text = (
            "the broker keeps no retained messages: we publish without, so whoever subscribes sees nothing "
            "before the next statistics. Have it keep them (Mosquitto: retain_available true)"
        )
        found.append(Shortcoming(text, grave=False))
    if granted.packet_size is not None and granted.packet_size < LEAST_PACKET:
        text = (
            f"the broker takes messages of {granted.packet_size} bytes at most, and we publish larger ones, "
            "which are left out. Have it take larger ones (Mosquitto: max_packet_size)"
        )
        found.append(Shortcoming(text, grave=True))
    if granted.session_expiry is not None and granted.session_expiry < _LONG_SESSION:
        text = (
            f"the broker forgets us {format_duration(granted.session_expiry)} after we have gone: what is "
            "sent after that is lost to us. Have it keep sessions longer"
        )
        found.append(Shortcoming(text, grave=False))
    if granted.wildcard is False and (wild := [each for each in filters if "+" in each or "#" in each]):
        text = f"the broker takes no topic filter with + or #, such as {wild[0]}: name each topic"
        found.append(Shortcoming(text, grave=True))
    if granted.shared is False and (shared := [each for each in filters if is_shared(each)]):
        text = f"the broker takes no shared subscription, such as {shared[0]}: leave $share/GROUP/ out"
        found.append(Shortcoming(text, grave=True))
    return found


class Lacking:
    """What the broker of the ingest session does not grant; each is logged once."""

    def __init__(self, topic_filters: Sequence[str], *, quiet: bool) -> None:
        """`topic_filters`: what is subscribed to. `quiet` logs at DEBUG only."""
        self._topic_filters = topic_filters
        self._quiet = quiet
        self._told: set[str] = set()
        # That of the latest connection. Never changed, but replaced: any thread may look at it.
        self.found: list[Shortcoming] = []

    def take(self, granted: Granted, at_qos_0: Sequence[str] = ()) -> None:
        """Take what a broker grants, and those of the filters that it has granted at QoS 0 only."""
        self.found = shortcomings(granted, self._topic_filters, at_qos_0)
        for text, grave in self.found:
            if text not in self._told:
                self._told.add(text)
                logger.log("DEBUG" if self._quiet else "ERROR" if grave else "WARNING", "{}", text)
