import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.catalog import SeriesRow
from models.reading import Reading
from models.storage.batch import Batch, Deleted, NewRejected, Place, Stored
from models.storage.errors import NotStored, StoreUnavailable
from models.storage.sqlite.connection import WritingDatabase, reading_database, writing_database
from models.storage.sqlite.queries import counters
from models.storage.sqlite.store import Store
from tests.unit.rows import locked, rows
from tests.unit.stored import RETENTION, new_series, series_row

READINGS = (
    "SELECT series.name, time, value FROM reading JOIN series ON series.id = series_id ORDER BY sequence"
)
REJECTED = "SELECT arrived, topic, payload, size, reason, detail FROM rejected_message ORDER BY id"
COUNTS = "SELECT name, value FROM counter WHERE name <> 'since' ORDER BY name"


@pytest.fixture
def database(path: Path) -> WritingDatabase:
    return writing_database(path)


@pytest.fixture
def store(database: WritingDatabase) -> Iterator[Store]:
    store = Store(database, "me")
    yield store
    store.close()


@pytest.fixture
def data(store: Store) -> SeriesRow:
    """Store the series DATA, which has the id 1."""
    row = series_row(1)
    store.add(Batch(series=new_series(row)))
    return row


def reading(time: float, series: int = 1, value: float = 1.0, reading_id: str | None = None) -> Reading:
    return Reading(series, time, value, reading_id)


def rejected(arrived: float) -> NewRejected:
    return NewRejected(arrived, "DATA", b"\xff", 1, "not UTF-8", "")


def counters_of(path: Path) -> dict[str, int]:
    database = reading_database(path)
    with database.connection_context():
        return counters(database)


def sequences(path: Path) -> list[int]:
    return [number for (number,) in rows(path, "SELECT sequence FROM reading ORDER BY sequence")]


def times(path: Path) -> list[float]:
    """Return the event times in the order the readings were stored."""
    return [time for _, time, _ in rows(path, READINGS)]


def full_batch(*ids: int) -> Batch:
    """Return a batch with some of everything; its series `a` and `b` have these ids."""
    a, b = ids
    return Batch(
        readings=[reading(1.5, a, 2.5), reading(1.0, b, -0.1), reading(1.5, a, 2.5)],
        series=new_series(series_row(a, "a" * a), series_row(b, "b" * b)),
        rejected=[NewRejected(3.5, "c", b"\x00\xff", 9000, "not UTF-8", "why")],
        counts=Counter(received=4, rejected=1),
    )


def test_a_batch_is_stored_as_it_is(store: Store, path: Path) -> None:
    stored = store.add(full_batch(1, 2))
    assert rows(path, READINGS) == [("a", 1.5, 2.5), ("bb", 1.0, -0.1), ("a", 1.5, 2.5)]
    assert rows(path, REJECTED) == [(3.5, "c", b"\x00\xff", 9000, "not UTF-8", "why")]
    assert rows(path, COUNTS) == [("received", 4), ("rejected", 1), ("sequence", 3), ("stored", 3)]
    assert stored == Stored(
        readings=[reading(1.5, 1, 2.5), reading(1.0, 2, -0.1), reading(1.5, 1, 2.5)],
        duplicates=[],
        series=[series_row(1, "a"), series_row(2, "bb")],
        sequence=3,
    )


@pytest.mark.parametrize("value", [5e-324, 1.7976931348623157e308, 0.1, -1e17, 3.0])
@pytest.mark.usefixtures("data")
def test_a_number_is_read_back_to_the_last_bit(store: Store, path: Path, value: float) -> None:
    store.add(Batch(readings=[reading(0.1, value=value)]))
    [(_, time, stored)] = rows(path, READINGS)
    assert (repr(time), repr(stored)) == ("0.1", repr(value))


def test_counts_add_up_over_batches(store: Store, path: Path) -> None:
    store.add(Batch(counts=Counter(received=2, late=2)))
    store.add(Batch(counts=Counter(received=3, rejected=3)))
    assert rows(path, COUNTS) == [("late", 2), ("received", 5), ("rejected", 3)]


def test_series_are_read_back_as_they_were_stored(
    store: Store, database: WritingDatabase, path: Path
) -> None:
    row = SeriesRow(1, "a/b", "a", "b", 0.1, 2100.5)
    store.add(Batch(series=new_series(row, series_row(2))))
    assert Store(database, "me").series() == [row, series_row(2)]
    assert store.series() == [row, series_row(2)]


