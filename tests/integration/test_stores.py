"""What every database of readings does: one suite over each of them."""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from models.catalog import SeriesRow
from models.reading import Reading
from models.statistics.loading import SummedReadings
from models.storage import rejected_bounds
from models.storage.batch import Batch, NewRejected
from models.storage.errors import NotStored, StoreUnavailable
from models.storage.interface import WritingStore
from tests.support.stores import Kind, Postgresql, Sqlite
from tests.unit.stored import RETENTION, new_series, series_row

# UTC epoch seconds; a whole multiple of all moments at which readings expire.
NOW = 1_700_000_000.0 // 7200 * 7200
READINGS = (
    "SELECT series.name, time, value FROM reading JOIN series ON series.id = {series} ORDER BY sequence"
)
# Below it a batch is one statement in PostgreSQL, and from it on rows are copied.
FEW, MANY = 3, 300


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    if request.param == "sqlite":
        return Sqlite(tmp_path / "test.db")
    return Postgresql(request.getfixturevalue("postgresql"))


@pytest.fixture
def store(kind: Kind) -> Iterator[WritingStore]:
    store = kind.store(now=lambda: NOW)
    yield store
    store.close()


@pytest.fixture
def data(store: WritingStore) -> SeriesRow:
    """Store the series DATA, which has the id 1."""
    store.add(Batch(series=new_series(series_row(0))))
    return series_row(1)


def reading(time: float, series: int = 1, value: float = 1.0, reading_id: str | None = None) -> Reading:
    return Reading(series, NOW + time, value, reading_id)


def with_ids(beginning: str, numbers: Sequence[int], series: int = 1) -> list[Reading]:
    return [reading(number / 100, series, number, f"{beginning}{number}") for number in numbers]


def stored(kind: Kind) -> list[tuple[str, float, float]]:
    """Return name, time and value of all readings, in the order in which they were stored."""
    return [(name, time - NOW, value) for name, time, value in kind.query(READINGS)]


def prune(store: WritingStore, until: float, retention: float = RETENTION) -> int:
    """Delete what is `until` (seconds after NOW) or earlier; return how many readings that were."""
    place, rows = (-math.inf, 0), 0
    while True:
        deleted = store.delete_readings(place, NOW + until, 1000, retention)
        rows += deleted.rows
        if deleted.last is None:
            return rows
        place = deleted.last


def full_batch(*names: str) -> Batch:
    """Return a batch with some of everything, and two new series."""
    return Batch(
        readings=[reading(1.5, -1, 2.5), reading(1.0, -2, -0.1), reading(1.5, -1, 2.5)],
        series=new_series(*(series_row(0, name) for name in names)),
        rejected=[NewRejected(NOW, "c", b"\x00\xff", 9000, "not UTF-8", "why")],
        counts=Counter(received=4, rejected=1),
        deliveries=[(1, b"packets")],
    )


def test_a_batch_is_stored_as_it_is(kind: Kind, store: WritingStore) -> None:
    found = store.add(full_batch("a", "bb"))
    assert stored(kind) == [("a", 1.5, 2.5), ("bb", 1.0, -0.1), ("a", 1.5, 2.5)]
    query = "SELECT arrived, topic, payload, size, reason, detail FROM rejected_message"
    assert kind.query(query) == [(NOW, "c", b"\x00\xff", 9000, "not UTF-8", "why")]
    assert kind.counters == {"received": 4, "rejected": 1, "stored": 3}
    assert found.readings == [reading(1.5, 1, 2.5), reading(1.0, 2, -0.1), reading(1.5, 1, 2.5)]
    assert found.duplicates == []
    assert found.series == [series_row(1, "a"), series_row(2, "bb")]
    assert store.deliveries() == [(1, b"packets")]


