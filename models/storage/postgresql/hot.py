"""What is done with each batch, as SQL that is as quick as it can be: COPY, and commits of one statement."""

from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple

from models.storage.postgresql.connection import PatientConnection
from models.storage.records import COUNTERS

# From so many readings on COPY is quicker than a statement with arrays.
COPY_FROM = 256
# The sequences of a batch: a block for each, in which they are counted.
BLOCK_BITS = 20
LARGEST_BATCH = 1 << BLOCK_BITS
# Of the binary format of COPY (PostgreSQL's documentation, COPY, File Formats): the columns of a row, and
# before each its length.
_COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_TRAILER = b"\xff\xff"
_READING = Struct(">hididiqiiii")
_ID_BEGIN, _ID_END = Struct(">hi"), Struct(">iiii")


class New(NamedTuple):
    """A reading to be stored. `place` is where it stands in its batch."""

    place: int
    time: float
    value: float
    series: int
    expires: int
    id: bytes | None


class Closing(NamedTuple):
    """What ends a transaction: what is noted of the batch, beside its readings."""

    member: int
    number: int
    mark: int
    # How many readings the batch brought.
    brought: int
    # The places of those that are known to be duplicates.
    duplicates: Sequence[int]
    counts: dict[str, int]
    deliveries: Sequence[tuple[int, bytes]]
    forgotten: Sequence[int]

    def parameters(self) -> dict[str, object]:
        return {
            **{name: self.counts.get(name, 0) for name in COUNTERS},
            "member": self.member,
            "number": self.number,
            "mark": self.mark,
            "brought": self.brought,
            "known": list(self.duplicates),
            "delivered": [number for number, _ in self.deliveries],
            "packets": [packets for _, packets in self.deliveries],
            "forgotten": list(self.forgotten),
        }


# Those that are not told before it is known which readings are duplicates.
_COUNTED = ", ".join(
    f"{name} = {name} + %({name})s" for name in COUNTERS if name not in ("stored", "duplicates")
)
# The primary key of a batch makes the whole transaction fail if a batch of this number is there already.
_CLOSING = f"""
    delivered AS (
        INSERT INTO delivery (member, number, packets)
        SELECT %(member)s, * FROM unnest(%(delivered)b::bigint[], %(packets)b::bytea[])
        ON CONFLICT (member, number) DO UPDATE SET packets = EXCLUDED.packets
    ), forgotten AS (
        DELETE FROM delivery WHERE member = %(member)s AND number = ANY(%(forgotten)b::bigint[])
    ), counted AS (
        UPDATE member SET number = %(number)s,
            sequence = CASE WHEN %(brought)s > 0 THEN first + %(brought)s - 1 ELSE sequence END,
            {_COUNTED},
            stored = stored + %(brought)s - cardinality(refused),
            duplicates = duplicates + %(duplicates)s + cardinality(refused)
        FROM outcome WHERE id = %(member)s
    ), noted AS (
        INSERT INTO batch (member, number, mark, sequence, readings, duplicates, committed)
        SELECT %(member)s, %(number)s, %(mark)s, coalesce(first, 0), %(brought)s,
            nullif(refused, '{{}}'), extract(epoch FROM clock_timestamp())
        FROM outcome
    )
    SELECT first, refused FROM outcome"""

_WHOLE = f"""
    WITH given AS MATERIALIZED (
        SELECT * FROM unnest(%(places)b::int[], %(times)b::float8[], %(values)b::float8[], %(series)b::int[],
            %(expires)b::int[], %(ids)b::bytea[]) AS given (place, time, value, series, expires, id)
    ), fresh AS (
        INSERT INTO message_id (message_id, series, expires)
        SELECT id, series, expires FROM given WHERE id IS NOT NULL ORDER BY id, series
        ON CONFLICT DO NOTHING RETURNING message_id AS id, series
    ), new AS MATERIALIZED (
        SELECT given.* FROM given LEFT JOIN fresh USING (id, series)
        WHERE given.id IS NULL OR fresh.id IS NOT NULL
    ), outcome AS MATERIALIZED (
        SELECT (SELECT (nextval('reading_block') << {BLOCK_BITS}) + 1 WHERE %(brought)s > 0) AS first,
            %(known)b::int[] || ARRAY(SELECT place FROM given EXCEPT SELECT place FROM new) AS refused
    ), stored AS (
        INSERT INTO reading (time, value, sequence, series, expires)
        SELECT time, value, first + place, series, expires FROM new CROSS JOIN outcome
    ), {_CLOSING}"""