def test_a_series_has_one_name_and_no_other_has_it(store: Store, path: Path) -> None:
    store.add(Batch(series=new_series(series_row(1, "a"))))
    with pytest.raises(StoreUnavailable, match="UNIQUE"):
        store.add(Batch(series=new_series(series_row(2, "a"))))


def test_a_series_that_is_deleted_may_begin_again(store: Store, path: Path) -> None:
    store.add(Batch(series=new_series(series_row(1, "a"), series_row(2, "b"))))
    store.delete_series(1)
    assert store.series() == [series_row(2, "b")]
    store.add(Batch(series=new_series(series_row(3, "a"))))
    assert store.series() == [series_row(2, "b"), series_row(3, "a")]


def test_the_store_decides_the_ids_of_series(store: Store, path: Path) -> None:
    new = new_series(series_row(0, "a"), series_row(0, "b"))
    first, second = new
    stored = store.add(Batch(readings=[reading(1, second.id, 5), reading(2, first.id, 6)], series=new))
    assert (first.id, second.id) == (-1, -2)
    assert stored.series == [series_row(1, "a"), series_row(2, "b")]
    assert stored.readings == [reading(1, 2, 5), reading(2, 1, 6)]
    assert rows(path, READINGS) == [("b", 1, 5), ("a", 2, 6)]


def test_an_id_that_a_series_has_had_is_given_to_no_other(store: Store) -> None:
    """Or what was computed of the one that is gone would be taken for the new one's."""
    store.add(Batch(series=new_series(series_row(0, "a"), series_row(0, "b"))))
    store.delete_series(2)
    assert store.add(Batch(series=new_series(series_row(0, "c")))).series == [series_row(3, "c")]


def test_a_batch_that_was_taken_back_can_be_stored_with_its_series(store: Store, path: Path) -> None:
    new = new_series(series_row(0, "a"))
    batch = Batch(readings=[reading(1, -1), reading(2, -1)], series=new)
    with locked(path), pytest.raises(StoreUnavailable):
        store.add(batch)
    assert store.add(batch).series == [series_row(1, "a")]
    assert rows(path, READINGS) == [("a", 1, 1), ("a", 2, 1)]


def test_another_member_has_other_deliveries_and_subscriptions(store: Store, path: Path) -> None:
    """Its session at the broker is another one, with the same packet ids for other messages."""
    other = Store(writing_database(path), "another")
    store.add(Batch(deliveries=[(4, b"mine")]))
    other.add(Batch(deliveries=[(4, b"theirs"), (5, b"more")]))
    store.set_subscriptions(["a"])
    other.set_subscriptions(["b"])
    other.set_subscriptions(["c"])
    assert (store.deliveries(), other.deliveries()) == ([(4, b"mine")], [(4, b"theirs"), (5, b"more")])
    assert (store.subscriptions(), other.subscriptions()) == ({"a"}, {"c"})
    other.forget_deliveries([4], rewritten=[(5, b"less")])
    assert (store.deliveries(), other.deliveries()) == ([(4, b"mine")], [(5, b"less")])
    other.close()


@pytest.mark.usefixtures("data")
def test_the_counters_of_all_members_are_added_up_and_sequences_go_on(store: Store, path: Path) -> None:
    since = counters_of(path)["since"]
    store.add(Batch(readings=[reading(1), reading(2)], counts=Counter(received=2)))
    store.close()
    other = Store(writing_database(path), "another")
    assert other.add(Batch(readings=[reading(3)], counts=Counter(received=1))).sequence == 3
    other.close()
    again = Store(writing_database(path), "me")
    assert again.add(Batch(readings=[reading(4)], counts=Counter(received=2, late=1))).sequence == 4
    again.close()
    assert counters_of(path) == {"since": since, "received": 5, "late": 1, "stored": 4, "sequence": 4}
    assert sequences(path) == [1, 2, 3, 4]


def test_how_long_a_series_is_kept_can_change(store: Store, path: Path) -> None:
    store.add(Batch(series=new_series(series_row(1, "a"), series_row(2, "b"))))
    store.set_retentions({2: 99.5})
    assert store.series() == [series_row(1, "a"), series_row(2, "b", retention=99.5)]


def test_subscriptions_are_those_that_were_noted_last(
    store: Store, database: WritingDatabase, path: Path
) -> None:
    assert store.subscriptions() == set()
    store.set_subscriptions(["a/#", "b"])
    store.set_subscriptions(["b", "+/c"])
    assert store.subscriptions() == Store(database, "me").subscriptions() == {"b", "+/c"}
    with locked(path), pytest.raises(StoreUnavailable):
        store.set_subscriptions(["x"])
    assert store.subscriptions() == {"b", "+/c"}