@pytest.mark.parametrize("count", [FEW, MANY])
@pytest.mark.usefixtures("data")
def test_a_number_is_read_back_to_the_last_bit(kind: Kind, store: WritingStore, count: int) -> None:
    values = [5e-324, 1.7976931348623157e308, 0.1, -1e17, 3.0, math.pi] * (count // 3)
    store.add(Batch(readings=[Reading(1, NOW + 0.1, value) for value in values]))
    rows = kind.query("SELECT time, value FROM reading ORDER BY sequence")
    assert [(repr(time), repr(value)) for time, value in rows] == [
        (repr(NOW + 0.1), repr(value)) for value in values
    ]


@pytest.mark.usefixtures("data")
def test_a_whole_number_is_a_number(kind: Kind, store: WritingStore) -> None:
    store.add(Batch(readings=[Reading(1, round(NOW), 5), Reading(1, NOW + 0.5, 0.5)]))
    assert stored(kind) == [("DATA", 0, 5), ("DATA", 0.5, 0.5)]


def test_counts_add_up_over_batches_and_members(kind: Kind, store: WritingStore) -> None:
    store.add(Batch(counts=Counter(received=2, late=2)))
    store.add(Batch(counts=Counter(received=3, rejected=3, retained=70_000, ignored=1)))
    store.close()
    other = kind.store("another")
    other.add(Batch(counts=Counter(received=1, duplicates=1)))
    other.close()
    expected = {"received": 6, "late": 2, "rejected": 3, "retained": 70_000, "ignored": 1, "duplicates": 1}
    assert kind.counters == expected
    with kind.database.reader() as look:
        counters = look.counters()
    assert {name: counters[name] for name in expected} == expected
    assert counters["since"] > 1_700_000_000


def test_series_are_read_back_as_they_were_stored(kind: Kind, store: WritingStore) -> None:
    rows = [SeriesRow(1, "Z/b", "Z", "b", 0.1, 2100.5), SeriesRow(2, "a", "a", "", 5.0, RETENTION)]
    store.add(Batch(series=new_series(*rows)))
    assert store.series() == rows
    with kind.database.reader() as look:
        assert look.series() == rows
        assert (look.series_named("Z/b"), look.series_named("b")) == (rows[0], None)


def test_names_are_in_the_order_of_their_bytes(kind: Kind, store: WritingStore) -> None:
    names = ["ü", "z", "Z", "a", "B", "a/b", "a b"]
    store.add(Batch(series=new_series(*(series_row(0, name) for name in names))))
    with kind.database.reader() as look:
        assert [row.name for row in look.series()] == sorted(names, key=str.encode)


def test_a_series_that_is_deleted_may_begin_again_under_another_id(kind: Kind, store: WritingStore) -> None:
    store.add(Batch(series=new_series(series_row(0, "a"), series_row(0, "b"))))
    store.delete_series(2)
    [again] = store.add(Batch(series=new_series(series_row(0, "b")))).series
    assert again.id > 2
    assert store.series() == [series_row(1, "a"), again]


@pytest.mark.parametrize("count", [FEW, MANY])
def test_the_store_decides_the_ids_of_series(kind: Kind, store: WritingStore, count: int) -> None:
    new = new_series(series_row(0, "a"), series_row(0, "b"))
    readings = [reading(place, -1 - place % 2, place) for place in range(count)]
    found = store.add(Batch(readings=readings, series=new))
    assert found.series == [series_row(1, "a"), series_row(2, "b")]
    assert found.readings == [reading(place, 1 + place % 2, place) for place in range(count)]
    assert stored(kind) == [("ab"[place % 2], place, place) for place in range(count)]


def test_a_batch_that_could_not_be_stored_is_stored_when_it_can(kind: Kind, store: WritingStore) -> None:
    """All of it or nothing, wherever it fails, and with the same series."""
    batch = full_batch("a", "b")
    for table in ("series", "reading", "rejected_message", "delivery"):
        with kind.breaking(table), pytest.raises(StoreUnavailable, match="no luck"):
            store.add(batch)
        assert (stored(kind), kind.counters, store.series(), store.deliveries()) == ([], {}, [], [])
        assert kind.query("SELECT * FROM rejected_message") == []
    found = store.add(batch)
    assert [row.name for row in found.series] == ["a", "b"]
    assert len(stored(kind)) == 3
    assert kind.counters == {"received": 4, "rejected": 1, "stored": 3}


@pytest.mark.parametrize("count", [FEW, MANY])
@pytest.mark.usefixtures("data")
def test_no_id_is_remembered_of_a_batch_that_was_not_stored(
    kind: Kind, store: WritingStore, count: int
) -> None:
    batch = Batch(readings=with_ids("x", range(count)))
    with kind.breaking("reading"), pytest.raises(StoreUnavailable):
        store.add(batch)
    assert kind.query("SELECT * FROM message_id") == []
    assert len(store.add(batch).readings) == count


@pytest.mark.parametrize("count", [FEW, MANY])
def test_an_id_is_stored_once_in_its_series(kind: Kind, store: WritingStore, count: int) -> None:
    """The first stays; it is told which are refused, and each counts."""
    series = new_series(series_row(0, "a"), series_row(0, "b"))
    first = with_ids("x", range(count), -1) + with_ids("x", range(count), -2) + with_ids("x", [1], -1)
    found = store.add(Batch(readings=first, series=series))
    assert (len(found.readings), found.duplicates) == (2 * count, with_ids("x", [1], 1))
    again = [reading(9, 1, 40), *with_ids("x", range(1, count + 1)), reading(9.5, 2, 50)]
    found = store.add(Batch(readings=again))
    assert found.readings == [again[0], *with_ids("x", [count]), again[-1]]
    assert found.duplicates == with_ids("x", range(1, count))
    assert kind.counters == {"duplicates": count, "stored": 2 * count + 3}
    assert len(stored(kind)) == 2 * count + 3


@pytest.mark.usefixtures("data")
def test_ids_of_every_kind_are_told_apart(store: WritingStore) -> None:
    ids = ["0", "00", "a", "A", "-", "beef-01", "beef-1", "ünïcode", " ", "\n", "x\0y", "x" * 500]
    assert len(store.add(Batch(readings=[reading(1, reading_id=each) for each in ids])).readings) == len(ids)
    assert store.add(Batch(readings=[reading(2, reading_id=each) for each in ids])).readings == []


@pytest.mark.parametrize("count", [FEW, MANY])
@pytest.mark.usefixtures("data")
def test_what_is_repeated_counts_once(kind: Kind, store: WritingStore, count: int) -> None:
    """Also beside what is in the same batch; and its id is free again."""
    store.add(Batch(readings=[reading(0, value=7), reading(4, value=8)]))
    readings = [
        *(reading(100 + place, value=place) for place in range(count)),
        reading(1, value=7, reading_id="heard twice"),  # as the one before it
        reading(3.5, value=8),  # as the one after it
        reading(2, value=8),  # no: further away than it may be
        reading(500, value=1),
        reading(500.5, value=1),  # as the one in the batch
    ]
    asked = dict.fromkeys(range(count, count + 5), 1.0)
    found = store.add(Batch(readings=readings, unless_repeated=asked))
    assert [(each.time - NOW, each.value) for each in found.duplicates] == [(1, 7), (3.5, 8), (500.5, 1)]
    assert kind.query("SELECT * FROM message_id") == []
    assert kind.counters == {"stored": 2 + count + 2, "duplicates": 3}


def test_sequences_grow_in_the_order_of_arrival_and_over_restarts(kind: Kind, store: WritingStore) -> None:
    found = [store.add(Batch(readings=[reading(9, -1)], series=new_series(series_row(0)))).sequence]
    found.append(store.add(Batch(readings=[reading(3), reading(2)])).sequence)
    assert store.add(Batch(counts=Counter(late=1))).sequence == found[-1]
    store.close()
    other = kind.store(now=lambda: NOW)
    found.append(other.add(Batch(readings=[reading(1, reading_id="x"), reading(1, reading_id="x")])).sequence)
    found.append(other.add(Batch(readings=[reading(0)])).sequence)
    other.close()
    assert found == sorted(set(found))
    assert [time for _, time, _ in stored(kind)] == [9, 3, 2, 1, 0]
    assert kind.query("SELECT max(sequence) FROM reading") == [(found[-1],)]
    with kind.database.reader() as look:
        assert look.snapshot().sequence == found[-1]


def test_another_member_has_other_deliveries_and_subscriptions(kind: Kind, store: WritingStore) -> None:
    """Its session at the broker is another one, with the same packet ids for other messages."""
    other = kind.store("another")
    store.add(Batch(deliveries=[(4, b"mine")]))
    other.add(Batch(deliveries=[(4, b"theirs"), (5, b"more")]))
    store.set_subscriptions(["a"])
    other.set_subscriptions(["b"])
    other.set_subscriptions(["c", "d/#"])
    assert (store.deliveries(), other.deliveries()) == ([(4, b"mine")], [(4, b"theirs"), (5, b"more")])
    assert (store.subscriptions(), other.subscriptions()) == ({"a"}, {"c", "d/#"})
    other.forget_deliveries([4], rewritten=[(5, b"less")])
    assert (store.deliveries(), other.deliveries()) == ([(4, b"mine")], [(5, b"less")])
    other.add(Batch(deliveries=[(6, b"new"), (5, b"least")], forgotten=[4]))
    assert other.deliveries() == [(5, b"least"), (6, b"new")]
    other.add(Batch(forgotten=[5, 6]))
    assert (store.deliveries(), other.deliveries()) == ([(4, b"mine")], [])
    other.close()


def test_how_long_series_are_kept_can_change(store: WritingStore) -> None:
    store.add(Batch(series=new_series(*(series_row(0, name) for name in "abc"))))
    store.set_retentions({2: 99.5, 3: 5000.0})
    assert [row.retention for row in store.series()] == [RETENTION, 99.5, 5000.0]


def test_a_store_that_was_closed_opens_again(kind: Kind, store: WritingStore, data: SeriesRow) -> None:
    store.close()
    store.close()
    store.add(Batch(readings=[reading(2)]))
    assert stored(kind) == [("DATA", 2, 1)]


@pytest.mark.usefixtures("data")
def test_what_no_database_can_store_is_not_tried_again(kind: Kind, store: WritingStore) -> None:
    """Whatever it raises, it is not that the database cannot be written now."""
    with pytest.raises((NotStored, UnicodeError)):
        store.add(Batch(readings=[reading(1), reading(1, reading_id="\ud800")]))
    assert stored(kind) == []
    assert len(store.add(Batch(readings=[reading(1)])).readings) == 1


@pytest.mark.usefixtures("data")
def test_the_newest_rejected_messages_are_kept(
    kind: Kind, store: WritingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"models.storage.{'sqlite' if isinstance(kind, Sqlite) else 'postgresql'}.rejected"
    monkeypatch.setattr(f"{module}.MOST_ROWS", 4)

    def add(*arrived: float) -> None:
        store.add(Batch(rejected=[NewRejected(time, "DATA", b"pay", 3, "why", "") for time in arrived]))

    def kept() -> list[float]:
        return [time for (time,) in kind.query("SELECT arrived FROM rejected_message ORDER BY id")]

    add(*range(4))
    assert kept() == [0, 1, 2, 3]
    add(4)
    assert kept() == [1, 2, 3, 4]
    monkeypatch.setattr(f"{module}.MOST_BYTES", 3 * len("DATApay"))
    add(5)
    assert kept() == [3, 4, 5]
    assert store.delete_rejected(until=4, limit=1) == 1
    assert store.delete_rejected(until=4, limit=10) == 1
    assert kept() == [5]
    assert rejected_bounds.MOST_ROWS == 10_000


def test_rejected_messages_are_read_by_reason_topic_and_time(kind: Kind, store: WritingStore) -> None:
    messages = [NewRejected(time, topic, b"\xff", 1, why, "d") for time, topic, why in REJECTED]
    store.add(Batch(rejected=messages))
    with kind.database.reader() as look:
        assert look.rejected_counts() == [(2, "r", "a"), (1, "q", "a"), (1, "q", "b")]
        assert [row.arrived for row in look.rejected_messages()] == [1, 2, 3, 4]
        assert [row.arrived for row in look.rejected_messages(newest=2)] == [4, 3]
        assert [row.arrived for row in look.rejected_on("a", 1, 4, 10)] == [4, 2]
        assert [row.arrived for row in look.rejected_on("a", 1, 4, 1)] == [4]
        assert tuple(next(look.rejected_messages())) == messages[0]


REJECTED = [(1.0, "a", "r"), (2.0, "a", "q"), (3.0, "b", "q"), (4.0, "a", "r")]


def test_old_readings_go_with_their_ids_and_are_counted(kind: Kind, store: WritingStore) -> None:
    """What has not expired stays; how far they are gone is told."""
    series = new_series(series_row(0, "a", retention=600), series_row(0, "b", retention=7200))
    old = [reading(place, -1 - place % 2, place, f"x{place}") for place in range(300)]
    store.add(Batch(readings=old, series=series))
    again = [Reading(1 + place % 2, *old[place][1:]) for place in range(300)]
    assert prune(store, -1, 600) == 0
    assert store.gone_until(NOW - 1, 600) <= NOW - 1
    assert prune(store, 400, 600) == 150
    assert 300 <= store.gone_until(NOW + 400, 600) - NOW <= 400
    assert {name for name, _, _ in stored(kind)} == {"b"}
    assert kind.counters["pruned"] == 150
    assert [each.series for each in store.add(Batch(readings=again)).duplicates] == [2] * 150
    # where readings lie by the moment at which they expire, those of the other series go with them
    assert prune(store, 2000, 7200) + prune(store, 9000, 600) == 300
    assert (stored(kind), kind.counters["pruned"]) == ([], 450)
    assert kind.query("SELECT * FROM message_id") == []


def test_readings_are_kept_longer_if_that_is_said_after_they_were_stored(
    kind: Kind, store: WritingStore
) -> None:
    store.add(Batch(readings=[reading(0, -1)], series=new_series(series_row(0, retention=600))))
    store.set_retentions({1: 1800.0})
    assert prune(store, 0 - 1, 1800) == 0
    assert stored(kind) == [("DATA", 0, 1)]
    assert prune(store, 400, 1800) == 1
    assert stored(kind) == []


def test_what_is_read_of_a_series(kind: Kind, store: WritingStore) -> None:
    series = new_series(*(series_row(0, name) for name in ("a", "b", "empty")))
    store.add(Batch(readings=[reading(time, -1, time) for time in (3, 1, 2, 2.5)], series=series))
    store.add(Batch(readings=[reading(2, 2, 9), reading(2, 1, 8)]))
    with kind.database.reader() as look:
        assert look.reading_count() == 6
        assert look.newest_time() == NOW + 3
        assert look.damage() is None
        found = {row.series.name: (row.count, row.first, row.last) for row in look.summaries()}
        assert found == {"a": (5, NOW + 1, NOW + 3), "b": (1, NOW + 2, NOW + 2), "empty": (0, None, None)}
        assert look.readings_of(1, NOW + 1) == [(NOW + time, value) for time, value in IN_ORDER]
        newest = look.readings_between(1, NOW, NOW + 2.5, 3)
        assert [(time - NOW, value) for time, _, value in newest] == [(2.5, 2.5), (2, 8), (2, 2)]
        snapshot = look.snapshot()
    assert list(snapshot.readings[1].values) == [1, 2, 8, 2.5, 3]
    assert list(snapshot.readings[2].times) == [NOW + 2]
    assert set(snapshot.series) == {"a", "b", "empty"}


IN_ORDER = [(2, 2), (2, 8), (2.5, 2.5), (3, 3)]


def test_an_empty_database_has_nothing(kind: Kind) -> None:
    with kind.database.reader() as look:
        assert (look.reading_count(), look.newest_time(), look.series(), look.summaries()) == (
            0,
            None,
            [],
            [],
        )
        assert set(look.counters()) == {"since"}
    with kind.database.source().snapshot() as found:
        assert (list(found.series), found.latest_sequence(), list(found.timed(-math.inf))) == ([], 0, [])
        if isinstance(found, SummedReadings):
            assert (found.next_time(-math.inf), list(found.values(-math.inf, math.inf))) == (None, [])


@pytest.mark.parametrize("count", [1, 3])
def test_the_statistics_begin_from_one_moment_span_by_span(
    kind: Kind, store: WritingStore, count: int
) -> None:
    draw = random.Random(count)
    series = new_series(*(series_row(0, str(number)) for number in range(count)))
    readings = [
        reading(draw.choice([0.5, 10, 700]) * draw.randrange(3), -1 - draw.randrange(count), draw.random())
        for _ in range(400)
    ]
    readings = store.add(Batch(readings=readings, series=series)).readings  # type: ignore[assignment]
    in_order = sorted(readings, key=lambda each: each.time)
    with kind.database.source().snapshot() as found:
        newer = store.add(Batch(readings=[reading(20)])).sequence
        assert list(found.series) == [number + 1 for number in range(count)]
        assert 0 < found.latest_sequence() < newer
        if isinstance(found, SummedReadings):
            times, after = [], -math.inf
            while (time := found.next_time(after)) is not None:
                times.append(time)
                after = time
            assert times == sorted({each.time for each in readings})
        for span in ((-math.inf, math.inf), (NOW, NOW + 20), (NOW + 20, NOW + 1400), (NOW + 1400, math.inf)):
            inside = [each for each in in_order if span[0] < each.time <= span[1]]
            assert list(found.timed(*span)) == [(each.series, each.time, each.value) for each in inside]
            if not isinstance(found, SummedReadings):
                continue
            by_series: defaultdict[int, list[float]] = defaultdict(list)
            for part in found.values(*span):
                for number, values in part.items():
                    by_series[number] += values
            expected: defaultdict[int, list[float]] = defaultdict(list)
            for each in inside:
                expected[each.series].append(each.value)
            assert by_series == expected
    with kind.database.source().snapshot() as found:
        assert found.latest_sequence() == newer
        assert (1, NOW + 20, 1.0) in list(found.timed(NOW + 10, NOW + 20))


def test_it_says_how_large_and_how_safe_it_is(kind: Kind) -> None:
    assert kind.database.size() > 10_000
    assert kind.database.durability().survives_power_cut
