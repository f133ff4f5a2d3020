"""The tables, as peewee models. They are bound to a database where they are used."""

from peewee import (
    AutoField,
    BlobField,
    CompositeKey,
    FloatField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)

# The member that a row belongs to which is no one's: an earlier version did not note it.
NOBODY = ""


class Series(Model):
    """The readings of one topic, or of one field of its messages."""

    id = AutoField()
    # The topic, and the field's path below it.
    name = TextField(unique=True)
    topic = TextField()
    # Empty where a message is one reading.
    field = TextField()
    # Event time of its first reading, UTC epoch seconds.
    since = FloatField()
    # Seconds that its readings are kept.
    retention = FloatField()

    class Meta:
        table_name = "series"


class Reading(Model):
    """One number, of one series, at one time.

    The rows lie in the order of time, so that what is old is in one place to be deleted, and what
    a window holds in one to be read.
    """

    # Event time, UTC epoch seconds.
    time = FloatField()
    # Grows with each reading that is taken in.
    sequence = IntegerField()
    # No index of its own: no query looks for it alone.
    series = ForeignKeyField(Series, index=False)
    value = FloatField()
    # What the payload gave as its `id`, packed: see models/storage/reading_id.py.
    reading_id = BlobField(null=True, column_name="message_id")

    class Meta:
        table_name = "reading"
        primary_key = CompositeKey("time", "sequence")
        without_rowid = True


class ReadingId(Model):
    """The id of a reading that is stored: unique within its series.

    A table, since an index of the readings would hold their time and sequence once more. The id comes
    first, so that those of one sender lie together, over however many series it publishes.
    """

    series = ForeignKeyField(Series, index=False)
    reading_id = BlobField(column_name="message_id")

    class Meta:
        table_name = "message_id"
        primary_key = CompositeKey("reading_id", "series")
        without_rowid = True


class Stretch(Model):
    """Which series have readings in a stretch of time (models/storage/sqlite/summed.py).

    A history of one series reads only the stretches that have it. None overlaps another.
    """

    # The times with `after` < time <= `until`, in UTC epoch seconds.
    after = FloatField(primary_key=True)
    until = FloatField()
    # The last 16 bits of the id of each of them, the low byte first.
    series = BlobField()

    class Meta:
        table_name = "stretch"
        without_rowid = True


class SlotSums(Model):
    """Counts and sums of the readings in a slot of time, of the series that are kept equally long.

    A restart reads these instead of the readings. No slot overlaps another.
    """

    # The times with `after` < time <= `until`, in UTC epoch seconds.
    after = FloatField()
    # For how many seconds these series are kept.
    retention = FloatField()
    until = FloatField()
    # By how long slots the time was cut, in milliseconds.
    slot_length = IntegerField()
    # In columns: see models/storage/sqlite/columns.py.
    entries = BlobField()
    # Of all these series together: floats that have the same sum as all their readings.
    together = BlobField()

    class Meta:
        table_name = "slot_sums"
        primary_key = CompositeKey("after", "retention")
        without_rowid = True


class Delayed(Model):
    """A reading that came when its time was summed up already: it may be missing from what is noted there."""

    time = FloatField()
    sequence = IntegerField()

    class Meta:
        table_name = "delayed"
        primary_key = CompositeKey("time", "sequence")
        without_rowid = True


class RejectedMessage(Model):
    """A message that is no reading, kept for a person to look at."""

    id = AutoField()
    # Time of arrival, UTC epoch seconds.
    arrived = FloatField()
    topic = TextField()
    # The first bytes of it; `size` is the length of the whole.
    payload = BlobField()
    size = IntegerField()
    reason = TextField()
    detail = TextField()

    class Meta:
        table_name = "rejected_message"


class Delivery(Model):
    """What one transaction has stored, so that the broker's sending it again is recognised."""

    # The client id of the session that it came in.
    member = TextField()
    # The number of its last message, counted over all that were new to the member: see
    # scheduler_app/intake/redelivery.py.
    id = IntegerField()
    # For each message its packet id and a digest.
    packets = BlobField()

    class Meta:
        table_name = "delivery"
        primary_key = CompositeKey("member", "id")
        without_rowid = True


class Counter(Model):
    """How many messages came to which end at a member since the database was created.

    That is `since`, in epoch seconds: one row, and nobody's.
    """

    # The client id of its session.
    member = TextField()
    name = TextField()
    value = IntegerField()

    class Meta:
        table_name = "counter"
        primary_key = CompositeKey("member", "name")
        without_rowid = True


class Subscription(Model):
    """A topic filter that the session at the broker may be subscribed to."""

    # The client id of the session.
    member = TextField()
    topic_filter = TextField()

    class Meta:
        table_name = "subscription"
        primary_key = CompositeKey("member", "topic_filter")
        without_rowid = True


class Outgoing(Model):
    """A reading of the publisher's that no broker has acknowledged yet. In a file of its own."""

    id = AutoField()
    topic = TextField()
    payload = TextField()

    class Meta:
        table_name = "outgoing"
