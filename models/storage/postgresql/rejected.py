"""The rejected messages that are kept: the newest, within bounds of rows and of bytes."""

from collections.abc import Sequence

from models.storage.batch import NewRejected
from models.storage.postgresql.connection import PatientConnection
from models.storage.rejected_bounds import MORE_AT_ONCE, MOST_BYTES, MOST_ROWS, Amount

_INSERT = f"""INSERT INTO rejected_message ({", ".join(NewRejected._fields)})
    VALUES ({", ".join(["%s"] * len(NewRejected._fields))})"""
_BYTES = "octet_length(topic) + octet_length(payload)"
# The oldest, until no bound is passed any more.
_DELETE_EXCESS = f"""
    WITH oldest AS (
        SELECT id, {_BYTES} AS size, row_number() OVER in_order AS number,
            sum({_BYTES}) OVER in_order - ({_BYTES}) AS before
        FROM (SELECT * FROM rejected_message ORDER BY id LIMIT %(limit)s) AS part
        WINDOW in_order AS (ORDER BY id)
    ), gone AS (
        DELETE FROM rejected_message WHERE id IN (
            SELECT id FROM oldest
            WHERE %(rows)s - (number - 1) > %(most_rows)s OR %(bytes)s - before > %(most_bytes)s
        ) RETURNING {_BYTES} AS size
    ) SELECT count(*), coalesce(sum(size), 0) FROM gone"""
_DELETE_AGED = f"""
    WITH gone AS (
        DELETE FROM rejected_message WHERE id IN (
            SELECT id FROM (SELECT id, arrived FROM rejected_message ORDER BY id LIMIT %(limit)s) AS oldest
            WHERE arrived <= %(until)s
        ) RETURNING {_BYTES} AS size
    ) SELECT count(*), coalesce(sum(size), 0) FROM gone"""


class RejectedMessages:
    """Inserts and deletes them in the transactions of the one who writes.

    `amount` is how much is kept, as far as this member knows: what others keep is counted anew once a
    minute. Each method returns what it will be when the transaction is committed; only then may it be set.
    """

    def __init__(self) -> None:
        # None: the database must tell.
        self.amount: Amount | None = None

    def insert(self, connection: PatientConnection, messages: Sequence[NewRejected]) -> Amount:
        """Insert `messages`, and delete the oldest of all where there are too many now."""
        rows, size = self.amount or self._counted(connection)
        clean = [_without_nul(message) for message in messages]
        connection.cursor().executemany(_INSERT, clean)
        size += sum(len(message.topic.encode()) + len(message.payload) for message in clean)
        amount = Amount(rows + len(clean), size)
        return self._delete_excess(connection, amount, len(clean) + MORE_AT_ONCE)[1]

    def delete(self, connection: PatientConnection, until: float, limit: int) -> tuple[int, Amount]:
        """Delete the oldest of too many, and what arrived at or before `until` (UTC epoch seconds).

        Deletes `limit` at most. Returns how many it deleted, and how much is kept then.
        """
        excess, amount = self._delete_excess(connection, self._counted(connection), limit)
        if excess == limit:
            return excess, amount
        aged, amount = _deleted(connection, amount, _DELETE_AGED, {"limit": limit - excess, "until": until})
        return excess + aged, amount

    def _counted(self, connection: PatientConnection) -> Amount:
        query = f"SELECT count(*), coalesce(sum({_BYTES}), 0)::bigint FROM rejected_message"
        return Amount(*(connection.execute(query).fetchone() or (0, 0)))

    def _delete_excess(self, connection: PatientConnection, amount: Amount, limit: int) -> tuple[int, Amount]:
        """Delete the oldest, `limit` at most, until no bound is passed."""
        if amount.rows <= MOST_ROWS and amount.bytes <= MOST_BYTES:
            return 0, amount
        bounds: dict[str, object] = {"limit": limit, "rows": amount.rows, "bytes": amount.bytes}
        bounds |= {"most_rows": MOST_ROWS, "most_bytes": MOST_BYTES}
        return _deleted(connection, amount, _DELETE_EXCESS, bounds)


def _deleted(
    connection: PatientConnection, amount: Amount, query: str, parameters: dict[str, object]
) -> tuple[int, Amount]:
    rows, size = connection.execute(query, parameters).fetchone() or (0, 0)
    return rows, Amount(amount.rows - rows, amount.bytes - int(size))


def _without_nul(message: NewRejected) -> NewRejected:
    """Return a message without the one character that the server takes in no text."""
    topic, reason, detail = (
        text.replace("\0", "\N{REPLACEMENT CHARACTER}")
        for text in (message.topic, message.reason, message.detail)
    )
    return message._replace(topic=topic, reason=reason, detail=detail)