def test_a_store_opens_nothing_until_it_is_used(database: WritingDatabase) -> None:
    store = Store(database, "me")
    assert database.is_closed()
    store.close()


@pytest.mark.usefixtures("data")
def test_a_store_that_was_closed_opens_again(store: Store, path: Path, database: WritingDatabase) -> None:
    store.add(Batch(readings=[reading(1)]))
    store.close()
    assert database.is_closed()
    store.close()
    store.add(Batch(readings=[reading(2)]))
    assert times(path) == [1, 2]


def test_a_locked_database_takes_nothing_and_then_all(store: Store, path: Path) -> None:
    store.add(full_batch(1, 2))
    before = [rows(path, sql) for sql in (READINGS, REJECTED, COUNTS)]
    for _ in range(2):
        with locked(path), pytest.raises(StoreUnavailable, match="locked"):
            store.add(full_batch(3, 4))
    assert [rows(path, sql) for sql in (READINGS, REJECTED, COUNTS)] == before
    store.add(full_batch(3, 4))
    assert [(time, value) for _, time, value in rows(path, READINGS)] == [
        (1.5, 2.5),
        (1.0, -0.1),
        (1.5, 2.5),
    ] * 2
    assert rows(path, REJECTED) == before[1] * 2
    assert rows(path, COUNTS) == [("received", 8), ("rejected", 2), ("sequence", 6), ("stored", 6)]


@pytest.mark.parametrize("table", ["series", "reading", "rejected_message", "delivery", "counter"])
def test_an_error_anywhere_in_a_batch_takes_all_of_it_back(store: Store, path: Path, table: str) -> None:
    """The error stands for those of a disk: SQLite does not end the transaction for each of them."""
    store.add(Batch(readings=[reading(0)], series=new_series(series_row(1, "known"))))
    rows(path, f"CREATE TRIGGER broken BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no luck'); END")
    batch = full_batch(2, 3)
    batch.deliveries = [(1, b"packets")]
    with pytest.raises(StoreUnavailable, match="no luck"):
        store.add(batch)
    assert rows(path, READINGS) == [("known", 0, 1)]
    assert rows(path, REJECTED) == []
    assert rows(path, COUNTS) == [("sequence", 1), ("stored", 1)]
    assert store.series() == [series_row(1, "known")]
    assert store.deliveries() == []
    rows(path, "DROP TRIGGER broken")
    assert store.add(batch).sequence == 4
    assert len(rows(path, READINGS)) == 4


@pytest.mark.usefixtures("data")
def test_what_is_no_number_is_told_from_a_database_that_cannot_be_written(store: Store, path: Path) -> None:
    """It would be tried again for ever, and nothing that came after it would be taken in."""
    for bad in (reading(0, value=float("nan")), reading(float("nan"))):
        with pytest.raises(NotStored, match="NOT NULL"):
            store.add(Batch(readings=[reading(1), bad]))
    assert rows(path, READINGS) == []
    assert store.add(Batch(readings=[reading(1)])).sequence == 1


@pytest.mark.usefixtures("data")
def test_a_full_disk_takes_nothing_and_says_so(store: Store, path: Path, database: WritingDatabase) -> None:
    store.add(Batch(readings=[reading(0)]))
    [pages] = database.execute_sql("PRAGMA page_count").fetchone()
    database.execute_sql(f"PRAGMA max_page_count = {pages}")
    new = series_row(2, "new")
    with pytest.raises(StoreUnavailable, match="full"):
        store.add(Batch(readings=[reading(time, 2) for time in range(5000)], series=new_series(new)))
    assert rows(path, READINGS) == [("DATA", 0, 1)]
    store.add(Batch(readings=[reading(1, 2)], series=new_series(new)))
    assert rows(path, READINGS) == [("DATA", 0, 1), ("new", 1, 1)]


@pytest.mark.usefixtures("data")
def test_after_an_error_the_connection_is_a_new_one(
    store: Store, path: Path, database: WritingDatabase
) -> None:
    """After a full disk or an I/O error the old one may be in any state."""
    store.add(Batch(readings=[reading(0)]))
    with locked(path), pytest.raises(StoreUnavailable):
        store.add(Batch(readings=[reading(1)]))
    assert database.is_closed()


