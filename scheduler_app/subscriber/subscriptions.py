"""Which topic filters the persistent session is subscribed to, and which it is to be."""

from collections.abc import Iterable

from loguru import logger

from config.streams import Stream
from config.topics import disjoint
from models.storage.interface import WritingStore


class Subscriptions:
    """What the streams need, and what an earlier start has subscribed to and nobody needs any more.

    A broker keeps the subscriptions of a session, so those that are not wanted have to be ended.
    """

    def __init__(self, streams: Iterable[Stream], store: WritingStore) -> None:
        """Note in the store what is going to be subscribed to. Raises StoreUnavailable."""
        self._store = store
        asked = [stream.topic for stream in streams]
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
