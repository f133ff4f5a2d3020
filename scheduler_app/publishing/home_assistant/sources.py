"""What the sources of our readings tell Home Assistant of them, kept by the topic of the readings."""

from collections.abc import Callable, Sequence

from scheduler_app.publishing.home_assistant.announcement import Announced, read_announcement

# Discovery messages of others that are remembered; a newer one takes no place of an older one.
MOST_MESSAGES = 50_000


class Sources:
    """Remembers of others' discovery messages what is about topics of ours. No lock: one user at a time."""

    def __init__(self, is_read: Callable[[str], bool]) -> None:
        """`is_read`: whether messages on a topic are readings of ours."""
        self._is_read = is_read
        # By the topic of the readings, and by that of the discovery message.
        self._found: dict[str, dict[str, tuple[Announced, ...]]] = {}
        # By the topic of the discovery message: which topics it is about.
        self._about: dict[str, tuple[str, ...]] = {}

    def take(self, config_topic: str, platform: str, payload: bytes) -> set[str]:
        """Take a discovery message, an empty one too. Returns of which topics something else is known now."""
        announced: dict[str, list[Announced]] = {}
        for each in read_announcement(platform, payload):
            if self._is_read(each.topic):
                announced.setdefault(each.topic, []).append(each)
        changed = set()
        for topic in self._about.pop(config_topic, ()):
            if topic not in announced:
                changed.add(topic)
                self._found[topic].pop(config_topic)
                if not self._found[topic]:
                    del self._found[topic]
        if not announced or len(self._about) >= MOST_MESSAGES:
            return changed
        self._about[config_topic] = tuple(announced)
        for topic, values in announced.items():
            known = self._found.setdefault(topic, {})
            if known.get(config_topic) != tuple(values):
                known[config_topic] = tuple(values)
                changed.add(topic)
        return changed

    def find(self, topic: str, paths: Sequence[str]) -> Announced | None:
        """Return what is said of the value on a topic that stands at one of these paths.

        Where several discovery messages speak of it, the first by their topics, so that it is always the
        same one.
        """
        known = self._found.get(topic)
        if not known:
            return None
        return next(
            (each for _, values in sorted(known.items()) for each in values if str(each.path) in paths), None
        )

    def forget_all(self) -> None:
        """Forget everything: on a new connection, the broker tells it again."""
        self._found.clear()
        self._about.clear()