def test_an_id_is_stored_once_in_its_series(store: Store, path: Path) -> None:
    """The first stays; those that are refused are told apart, and still use up their sequence."""
    series = new_series(series_row(1, "a"), series_row(2, "b"))
    first = store.add(
        Batch(
            readings=[reading(1, 1, 10, "x"), reading(2, 1, 20, "x"), reading(3, 2, 30, "x")], series=series
        )
    )
    assert first.readings == [reading(1, 1, 10, "x"), reading(3, 2, 30, "x")]
    assert (first.duplicates, first.sequence) == ([reading(2, 1, 20, "x")], 3)
    second = store.add(Batch(readings=[reading(4, 1, 40), reading(1, 1, 10, "x"), reading(5, 1, 50, "y")]))
    assert second.readings == [reading(4, 1, 40), reading(5, 1, 50, "y")]
    assert (second.duplicates, second.sequence) == ([reading(1, 1, 10, "x")], 6)
    assert rows(path, READINGS) == [("a", 1, 10), ("b", 3, 30), ("a", 4, 40), ("a", 5, 50)]
    assert rows(path, COUNTS) == [("duplicates", 2), ("sequence", 6), ("stored", 4)]


@pytest.mark.usefixtures("data")
def test_deleting_readings_costs_what_is_deleted(store: Store, database: WritingDatabase) -> None:
    """Not what is still to be deleted after it, or what is kept. Measured in SQLite's own instructions."""
    instructions = 0

    def count() -> None:
        nonlocal instructions
        instructions += 1

    taken = []
    for stored in (100, 1000):
        store.add(Batch(readings=[reading(time, reading_id=f"{stored}-{time}") for time in range(stored)]))
        instructions = 0
        database.connection().set_progress_handler(count, 1)
        assert delete(store, until=stored, limit=10).rows == 10
        database.connection().set_progress_handler(None, 1)
        taken.append(instructions)
        delete(store, until=stored, limit=stored)
    assert 0 < taken[1] < 1.1 * taken[0]


@pytest.mark.usefixtures("data")
def test_an_id_is_known_as_long_as_its_reading_is_kept(store: Store, path: Path) -> None:
    batch = [reading(1, reading_id="x"), reading(2, reading_id="beef-01"), reading(3, reading_id="x2")]
    store.add(Batch(readings=[*batch, reading(1.5)]))
    assert delete(store, until=2, limit=10) == (3, None)
    assert rows(path, "SELECT message_id FROM message_id") == [("x2",)]
    again = store.add(Batch(readings=[*batch, reading(4, reading_id="beef-1")]))
    assert [stored.time for stored in again.readings] == [1, 2, 4]
    assert [known.time for known in again.duplicates] == [3]


@pytest.mark.usefixtures("data")
def test_no_id_is_remembered_of_a_batch_that_was_taken_back(
    store: Store, path: Path, database: WritingDatabase
) -> None:
    store.add(Batch(readings=[reading(0)]))
    [(pages,)] = rows(path, "PRAGMA page_count")
    database.execute_sql(f"PRAGMA max_page_count = {pages}")
    many = [reading(time, reading_id=f"{time}") for time in range(5000)]
    with pytest.raises(StoreUnavailable, match="full"):
        store.add(Batch(readings=many))
    assert rows(path, "SELECT * FROM message_id") == []
    assert len(store.add(Batch(readings=many)).readings) == 5000


@pytest.mark.usefixtures("data")
def test_sequences_grow_even_after_everything_has_been_deleted(
    store: Store, path: Path, database: WritingDatabase
) -> None:
    store.add(Batch(readings=[reading(1), reading(2), reading(3)]))
    newest = max(sequences(path))
    assert delete(store, until=10, limit=10) == (3, None)
    restarted = Store(database, "me")
    restarted.add(Batch(readings=[reading(4), reading(5)]))
    first, second = sequences(path)
    assert newest < first < second


@pytest.mark.usefixtures("data")
def test_sequences_grow_after_a_batch_that_was_taken_back(store: Store, path: Path) -> None:
    store.add(Batch(readings=[reading(1)]))
    with locked(path), pytest.raises(StoreUnavailable):
        store.add(Batch(readings=[reading(2)]))
    assert store.add(Batch(readings=[reading(2), reading(3)])).sequence == 3
    assert sequences(path) == [1, 2, 3]


