"""The readings beside which others are repeats: the rule stands in models/storage/repeats.py."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence

from peewee import SQL, Select, fn

from models.storage.repeats import Near, Row, find_repeats
from models.storage.sqlite.connection import WritingDatabase
from models.storage.sqlite.tables import Reading
from models.storage.sqlite.transaction import sql


class Repeats:
    """Finds repeated readings among those that a transaction is about to store."""

    def __init__(self, database: WritingDatabase) -> None:
        of_these = Select([fn.json_each("[]")], [SQL("value")])  # as one parameter, however many there are
        near = Reading.select(Reading.series, Reading.time, Reading.value).where(
            Reading.time >= 0.0, Reading.time <= 0.0, Reading.series.in_(of_these)
        )
        self._select_near = sql(database, near.order_by(Reading.time, Reading.sequence))

    def find(
        self,
        connection: sqlite3.Connection,
        rows: Sequence[Row],
        unless_repeated: Mapping[int, float],
        known: Collection[int],
    ) -> set[int]:
        """Return the places of the `rows` that are repeated: see `find_repeats`."""

        def stored(series: Collection[int]) -> Near:
            listed = json.dumps(sorted(series))

            def near(begin: float, end: float) -> Iterable[tuple[int, float, float]]:
                return connection.execute(self._select_near, (begin, end, listed))

            return near

        return find_repeats(rows, unless_repeated, known, stored)
