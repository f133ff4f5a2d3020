"""Which topic filters the persistent session is subscribed to, and which it is to be."""

from collections.abc import Iterable

from loguru import logger

from config.streams import Stream
from config.topics import disjoint, is_shared
from models.storage.interface import WritingStore


class Subscriptions:
    """What the streams need, and what an earlier start has subscribed to and nobody needs any more.

    A broker keeps the subscriptions of a session, so those that are not wanted have to be ended.
    """

    def __init__(self, streams: Iterable[Stream], store: WritingStore, share: str | None = None) -> None:
        """Note in the store what is going to be subscribed to. Raises StoreUnavailable.

        `share` names the group that shares all messages, where a filter names none itself.
        """
        self._store = store
        asked = [shared(stream.topic, share) for stream in streams]
        self.wanted = disjoint(asked)
        if not set(self.wanted) <= set(asked):
            logger.info(
                "{} overlap: subscribing to {}, so that no message comes twice", asked, list(self.wanted)
            )
        stored = store.subscriptions()
        self.unwanted = tuple(sorted(stored - set(self.wanted)))
        if not stored >= set(self.wanted):
            store.set_subscriptions(stored | set(self.wanted))

    def settle(self) -> bool:
        """Note that only what is wanted is subscribed to; a task, done in one go."""
        if self.unwanted:
            self._store.set_subscriptions(self.wanted)
            self.unwanted = ()
        return False


def shared(topic_filter: str, group: str | None) -> str:
    """Return the filter by which the members of a group share what matches it; as it is without a group."""
    return topic_filter if group is None or is_shared(topic_filter) else f"$share/{group}/{topic_filter}"
