"""What takes in readings: the session, the writer and the loop, put together."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from config.settings import Settings
from models.catalog import Catalog
from models.reading import Reading
from models.storage.interface import WritingStore
from scheduler_app.intake.ingest import Ingest
from scheduler_app.intake.pace import CommitPace
from scheduler_app.intake.redelivery import Redeliveries
from scheduler_app.intake.writer import Writer
from scheduler_app.mqtt.ingest_session import IngestSession
from scheduler_app.mqtt.numbering import find_out_numbering
from scheduler_app.publishing.topics import check_topic
from scheduler_app.subscriber.subscriptions import Subscriptions


class Opened(NamedTuple):
    """The database, and what it knew when it was opened."""

    store: WritingStore
    redeliveries: Redeliveries
    catalog: Catalog
    subscriptions: Subscriptions
    # Until when the subscriber was last there, in UTC epoch seconds.
    present_until: float | None


class Reception(NamedTuple):
    """What takes in readings. Nothing is opened before the loop runs."""

    session: IngestSession
    writer: Writer
    ingest: Ingest


def reception(
    settings: Settings,
    opened: Opened,
    feed: Callable[[Sequence[Reading], int], object],
    *,
    check_right: Callable[[], None] = lambda: None,
) -> Reception:
    """Put it together. `feed` is described at Writer, `check_right` at Ingest."""
    subscriptions = opened.subscriptions
    session = IngestSession(settings, subscriptions.wanted, unsubscribe=subscriptions.unwanted)
    writer = Writer(
        settings,
        opened.store,
        opened.redeliveries,
        opened.catalog,
        feed,
        subscribed=(*subscriptions.wanted, *subscriptions.unwanted),
    )
    ingest = Ingest(
        session,
        writer,
        pace=CommitPace(settings.commit_interval),
        present_until=opened.present_until,
        find_out_numbering=partial(
            find_out_numbering, settings, check_topic(settings, f"{settings.client_id}-numbering")
        ),
        check_right=check_right,
    )
    opened.store.keep_alive(ingest.patience.wait)
    session.when_subscribed = partial(ingest.submit, subscriptions.settle)
    return Reception(session, writer, ingest)
