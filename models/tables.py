"""The tables, as peewee models. They are bound to a database where they are used."""

from peewee import AutoField, BlobField, FloatField, ForeignKeyField, IntegerField, Model, TextField

# Grows with every change of the tables; kept in the file as SQLite's user_version.
SCHEMA_VERSION = 1


class Series(Model):
    """The readings of one topic."""

    id = AutoField()
    name = TextField(unique=True)

    class Meta:
        table_name = "series"


class Reading(Model):
    """One number, of one series, at one time."""

    id = AutoField()
    # No index of its own: no query looks for it alone.
    series = ForeignKeyField(Series, index=False)
    # Event time, UTC epoch seconds.
    time = FloatField(index=True)
    value = FloatField()

    class Meta:
        table_name = "reading"


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


class Counter(Model):
    """How many messages came to which end, since the database was created."""

    name = TextField(primary_key=True)
    value = IntegerField()

    class Meta:
        table_name = "counter"
        without_rowid = True


TABLES = (Series, Reading, RejectedMessage, Counter)
