"""The series, as the one who writes needs them."""

from collections.abc import Sequence
from typing import Any

from models.catalog import NewSeries, SeriesRow
from models.storage.errors import SeriesBegun, StoreUnavailable
from models.storage.postgresql.connection import PatientConnection

_COLUMNS = ", ".join(SeriesRow._fields)
# In the order of their names, so that no two members wait for each other.
_INSERT = """INSERT INTO series (name, topic, field, since, retention)
    SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %b::float8[], %b::float8[])
        AS given (name, topic, field, since, retention) ORDER BY name COLLATE "C"
    ON CONFLICT (name) DO UPDATE SET gone = NULL WHERE series.gone IS NOT NULL"""


def all_series(connection: PatientConnection) -> list[SeriesRow]:
    """Return all series, in the order in which they began."""
    return _rows(connection, "WHERE gone IS NULL ORDER BY id")


def retentions_of(connection: PatientConnection) -> dict[int, float]:
    """Return for how many seconds the readings of each series are kept, by its id."""
    return dict(connection.execute("SELECT id, retention FROM series").fetchall())


def begin_series(connection: PatientConnection, new: NewSeries) -> dict[int, SeriesRow]:
    """Begin series, in a transaction of the caller's; return their rows by the ids that the batch gives them.

    Another member may have begun one of them in the meantime: then it is that one. Raises SeriesBegun if it
    is of other readings.
    """
    columns = [list(column) for column in zip(*new, strict=True)]
    texts, numbers = columns[1:4], columns[4:]
    connection.execute(_INSERT, [*texts, *([*map(float, column)] for column in numbers)])
    return find_series(connection, new)


def find_series(connection: PatientConnection, new: NewSeries) -> dict[int, SeriesRow]:
    """Return the rows that the new series of a batch have, by the ids that the batch gives them."""
    there = {row.name: row for row in _rows(connection, "WHERE name = ANY(%s)", ([row.name for row in new],))}
    if len(there) < len(new):
        raise StoreUnavailable("a series that another member had begun is gone again")
    other = [
        there[row.name]
        for row in new
        if (there[row.name].topic, there[row.name].field) != (row.topic, row.field)
    ]
    if other:
        raise SeriesBegun(other)
    return {row.id: there[row.name] for row in new}


def _rows(connection: PatientConnection, where: str, parameters: Sequence[Any] = ()) -> list[SeriesRow]:
    query = f"SELECT {_COLUMNS} FROM series {where}"
    return [SeriesRow(*row) for row in connection.execute(query, parameters)]