_CLOSE = f"""
    WITH outcome AS MATERIALIZED (
        SELECT %(first)s::bigint AS first, %(known)b::int[] AS refused
    ), {_CLOSING}"""

_INSERT_IDS = """
    INSERT INTO message_id (message_id, series, expires)
    SELECT * FROM unnest(%b::bytea[], %b::int[], %b::int[]) AS given (id, series, expires) ORDER BY id, series
    ON CONFLICT DO NOTHING RETURNING message_id, series"""


def store_whole(
    connection: PatientConnection, readings: Sequence[New], closing: Closing
) -> tuple[int | None, list[int]]:
    """Store a batch by one statement, which is the transaction.

    No two of `readings` have one id. Returns the first sequence, and the places of all duplicates.
    """
    columns = [list(column) for column in zip(*readings, strict=True)] if readings else [[]] * 6
    places, times, values, series, expires, ids = columns
    return connection.execute(  # type: ignore[return-value]
        _WHOLE,
        closing.parameters()
        # all of one type: a whole number may stand for one with a fraction
        | {"places": places, "times": [*map(float, times)], "values": [*map(float, values)]}
        | {"series": series, "expires": expires, "ids": ids},
    ).fetchone()


def begin(connection: PatientConnection) -> int:
    """Begin a transaction; return the first sequence that its readings may have."""
    # two statements at once cannot be prepared
    cursor = connection.execute("BEGIN; SELECT nextval('reading_block')", prepare=False)
    cursor.nextset()
    block: int
    [block] = cursor.fetchone()  # type: ignore[misc]
    return (block << BLOCK_BITS) + 1


def copy_ids(connection: PatientConnection, readings: Sequence[New]) -> None:
    """Store ids. Raises UniqueViolation if one of them is there, after which there is no transaction."""
    rows = sorted((each.id, each.series, each.expires) for each in readings if each.id is not None)
    begin_row, end_row = _ID_BEGIN.pack, _ID_END.pack
    _copy(
        connection,
        "COPY message_id (message_id, series, expires) FROM STDIN (FORMAT BINARY)",
        [begin_row(3, len(each)) + each + end_row(4, series, 4, expires) for each, series, expires in rows],
    )


def insert_ids(connection: PatientConnection, readings: Sequence[New]) -> set[int]:
    """Store ids; return the places of the readings whose ids were there."""
    with_id = [each for each in readings if each.id is not None]
    if not with_id:
        return set()
    rows = connection.execute(
        _INSERT_IDS,
        (
            [each.id for each in with_id],
            [each.series for each in with_id],
            [each.expires for each in with_id],
        ),
    )
    new = {(bytes(number), series) for number, series in rows}
    return {each.place for each in with_id if (each.id, each.series) not in new}


def delete_ids(connection: PatientConnection, readings: Sequence[New]) -> None:
    """Delete the ids of readings that are not stored after all: else they would stay for good."""
    connection.cursor().executemany(
        "DELETE FROM message_id WHERE message_id = %s AND series = %s",
        [(each.id, each.series) for each in readings if each.id is not None],
    )


def change_deliveries(
    connection: PatientConnection,
    member: int,
    written: Sequence[tuple[int, bytes]],
    forgotten: Sequence[int],
) -> None:
    """Write the deliveries of `written`, and delete those with the numbers in `forgotten`."""
    if written:
        connection.cursor().executemany(
            "INSERT INTO delivery (member, number, packets) VALUES (%s, %s, %s) "
            "ON CONFLICT (member, number) DO UPDATE SET packets = EXCLUDED.packets",
            [(member, *row) for row in written],
        )
    if forgotten:
        connection.execute(
            "DELETE FROM delivery WHERE member = %s AND number = ANY(%b::bigint[])", (member, list(forgotten))
        )


def copy_readings(connection: PatientConnection, readings: Sequence[New], first: int) -> None:
    """Store readings; the sequence of each is its place counted from `first`."""
    pack = _READING.pack
    _copy(
        connection,
        "COPY reading (time, value, sequence, series, expires) FROM STDIN (FORMAT BINARY)",
        [
            pack(5, 8, time, 8, value, 8, first + place, 4, series, 4, expires)
            for place, time, value, series, expires, _ in readings
        ],
    )


def close(connection: PatientConnection, first: int, closing: Closing) -> None:
    """Note what a transaction has stored, and commit it."""
    connection.execute(_CLOSE, closing.parameters() | {"first": first})
    connection.execute("COMMIT")


def _copy(connection: PatientConnection, statement: str, rows: Sequence[bytes]) -> None:
    if rows:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(b"".join([_COPY_HEADER, *rows, _COPY_TRAILER]))
