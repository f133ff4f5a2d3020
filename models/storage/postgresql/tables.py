"""The tables, as peewee models for plain queries. How they are made stands in schema.py."""

from peewee import (
    SQL,
    AutoField,
    BigAutoField,
    BigIntegerField,
    BlobField,
    CompositeKey,
    DoubleField,
    IntegerField,
    Model,
    TextField,
)


class About(Model):
    """What the database is: one row."""

    # Grows with every change of the tables.
    version = IntegerField()
    # When it was created, UTC epoch seconds.
    since = DoubleField()
    # Readings that were stored with an `expires` up to `kept_until` (UTC epoch seconds) are kept for so
    # many seconds longer: the retention of a series was raised after they were stored.
    kept_longer = DoubleField()
    kept_until = DoubleField()

    class Meta:
        table_name = "about"
        primary_key = False


class Series(Model):
    """The readings of one topic, or of one field of its messages. An id is never used again."""

    id = AutoField()
    name = TextField()
    topic = TextField()
    field = TextField()
    # Event time of its first reading, UTC epoch seconds.
    since = DoubleField()
    # Seconds that its readings are kept.
    retention = DoubleField()
    # Since when it has no readings any more, UTC epoch seconds, where members may not know that yet.
    gone = DoubleField(null=True)

    class Meta:
        table_name = "series"


class Member(Model):
    """The session at the broker with this client id, of a subscriber or a slot, and what came of it."""

    id = AutoField()
    client_id = TextField()
    # Of its last batch; they have no gaps.
    number = BigIntegerField(constraints=[SQL("DEFAULT 0")])
    # Of the last reading that it took in.
    sequence = BigIntegerField(constraints=[SQL("DEFAULT 0")])
    received = BigIntegerField(constraints=[SQL("DEFAULT 0")])
    stored = BigIntegerField(constraints=[SQL("DEFAULT 0")])
    duplicates = BigIntegerField(constraints=[SQL("DEFAULT 0")])
    rejected = BigIntegerField(constraints=[SQL("DEFAULT 0")])
    late = BigIntegerField(constraints=[SQL("DEFAULT 0")])
    retained = BigIntegerField(constraints=[SQL("DEFAULT 0")])
    ignored = BigIntegerField(constraints=[SQL("DEFAULT 0")])
    pruned = BigIntegerField(constraints=[SQL("DEFAULT 0")])

    class Meta:
        table_name = "member"


class StoredBatch(Model):
    """One transaction of a member's: by it a COMMIT whose answer never came is looked up.

    Whoever follows what is new asks for numbers above the last one of each member, which are complete
    whatever other transactions do, and reads the readings with the sequences of the batch.
    """

    member = IntegerField()
    number = BigIntegerField()
    # By it the process that wrote it knows that it was this batch (claim.py, Writer).
    mark = BigIntegerField()
    # Of its first reading; it takes up `readings` sequences one after the other.
    sequence = BigIntegerField()
    # How many readings it brought, the duplicates among them too.
    readings = IntegerField()
    # UTC epoch seconds.
    committed = DoubleField()

    class Meta:
        table_name = "batch"
        primary_key = CompositeKey("member", "number")


class Reading(Model):
    """One number, of one series, at one time."""

    # Event time, UTC epoch seconds.
    time = DoubleField()
    value = DoubleField()
    # In a member's transactions they grow; see StoredBatch.
    sequence = BigIntegerField()
    series = IntegerField()
    # When it may be deleted: see expiry.py.
    expires = IntegerField()

    class Meta:
        table_name = "reading"
        primary_key = False


class RejectedMessage(Model):
    """A message that is no reading. `payload` is the beginning of it, `size` the length of the whole."""

    id = BigAutoField()
    arrived = DoubleField()
    topic = TextField()
    payload = BlobField()
    size = IntegerField()
    reason = TextField()
    detail = TextField()

    class Meta:
        table_name = "rejected_message"


class Delivery(Model):
    """What one transaction has stored, so that the broker's sending it again is recognised."""

    member = IntegerField()
    # The number of its last message: see scheduler_app/intake/redelivery.py.
    number = BigIntegerField()
    # For each message its packet id and a digest.
    packets = BlobField()

    class Meta:
        table_name = "delivery"
        primary_key = CompositeKey("member", "number")


class Subscription(Model):
    """A topic filter that the session at the broker may be subscribed to."""

    member = IntegerField()
    topic_filter = TextField()

    class Meta:
        table_name = "subscription"
        primary_key = CompositeKey("member", "topic_filter")
