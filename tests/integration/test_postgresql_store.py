"""What only a server can do to a store: let it wait, answer nothing, end it, or give the same to several."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from models.catalog import SeriesRow
from models.reading import Reading
from models.storage.batch import Batch, Stored
from models.storage.errors import LockedDatabase, SeriesBegun, StoreUnavailable, TakenOver, UnusableDatabase
from models.storage.postgresql.database import PostgresqlDatabase
from models.storage.postgresql.schema import CREATE
from models.storage.postgresql.store import PostgresqlStore
from tests.faults.proxy import Proxy
from tests.support.ports import HOST, free_port
from tests.support.postgresql import Database, PostgreSQL
from tests.support.stores import NoClaim
from tests.support.waiting import wait_for
from tests.unit.stored import new_series, series_row

NOW = 1_700_000_000.0
# Below it a batch is one statement, and from it on rows are copied.
FEW, MANY = 3, 300
COUNTS = "SELECT number, received, stored, duplicates FROM member"


@pytest.fixture
def url(postgresql: Database) -> str:
    PostgresqlDatabase(postgresql.url, "shown").prepare()
    return postgresql.url


def store_at(url: str, member: str = "me", *, alone: bool = False) -> PostgresqlStore:
    return PostgresqlStore(url, "shown", member, None if alone else NoClaim(), lambda: NOW)


@contextmanager
def connection(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def rows(url: str, sql: Any) -> list[tuple[Any, ...]]:
    with connection(url) as other:
        return other.execute(sql).fetchall()


def numbered(count: int, *, ids: bool = True) -> list[Reading]:
    # in one partition, which is there when the first is stored
    return [Reading(1, NOW + place / 1000, place, f"id{place}" if ids else None) for place in range(count)]


def batch_of(count: int) -> Batch:
    """Return a batch with a duplicate, once `begin` has stored the reading it is one of."""
    return Batch(readings=numbered(count), counts=Counter(received=count), deliveries=[(7, b"packets")])


def begin(store: PostgresqlStore) -> None:
    """Begin the series 1, with the reading of the id `id0`."""
    first = Reading(-1, NOW, 0, "id0")
    store.add(Batch(readings=[first], series=new_series(series_row(0)), counts=Counter(received=1)))


class Silence:
    """Ends the waiting of a store, as soon as there is a reason to, when it is told that nothing comes."""

    def __init__(self, reason: Callable[[], bool] = lambda: True) -> None:
        self._reason = reason

    def __call__(self) -> None:
        if self._reason():
            raise StoreUnavailable("nobody waits any more")


class SwallowingProxy(Proxy):
    """Swallows what the server answers from the moment on at which it is asked for a certain thing."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.word: bytes | None = None

    def passes(self, connection: int, direction: str, chunk: bytes) -> None:
        if direction == "broker" and self.word is not None and self.word in chunk:
            self.word = None
            self.swallow("client")


@pytest.mark.parametrize(("count", "word"), [(FEW, b"unnest"), (MANY, b"COMMIT")])
def test_a_commit_whose_answer_never_came_is_found_and_told_as_it_was(
    postgresql: Database, url: str, count: int, word: bytes
) -> None:
    """As if the answer had come: with what was a duplicate then, and once."""
    with SwallowingProxy(postgresql.server.port) as proxy:
        far = f"postgresql://averages@{HOST}:{proxy.access.port}/{postgresql.name}"
        with closing(store_at(far, alone=True)) as store:
            begin(store)
            store.keep_alive(Silence(lambda: proxy.word is None))
            batch = batch_of(count)
            proxy.word = word
            with pytest.raises(StoreUnavailable):
                store.add(batch)
            wait_for(lambda: rows(url, COUNTS)[0][0] == 2, "the server has committed it")
            store.keep_alive(lambda: None)
            stored = retried(store, batch)
            assert stored.readings == batch.readings[1:]
            assert stored.duplicates == batch.readings[:1]
            assert rows(url, COUNTS) == [(2, 1 + count, count, 1)]
            assert rows(url, "SELECT count(*), max(sequence) FROM reading") == [(count, stored.sequence)]
            assert store.deliveries() == [(7, b"packets")]
            assert store.add(Batch(readings=[Reading(1, NOW, 9)])).sequence > stored.sequence


def retried(store: PostgresqlStore, batch: Batch) -> Stored:
    """Hand in a batch until it is stored, as the subscriber does."""

    def tried() -> Stored | None:
        try:
            return store.add(batch)
        except StoreUnavailable:
            return None

    return wait_for(tried, "the batch is stored")


