"""What a database file of ours holds, and how it is known."""

from dataclasses import dataclass

import peewee

from models.storage.sqlite.tables import (
    Counter,
    Delayed,
    Delivery,
    Outgoing,
    Reading,
    ReadingId,
    RejectedMessage,
    Series,
    SlotSums,
    Stretch,
    Subscription,
)


@dataclass(frozen=True)
class Schema:
    """What a database file of ours holds, and how it is known."""

    # The setting that names the file, for error messages.
    setting: str
    # The role that has the file to itself, for error messages.
    owner: str
    # Marks the file as ours (SQLite's application_id).
    application_id: int
    # Grows with every change of the tables (SQLite's user_version).
    version: int
    tables: tuple[type[peewee.Model], ...]


READINGS = Schema(
    "DB_FILE",
    "subscriber",
    0x6D716176,
    5,
    (
        *(Series, Reading, ReadingId, Stretch, SlotSums, Delayed),
        *(RejectedMessage, Delivery, Counter, Subscription),
    ),
)
OUTBOX = Schema("OUTBOX_FILE", "publisher", 0x6D716F78, 1, (Outgoing,))
