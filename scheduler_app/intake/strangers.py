"""Messages that match none of the topic filters they must have come by."""

from collections.abc import Sequence

from loguru import logger

from config.topics import is_at_or_below, matches, unshared

# Of so many topics it is remembered whether they match; those that are longer are looked up each time.
_REMEMBERED = 50_000
_LONGEST_REMEMBERED = 1024


class Strangers:
    """Counts them, and warns of the first: nothing is read from them, and else nobody would know.

    A broker that has no `.` in its topics, such as RabbitMQ, takes a subscription to `home/a.b`, and sends
    what comes by it under `home/a/b`.
    """

    def __init__(self, subscribed: Sequence[str], stats_topic: str) -> None:
        """Build it. `subscribed`: all that the session may be subscribed to.

        Our own statistics, on `stats_topic` and below it, may come by that too.
        """
        self._subscribed = subscribed
        self._stats_topic = stats_topic
        # By topic, whether it matches.
        self._known: dict[str, bool] = {}
        self.count = 0

    def look_at(self, topic: str) -> None:
        """Take note of a message that belongs to no stream."""
        if not is_at_or_below(topic, self._stats_topic) and not self._matches(topic):
            self.count += 1
            if self.count == 1:
                self._warn(topic)

    def _matches(self, topic: str) -> bool:
        known = self._known.get(topic)
        if known is not None:
            return known
        found = any(matches(topic_filter, topic) for topic_filter in self._subscribed)
        if len(topic) <= _LONGEST_REMEMBERED:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[topic] = found
        return found

    def _warn(self, topic: str) -> None:
        filters = ", ".join(map(unshared, self._subscribed))
        logger.warning(
            "a message came on {!r}, which matches nothing that we have subscribed to ({}): nothing is read "
            "from it. Does the broker send it under another name (RabbitMQ makes / of .)? Then write the "
            "topic so in TOPIC or STREAMS_FILE",
            topic[:200],
            filters[:500],
        )