def test_a_series_that_was_begun_in_doubt_is_told(postgresql: Database, url: str) -> None:
    with SwallowingProxy(postgresql.server.port) as proxy:
        far = f"postgresql://averages@{HOST}:{proxy.access.port}/{postgresql.name}"
        with closing(store_at(far)) as store:
            begin(store)
            proxy.word = b"COMMIT"
            store.keep_alive(Silence(lambda: proxy.word is None))
            series = new_series(series_row(0, "a"), series_row(0, "b"))
            batch = Batch(readings=[Reading(-2, NOW, 1)], series=series)
            with pytest.raises(StoreUnavailable):
                store.add(batch)
            wait_for(lambda: len(rows(url, "SELECT 1 FROM reading")) == 2, "the server has committed it")
            store.keep_alive(lambda: None)
            stored = retried(store, batch)
            assert stored.series == [series_row(2, "a"), series_row(3, "b")]
            assert stored.readings == [Reading(3, NOW, 1)]
            assert len(rows(url, "SELECT * FROM reading")) == 2


@pytest.mark.parametrize("count", [FEW, MANY])
def test_what_the_server_had_not_committed_is_stored_once(url: str, count: int) -> None:
    """Its process is ended in the middle of the transaction, which waits for the lock of another."""
    with closing(store_at(url, alone=True)) as store, connection(url) as other:
        begin(store)
        other.execute("BEGIN; LOCK TABLE member IN ACCESS EXCLUSIVE MODE")

        def end_it() -> None:
            pids = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            assert rows(url, pids) == [(True,)]
            other.execute("ROLLBACK")

        store.keep_alive(Once(end_it))
        batch = batch_of(count)
        with pytest.raises(StoreUnavailable, match="terminating connection"):
            store.add(batch)
        assert retried(store, batch).readings == batch.readings[1:]
        assert rows(url, COUNTS) == [(2, 1 + count, count, 1)]


class Once:
    """Calls something the first time it is called, and then nothing."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call: Callable[[], object] | None = call

    def __call__(self) -> None:
        if self._call is not None:
            call, self._call = self._call, None
            call()


@pytest.mark.parametrize("count", [FEW, MANY])
def test_it_is_recognised_also_if_it_was_still_under_way_when_it_was_looked_for(url: str, count: int) -> None:
    """The process of the connection that was given up goes on, and commits a moment later."""
    with closing(store_at(url)) as store, connection(url) as other:
        begin(store)
        other.execute("BEGIN; LOCK TABLE batch IN SHARE MODE")
        store.keep_alive(Silence())
        batch = batch_of(count)
        with pytest.raises(StoreUnavailable, match="nobody waits"):
            store.add(batch)
        store.keep_alive(Once(lambda: other.execute("ROLLBACK")))
        stored = retried(store, batch)
        assert (stored.readings, stored.duplicates) == (batch.readings[1:], batch.readings[:1])
        assert rows(url, COUNTS) == [(2, 1 + count, count, 1)]


def test_a_batch_after_one_that_is_in_doubt_gets_the_next_number(url: str) -> None:
    with closing(store_at(url)) as store, connection(url) as other:
        begin(store)
        other.execute("BEGIN; LOCK TABLE batch IN SHARE MODE")
        store.keep_alive(Silence())
        with pytest.raises(StoreUnavailable, match="nobody waits"):
            store.add(Batch(readings=[Reading(1, NOW, 1)]))
        store.keep_alive(lambda: None)
        other.execute("ROLLBACK")
        wait_for(lambda: len(rows(url, "SELECT 1 FROM reading")) == 2, "the first has been committed")
        second = Batch(readings=[Reading(1, NOW, 2)])
        stored = retried(store, second)
        assert stored.readings == second.readings
        assert rows(url, "SELECT value FROM reading ORDER BY sequence") == [(0,), (1,), (2,)]
        assert rows(url, "SELECT number FROM batch ORDER BY number") == [(1,), (2,), (3,)]


def test_who_finds_another_batch_under_its_number_has_been_taken_over(url: str) -> None:
    with closing(store_at(url)) as store, closing(store_at(url)) as other:
        begin(store)
        other.add(Batch(readings=[Reading(1, NOW, 1)]))
        with pytest.raises(TakenOver):
            store.add(Batch(readings=[Reading(1, NOW, 2)]))
        assert rows(url, "SELECT value FROM reading ORDER BY sequence") == [(0,), (1,)]


def test_one_subscriber_has_the_database_to_itself(url: str) -> None:
    with closing(store_at(url, alone=True)) as store, closing(store_at(url, "me too", alone=True)) as second:
        begin(store)
        with pytest.raises(
            UnusableDatabase, match=r"^DB_URL=shown is in use by another subscriber \(process"
        ):
            second.series()
        store.close()
        lock = """SELECT 1 FROM pg_locks WHERE locktype = 'advisory'
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
        wait_for(lambda: not rows(url, lock), "the server has noticed that it has left")
        assert len(second.series()) == 1
        with pytest.raises(TakenOver, match="has been taken over by another subscriber"):
            store.series()


