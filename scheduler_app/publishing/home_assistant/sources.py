"""What the sources of our readings tell Home Assistant of them, kept by the topic of the readings."""

from collections.abc import Callable, Iterator, Sequence

from config.topics import matches
from scheduler_app.publishing.home_assistant.announcement import Announced, read_announcement

# Discovery messages of others that are remembered, and topic filters in them; a newer one takes no place of
# an older one.
MOST_MESSAGES, MOST_FILTERS = 50_000, 1000


class Sources:
    """Remembers of others' discovery messages what is about topics of ours. No lock: one user at a time."""

    def __init__(self, is_read: Callable[[str], bool]) -> None:
        """`is_read`: whether messages on a topic are readings of ours."""
        self._is_read = is_read
        # By the topic of the readings, which may be a filter, and by that of the discovery message.
        self._found: dict[str, dict[str, tuple[Announced, ...]]] = {}
        self._filters: set[str] = set()
        # By the topic of the discovery message: which topics it is about.
        self._about: dict[str, tuple[str, ...]] = {}

    def take(self, config_topic: str, platform: str, payload: bytes) -> set[str]:
        """Take a discovery message, an empty one too. Returns of which topics something else is known now.

        There may be filters among them.
        """
        announced: dict[str, list[Announced]] = {}
        for each in read_announcement(platform, payload):
            if self._is_of_interest(each.topic):
                announced.setdefault(each.topic, []).append(each)
        changed = set()
        for topic in self._about.pop(config_topic, ()):
            if topic not in announced:
                changed.add(topic)
                self._found[topic].pop(config_topic)
                if not self._found[topic]:
                    del self._found[topic]
                    self._filters.discard(topic)
        if not announced or len(self._about) >= MOST_MESSAGES:
            return changed
        self._about[config_topic] = tuple(announced)
        for topic, values in announced.items():
            known = self._found.setdefault(topic, {})
            if is_filter(topic):
                self._filters.add(topic)
            if known.get(config_topic) != tuple(values):
                known[config_topic] = tuple(values)
                changed.add(topic)
        return changed

    def find(self, topic: str, paths: Sequence[str]) -> Announced | None:
        """Return what is said of the value on a topic that stands at one of these paths.

        Where several discovery messages speak of it, the first by their topics, so that it is always the
        same one.
        """
        known = sorted(self._messages(topic), key=lambda found: found[0]) if paths else ()
        return next((each for _, values in known for each in values if str(each.path) in paths), None)

    def forget_all(self) -> None:
        """Forget everything: on a new connection, the broker tells it again."""
        self._found.clear()
        self._filters.clear()
        self._about.clear()

    def _is_of_interest(self, topic: str) -> bool:
        if is_filter(topic):
            return topic in self._filters or len(self._filters) < MOST_FILTERS
        return self._is_read(topic)

    def _messages(self, topic: str) -> Iterator[tuple[str, tuple[Announced, ...]]]:
        yield from self._found.get(topic, {}).items()
        for topic_filter in self._filters:
            if matches(topic_filter, topic):
                yield from self._found[topic_filter].items()


def is_filter(topic: str) -> bool:
    """Whether what stands for a topic matches several."""
    return "+" in topic or "#" in topic
