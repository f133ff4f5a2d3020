"""The readings beside which others are repeats: the rule stands in models/storage/repeats.py."""

from collections.abc import Collection, Iterable

from models.storage.postgresql.connection import PatientConnection
from models.storage.postgresql.schema import REPEATS
from models.storage.repeats import Near


def stored_near(connection: PatientConnection, series: Collection[int]) -> Near:
    """Return what tells what is stored of these series, in a transaction of the caller's.

    Until it ends no other member stores such readings of these series: two gateways may have given the same
    one to two members.
    """
    listed = sorted(series)
    connection.execute(
        "SELECT pg_advisory_xact_lock(%s, series) FROM unnest(%s::int[]) AS series", (REPEATS, listed)
    )

    def near(begin: float, end: float) -> Iterable[tuple[int, float, float]]:
        query = """SELECT series, time, value FROM reading
            WHERE time >= %s AND time <= %s AND series = ANY(%s::int[]) ORDER BY time, sequence"""
        return connection.execute(query, (begin, end, listed))

    return near