@pytest.mark.usefixtures("data")
def test_sequences_go_on_after_a_restart(store: Store, path: Path, database: WritingDatabase) -> None:
    """Also if the last one was refused as a duplicate: what is fed to the statistics has been counted."""
    store.add(Batch(readings=[reading(1, reading_id="x"), reading(2, reading_id="x")]))
    assert Store(database, "me").add(Batch(readings=[reading(3)])).sequence == 3
    assert sequences(path) == [1, 3]


BEGINNING = (float("-inf"), 0)


def delete(
    store: Store, until: float, limit: int, after: Place = BEGINNING, retention: float = RETENTION
) -> Deleted:
    return store.delete_readings(after, until, limit, retention)


@pytest.mark.usefixtures("data")
def test_deleting_readings_takes_those_up_to_a_time(store: Store, path: Path) -> None:
    store.add(Batch(readings=[reading(time) for time in (3.0, 1.0, 2.0, 2.5, 2.0)]))
    assert delete(store, until=2.0, limit=10) == (3, None)
    assert times(path) == [3.0, 2.5]
    assert delete(store, until=2.0, limit=10) == (0, None)


@pytest.mark.usefixtures("data")
def test_deleting_readings_leaves_those_up_to_where_it_begins(store: Store, path: Path) -> None:
    store.add(Batch(readings=[reading(time) for time in (1, 2, 3, 4)]))
    assert delete(store, after=(2, 2), until=3, limit=10) == (1, None)
    assert times(path) == [1, 2, 4]


@pytest.mark.usefixtures("data")
def test_deleting_readings_takes_no_more_than_the_limit_and_says_how_far_it_has_come(
    store: Store, path: Path
) -> None:
    """However many there are of one moment."""
    times_stored = [*range(10), *[4] * 7]
    random.Random(1).shuffle(times_stored)
    store.add(Batch(readings=[reading(time) for time in times_stored]))
    deleted = []
    after: Place | None = BEGINNING
    while after is not None:
        rows_deleted, after = delete(store, after=after, until=6, limit=3)
        deleted.append(rows_deleted)
    assert sum(deleted) == 14
    assert max(deleted) == 3
    assert sorted(times(path)) == [7, 8, 9]


def test_only_readings_of_series_that_are_kept_so_long_are_deleted(store: Store, path: Path) -> None:
    """The others are looked at once, and never again."""
    series = new_series(series_row(1, "short", retention=10.5), series_row(2, "long", retention=99))
    store.add(Batch(readings=[reading(time, 1 + time % 2) for time in range(10)], series=series))
    assert delete(store, until=7, limit=100, retention=10.5) == (4, None)
    assert times(path) == [1, 3, 5, 7, 8, 9]
    assert delete(store, until=9, limit=2, retention=10.5) == (0, (3, 4))
    assert delete(store, after=(3, 4), until=20, limit=100, retention=99) == (3, None)
    assert times(path) == [1, 3, 8]


def test_what_was_deleted_is_counted(store: Store, path: Path) -> None:
    store.add(Batch(readings=[reading(1), reading(2), reading(3)], series=new_series(series_row(1))))
    delete(store, until=2, limit=10)
    delete(store, until=2, limit=10)
    delete(store, until=3, limit=10)
    assert ("pruned", 3) in rows(path, COUNTS)


def test_deleting_from_a_locked_database_deletes_nothing(store: Store, path: Path) -> None:
    store.add(Batch(readings=[reading(1)], series=new_series(series_row(1)), rejected=[rejected(1)]))
    with locked(path):
        with pytest.raises(StoreUnavailable):
            delete(store, until=10, limit=10)
        with pytest.raises(StoreUnavailable):
            store.delete_rejected(until=10, limit=99)
        with pytest.raises(StoreUnavailable):
            store.delete_series(1)
    assert (len(rows(path, READINGS)), len(rows(path, REJECTED))) == (1, 1)
    assert delete(store, until=10, limit=10) == (1, None)


@pytest.mark.usefixtures("data")
def test_deleting_readings_takes_no_more_than_it_is_told_though_all_have_one_time(
    store: Store, path: Path
) -> None:
    """Or one task could delete a million rows, and every acknowledgement would wait for it."""
    store.add(Batch(readings=[reading(2.0) for _ in range(5)]))
    rows_deleted, last = delete(store, until=2.0, limit=2)
    assert (rows_deleted, last, len(times(path))) == (2, (2.0, 2), 3)
    assert last is not None
    assert delete(store, until=2.0, limit=2, after=last) == (2, (2.0, 4))
    assert delete(store, until=2.0, limit=2, after=(2.0, 4)) == (1, None)
    assert times(path) == []