def test_the_server_soon_ends_the_connection_of_a_machine_that_has_vanished(url: str) -> None:
    """By itself it would take more than two hours, in which the database has another subscriber."""
    with closing(store_at(url, alone=True)) as store:
        begin(store)
        names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
        settings = ", ".join(f"current_setting('{name}')" for name in names)
        found = store._session._server.driver.execute(f"SELECT {settings}".encode()).fetchone()
        assert found == ("5", "2", "3", "10000")


def test_another_subscriber_whose_commit_waits_for_a_standby_may_have_ended(replicated: PostgreSQL) -> None:
    """When the wait is over, it has until the next try to end; if it is there then, it has not ended."""
    url = replicated.new_database().url
    PostgresqlDatabase(url, "shown").prepare()
    with closing(store_at(url, alone=True)) as store, closing(store_at(url, "me too", alone=True)) as second:
        begin(store)
        standby = replicated.hold_back_standby()
        thread = threading.Thread(target=store.add, args=[batch_of(FEW)])
        thread.start()
        waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND usename = 'averages'"
        try:
            wait_for(lambda: replicated.sql(waiting), "the COMMIT waits")
            for _ in range(2):
                with pytest.raises(StoreUnavailable, match=r"which may have ended, waits for a standby"):
                    second.series()
        finally:
            os.kill(standby, signal.SIGCONT)
            thread.join()
        with pytest.raises(StoreUnavailable, match="which may have ended"):
            second.series()
        with pytest.raises(UnusableDatabase, match="is in use by another subscriber"):
            second.series()


def test_an_earlier_connection_of_ours_is_no_other_subscriber(url: str) -> None:
    """Which the server still has: it does not know yet that nobody is at its other end."""
    with closing(store_at(url, alone=True)) as store:
        begin(store)
        lost = store._session._server.driver
        store._session._server._state.reset()  # type: ignore[attr-defined]
        assert wait_for(lambda: tried(store.series), "the store has the database again")
        with pytest.raises(psycopg.OperationalError):
            lost.execute("SELECT 1")
        lost.close()


