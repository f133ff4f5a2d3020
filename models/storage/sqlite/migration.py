"""The tables are made, and what earlier versions have stored is brought into them."""

import peewee

from models.storage.reading_id import pack
from models.storage.sqlite.schema import Schema
from models.storage.sqlite.tables import NOBODY, Counter

# Until the subscriber has said otherwise, the readings of version 1 are kept as long as the default: seconds.
_RETENTION_1 = 2100.0


# By version: its tables that have other columns now.
_MADE_ANEW: dict[int, tuple[str, ...]] = {
    1: ("series", "reading", "delivery", "counter"),
    2: ("reading", "delivery", "counter", "subscription"),
    3: ("delivery", "counter", "subscription"),
    4: (),
}


def create(database: peewee.SqliteDatabase, schema: Schema, now: float) -> None:
    """Make all tables, in a transaction of the caller's, at the time `now` (UTC epoch seconds)."""
    _create_tables(database, schema)
    if Counter in schema.tables:
        Counter.insert(member=NOBODY, name="since", value=int(now)).execute(database)
    database.application_id = schema.application_id
    database.user_version = schema.version


def upgrade(database: peewee.SqliteDatabase, schema: Schema) -> None:
    """Bring what earlier versions have stored, in a transaction of the caller's.

    In version 1 a reading had an `id` of its own, and a series nothing but its name. In 1 and 2 the ids
    of readings were texts, with an index. Up to 3 it was not said whose deliveries, counters and
    subscriptions were: they are nobody's, and a subscriber takes over the session (members.py). Up to 4
    nothing was summed up: that is done when the subscriber runs.
    """
    version = database.user_version
    if version == schema.version:
        return  # another process was quicker
    if version < 3:
        database.execute_sql("DROP INDEX reading_message_id")
    if version == 1:  # or the new one of that name would not be made
        database.execute_sql("DROP INDEX series_name")
    for name in _MADE_ANEW[version]:
        database.execute_sql(f"ALTER TABLE {name} RENAME TO old_{name}")
    _create_tables(database, schema)
    if version == 1:
        database.execute_sql(
            "INSERT INTO series (id, name, topic, field, since, retention) "
            "SELECT old_series.id, name, name, '', MIN(time), ? "
            "FROM old_series JOIN old_reading ON series_id = old_series.id GROUP BY old_series.id",
            (_RETENTION_1,),
        )
        database.execute_sql(
            "INSERT INTO old_counter (name, value) SELECT 'sequence', COALESCE(MAX(id), 0) FROM old_reading"
        )
    if version < 3:
        _bring_readings(database, sequence="id" if version == 1 else "sequence")
    for table, columns in (
        ("delivery", "id, packets"),
        ("counter", "name, value"),
        ("subscription", "topic_filter"),
    ):
        if table in _MADE_ANEW[version]:
            database.execute_sql(
                f"INSERT INTO {table} (member, {columns}) SELECT ?, {columns} FROM old_{table}", (NOBODY,)
            )
    for name in reversed(_MADE_ANEW[version]):
        database.execute_sql(f"DROP TABLE old_{name}")
    database.user_version = schema.version


def _create_tables(database: peewee.SqliteDatabase, schema: Schema) -> None:
    for table in schema.tables:
        peewee.SchemaManager(table, database).create_all()


def _bring_readings(database: peewee.SqliteDatabase, sequence: str) -> None:
    """Copy the readings, whose `sequence` is in the column of that name, and their ids."""
    database.register_function(lambda reading_id: reading_id and pack(reading_id), "packed", 1)
    database.execute_sql(
        "INSERT INTO reading (time, sequence, series_id, value, message_id) "
        f"SELECT time, {sequence}, series_id, value, packed(message_id) FROM old_reading"
    )
    database.execute_sql(
        "INSERT INTO message_id SELECT series_id, message_id FROM reading WHERE message_id IS NOT NULL"
    )
