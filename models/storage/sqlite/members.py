"""What belongs to one member: its deliveries, its subscriptions, its counters."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from peewee import EXCLUDED

from models.storage.sqlite.connection import WritingDatabase
from models.storage.sqlite.tables import NOBODY, Counter, Delivery, Subscription
from models.storage.sqlite.transaction import insert_sql, sql


class Member:
    """Reads and writes the rows of one member, in the transactions of the store.

    A member is known by its client id: another one has another session at the broker, whose packet
    ids and subscriptions say nothing of those of this one.
    """

    def __init__(self, database: WritingDatabase, name: str) -> None:
        self._database = database
        self._name = name
        self._write_delivery = insert_sql(
            database,
            Delivery,
            *(Delivery.member, Delivery.id, Delivery.packets),
            conflict_target=[Delivery.member, Delivery.id],
            update={Delivery.packets: EXCLUDED.packets},
        )
        one_delivery = (Delivery.member == "") & (Delivery.id == 0)
        self._delete_delivery = sql(database, Delivery.delete().where(one_delivery))
        self._count_up = insert_sql(
            database,
            Counter,
            *(Counter.member, Counter.name, Counter.value),
            conflict_target=[Counter.member, Counter.name],
            update={Counter.value: Counter.value + EXCLUDED.value},
        )

    def count(self, connection: sqlite3.Connection, counts: Mapping[str, int]) -> None:
        """Add `counts` to the counters of those names."""
        connection.executemany(self._count_up, [(self._name, *count) for count in counts.items()])

    def deliveries(self) -> list[tuple[int, bytes]]:
        """Return the numbers and packets of the deliveries, in order."""
        query = Delivery.select(Delivery.id, Delivery.packets).where(Delivery.member == self._name)
        return list(self._database.execute(query.order_by(Delivery.id)).fetchall())

    def change_deliveries(
        self, connection: sqlite3.Connection, written: Sequence[tuple[int, bytes]], forgotten: Sequence[int]
    ) -> None:
        """Write the deliveries of `written`, and delete those with the numbers in `forgotten`."""
        if written:
            connection.executemany(self._write_delivery, [(self._name, *row) for row in written])
        if forgotten:
            connection.executemany(self._delete_delivery, [(self._name, number) for number in forgotten])

    def subscriptions(self) -> set[str]:
        """Return the topic filters."""
        query = Subscription.select(Subscription.topic_filter).where(Subscription.member == self._name)
        return {topic_filter for (topic_filter,) in self._database.execute(query)}

    def set_subscriptions(self, topic_filters: Iterable[str]) -> None:
        """Have these topic filters and no others."""
        Subscription.delete().where(Subscription.member == self._name).execute(self._database)
        rows = [
            {Subscription.member: self._name, Subscription.topic_filter: topic_filter}
            for topic_filter in topic_filters
        ]
        Subscription.insert_many(rows).execute(self._database)

    def take_over(self) -> None:
        """Take the deliveries and subscriptions that an earlier version stored, not noting whose they were.

        They are those of the session that the first member has that starts after the upgrade, as nearly
        always: whoever gives it another CLIENT_ID at that moment is no worse off than before. Counters
        can stay nobody's, since all are added up.
        """
        for table in (Delivery, Subscription):
            table.update(member=self._name).where(table.member == NOBODY).execute(self._database)