def tried(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except StoreUnavailable:
        return None


def test_who_waits_can_do_something_else_meanwhile(url: str) -> None:
    with closing(store_at(url)) as store, connection(url) as other:
        begin(store)
        other.execute("BEGIN; LOCK TABLE member IN ACCESS EXCLUSIVE MODE")
        looked: list[str] = []

        def look() -> None:
            looked.append(threading.current_thread().name)
            if len(looked) == 3:
                other.execute("ROLLBACK")

        store.keep_alive(look)
        store.add(batch_of(FEW))
        assert looked == [threading.current_thread().name] * 3


@pytest.fixture(scope="module")
def replicated() -> Iterator[PostgreSQL]:
    """Start a server with a synchronous standby."""
    server = PostgreSQL("primary")
    try:
        server.start()
        server.add_standby()
        yield server
    finally:
        server.end()


@pytest.mark.parametrize("count", [FEW, MANY])
@pytest.mark.parametrize("order", ["pg_cancel_backend", "pg_terminate_backend"])
def test_what_the_standby_may_not_have_is_not_stored(replicated: PostgreSQL, count: int, order: str) -> None:
    """Its waiting for the standby is ended: then the COMMIT comes back with success, and a notice."""
    database = replicated.new_database()
    PostgresqlDatabase(database.url, "shown").prepare()
    with closing(store_at(database.url, alone=True)) as store:
        begin(store)
        sender = replicated.hold_back_standby()

        def end_waiting() -> None:
            replicated.sql(f"SELECT {order}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")

        store.keep_alive(Once(end_waiting))
        batch = batch_of(count)
        try:
            with pytest.raises(StoreUnavailable):
                store.add(batch)
            # it is there, but nobody knows for how long
            store.keep_alive(Silence())
            for _ in range(3):
                with pytest.raises(StoreUnavailable):
                    store.add(batch)
        finally:
            os.kill(sender, signal.SIGCONT)
        store.keep_alive(lambda: None)
        stored = retried(store, batch)
        assert (stored.readings, stored.duplicates) == (batch.readings[1:], batch.readings[:1])
        assert database.sql(COUNTS) == [["2", str(1 + count), str(count), "1"]]


@pytest.mark.parametrize("count", [20, MANY])
def test_two_members_that_get_the_same_ids_in_opposite_order_store_each_once(url: str, count: int) -> None:
    with closing(store_at(url)) as first:
        begin(first)
    rounds = 10

    def store_all(member: str, step: int) -> int:
        stored = 0
        with closing(store_at(url, member)) as store:
            for number in range(rounds):
                readings = [Reading(1, NOW, place, f"{number}-{place}") for place in range(count)][::step]
                stored += len(store.add(Batch(readings=readings)).readings)
        return stored

    with ThreadPoolExecutor() as threads:
        found = [threads.submit(store_all, name, step) for name, step in (("a", 1), ("b", -1))]
        stored = sum(each.result() for each in found)
    assert stored == rounds * count
    assert rows(url, "SELECT count(*) FROM reading") == [(1 + rounds * count,)]


def test_two_members_may_begin_the_same_series_at_once(url: str) -> None:
    names = [f"s{number}" for number in range(50)]

    def begin_all(member: str, step: int) -> list[SeriesRow]:
        series = new_series(*(series_row(0, name) for name in names[::step]))
        readings = [Reading(-1 - place, NOW, place) for place in range(len(names))]
        with closing(store_at(url, member)) as store:
            return list(store.add(Batch(readings=readings, series=series)).series)

    with ThreadPoolExecutor() as threads:
        found = [threads.submit(begin_all, name, step) for name, step in (("a", 1), ("b", -1))]
        ours, theirs = (each.result() for each in found)
    assert ours == theirs[::-1]
    counts = "SELECT name, count(*) FROM reading JOIN series ON id = series GROUP BY name"
    assert sorted(rows(url, counts)) == sorted((name, 2) for name in names)


def test_a_series_that_another_member_has_begun_for_other_readings_is_told(url: str) -> None:
    with closing(store_at(url)) as store, closing(store_at(url, "other")) as other:
        theirs = SeriesRow(0, "a/b", "a", "b", NOW, 60.0)
        other.add(Batch(series=new_series(theirs)))
        batch = Batch(readings=[Reading(-1, NOW, 1)], series=new_series(series_row(0, "a/b")))
        with pytest.raises(SeriesBegun) as caught:
            store.add(batch)
        assert [row._replace(id=0) for row in caught.value.rows] == [theirs]
        assert rows(url, "SELECT * FROM reading") == []
        assert store.add(Batch(readings=[Reading(1, NOW, 1)])) is not None


def test_two_members_that_hear_the_same_repeated_reading_store_it_once(url: str) -> None:
    with closing(store_at(url)) as store:
        begin(store)
    readings = [Reading(1, NOW + 10 * place, 1 + place) for place in range(20)]
    batch = Batch(readings=readings, unless_repeated=dict.fromkeys(range(20), 1.0))

    def store_all(member: str) -> int:
        with closing(store_at(url, member)) as store:
            return len(store.add(batch).readings)

    with ThreadPoolExecutor() as threads:
        assert sum(threads.map(store_all, ("a", "b"))) == 20


def test_who_reads_for_long_keeps_a_partition_and_holds_up_nobody(url: str) -> None:
    """It goes the next time; until then it is told that its readings are there."""
    with closing(store_at(url)) as store, connection(url) as reader:
        begin(store)
        reader.execute("BEGIN; SELECT * FROM reading")
        until = NOW + 3600 - 2100
        assert prune(store, until) == 0
        assert store.gone_until(until, 2100) < NOW
        store.add(Batch(readings=[Reading(1, NOW + 9000, 1)]))  # in a partition that is made for it
        reader.execute("ROLLBACK")
        assert prune(store, until) == 1
        assert NOW < store.gone_until(until, 2100) <= until
        assert rows(url, "SELECT value FROM reading") == [(1,)]


def prune(store: PostgresqlStore, until: float) -> int:
    place, deleted = (-float("inf"), 0), 0
    while True:
        found = store.delete_readings(place, until, 1000, 2100.0)
        deleted += found.rows
        if found.last is None:
            return deleted


def test_a_partition_that_another_member_has_dropped_is_made_again(url: str) -> None:
    with closing(store_at(url)) as store:
        begin(store)
        [(name,)] = rows(
            url, "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid AND relkind = 'r'"
        )
        rows_dropped = f"DROP TABLE {name}; SELECT 1"
        with connection(url) as other:
            other.execute(rows_dropped)
        store.add(Batch(readings=[Reading(1, NOW, 2)]))
        store.add(Batch(readings=numbered(MANY, ids=False)))
        assert rows(url, "SELECT count(*) FROM reading") == [(MANY + 1,)]


def test_a_reading_that_has_long_expired_is_stored_all_the_same(url: str) -> None:
    """It has waited for the database for longer than its retention."""
    with closing(store_at(url)) as store:
        begin(store)
        store.add(Batch(readings=[Reading(1, NOW - 10_000, 2)]))
        assert prune(store, NOW - 2100) == 0
        assert rows(url, "SELECT value FROM reading ORDER BY sequence") == [(0,), (2,)]


def test_a_commit_waits_for_the_disk_whatever_the_database_says(postgresql: Database, url: str) -> None:
    postgresql.sql(f"ALTER DATABASE {postgresql.name} SET synchronous_commit = off")
    with closing(store_at(url)) as store:
        begin(store)
        found = store._session._server.driver.execute("SHOW synchronous_commit").fetchone()
    assert found == ("on",)


def test_a_standby_is_passed_by_where_something_is_to_be_written(replicated: PostgreSQL) -> None:
    """Wherever it stands in the URL; and a name that the URL gives our connections does not hide them."""
    [standby] = replicated._standbys
    database = replicated.new_database()
    url = standby.url(database.name, replicated, application_name="x")
    PostgresqlDatabase(url, "shown").prepare()
    with closing(store_at(url, alone=True)) as store:
        begin(store)
        names = "SELECT application_name FROM pg_stat_activity WHERE usename = 'averages'"
        assert [name[:9] for [name] in database.sql(names)] == ["averages "]


def test_a_standby_is_passed_by_where_what_was_written_is_to_be_read(replicated: PostgreSQL) -> None:
    """It may be behind: then averages would be told without the last readings."""
    [standby] = replicated._standbys
    database = replicated.new_database()
    by_standby = PostgresqlDatabase(standby.url(database.name, replicated), "shown")
    by_standby.prepare()
    with by_standby.source().snapshot(), by_standby.reader():
        names = "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'averages %'"
        assert sorted(database.sql(names)) == [["averages reading"], ["averages statistics"]]


def test_several_that_come_at_once_make_the_tables_once(postgresql: Database) -> None:
    database = PostgresqlDatabase(postgresql.url, "shown")
    with ThreadPoolExecutor() as threads:
        list(threads.map(lambda _: database.prepare(), range(4)))
    assert postgresql.sql("SELECT count(*) FROM about") == [["1"]]


def test_tables_of_another_version_or_program_are_left_alone(postgresql: Database, url: str) -> None:
    database = PostgresqlDatabase(url, "shown")
    postgresql.sql("UPDATE about SET version = 99")
    with pytest.raises(UnusableDatabase, match=r"schema 99, this one knows \d+\): update this program"):
        database.prepare()
    postgresql.sql("DROP TABLE batch")
    with pytest.raises(UnusableDatabase, match="has tables of another program"):
        database.prepare()
    assert "batch" in CREATE


def test_who_may_make_no_tables_is_told(postgresql: Database) -> None:
    postgresql.sql("ALTER DATABASE " + postgresql.name + " OWNER TO postgres")
    with pytest.raises(UnusableDatabase, match="no tables can be made in it"):
        PostgresqlDatabase(postgresql.url, "shown").prepare()


def test_a_mistake_in_the_url_is_told_and_a_server_that_is_away_is_waited_for(postgresql: Database) -> None:
    def prepared(url: str) -> None:
        PostgresqlDatabase(url, "shown").prepare()

    with pytest.raises(UnusableDatabase, match="does not exist"):
        prepared(f"{postgresql.url}nowhere")
    with pytest.raises(UnusableDatabase, match="invalid URI query parameter"):
        prepared(f"{postgresql.url}?colour=red")
    with pytest.raises(LockedDatabase, match=r"^DB_URL=shown: .*refused"):
        prepared(f"postgresql://averages:secret@{HOST}:{free_port()}/x")
    # the first of two hosts is away
    prepared(postgresql.url.replace("@", f"@{HOST}:{free_port()},"))
