"""What several processes share on a real PostgreSQL: slots, the lead, and what is new of each member."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from config.database_url import DatabaseUrl
from models.catalog import Catalog
from models.reading import Reading
from models.storage.batch import Batch, Place, Stored
from models.storage.cluster import Rewound, Standing
from models.storage.errors import StoreUnavailable, TakenOver, UnusableDatabase
from models.storage.postgresql.cluster import PostgresqlCluster
from models.storage.postgresql.connection import Server
from models.storage.postgresql.database import PostgresqlDatabase
from models.storage.postgresql.following import Following
from models.storage.postgresql.keeping import KeeperStore
from models.storage.postgresql.lead import LIFE, Lead
from models.storage.postgresql.schema import LOCKS
from models.storage.postgresql.slots import Membership, MemberStore
from tests.support.postgresql import Database
from tests.support.waiting import wait_for

NOW = 2_000_000_000.0


class Site:
    """A database that is prepared, and what is open in it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        url = DatabaseUrl.parse(database.url)
        self.url, self.shown = url.full, url.shown
        PostgresqlDatabase(self.url, self.shown).prepare()
        self.cluster = PostgresqlCluster(self.url, self.shown)
        # What is closed after the test, the last first.
        self._open = ExitStack()
        self._open.callback(self.cluster.close)

    def member(self, number: int) -> MemberStore:
        """Return the store of a member that has taken this slot."""
        store = self.cluster.membership(9).store(number, f"averages-{number}")
        self._open.callback(store.close)
        store.deliveries()
        return store

    def let_go(self, number: int, store: MemberStore) -> None:
        """Have a member leave its slot, and wait until the server has noticed."""
        store.close()
        query = f"""SELECT 1 FROM pg_locks
            WHERE locktype = 'advisory' AND classid = {LOCKS} AND objid = {number}
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
        wait_for(lambda: not self.database.sql(query), f"slot {number} is free")

    def membership(self, members: int) -> Membership:
        membership = self.cluster.membership(members)
        self._open.callback(membership.close)
        return membership

    def following(self) -> Following:
        following = self.cluster.following()
        self._open.callback(following.close)
        return following

    def lead(self, clock: Callable[[], float]) -> Lead:
        lead = Lead(Server(self.url, self.shown, "test"), clock)
        self._open.callback(lead.close)
        return lead

    def end_connections(self, lock: int) -> None:
        """Have the server end whoever holds a lock of ours, as if the network had failed."""
        self.database.sql(f"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE objid = {lock}::oid")

    def end(self) -> None:
        self._open.close()


@pytest.fixture
def site(postgresql: Database) -> Iterator[Site]:
    site = Site(postgresql)
    yield site
    site.end()


def store(member: MemberStore, topic: str, *values: float, series: int | None = None) -> Stored:
    """Store readings of a series, which begins with them if it is none that is known."""
    batch = Batch()
    if series is None:
        series = Catalog([], 10).begin(topic, "", NOW, 3600.0, batch.series)
    batch.readings = [Reading(series, NOW + value, value) for value in values]
    batch.counts["received"] = len(values)
    return member.add(batch)


def values(following: Following) -> list[float]:
    return [reading.value for reading in following.news().readings]


def test_each_process_finds_a_slot_of_its_own_until_there_are_none(site: Site) -> None:
    membership = site.membership(2)
    free = membership.free()
    assert free is not None
    assert free == (1, None)  # nobody has ever had it
    first = site.member(1)
    second = membership.free()
    assert second is not None
    assert second.number == 2
    site.member(2)
    assert site.membership(2).free() is None
    site.let_go(1, first)
    again = site.membership(2).free()
    assert again is not None
    assert again.number == 1
    assert again.left_at is not None


def test_a_slot_that_another_took_first_is_taken_over(site: Site) -> None:
    site.member(1)
    with pytest.raises(TakenOver, match="slot 1 is another subscriber's now"):
        site.member(1)


def test_who_has_lost_the_connection_for_a_moment_goes_on(site: Site) -> None:
    member = site.member(1)
    store(member, "a", 1.0)
    site.end_connections(1)
    with pytest.raises(StoreUnavailable):
        member.keep(Standing())
    member.keep(Standing(in_flight=3))
    [slot] = site.cluster.overview().slots
    assert slot.held
    assert slot.standing.in_flight == 3


def test_who_was_replaced_meanwhile_is_told_though_the_slot_is_free_again(site: Site) -> None:
    """What it has in memory of the slot is of before: it must not go on with that."""
    member = site.member(1)
    site.end_connections(1)
    wait_for(lambda: site.membership(1).free() is not None, "the slot is free")
    site.let_go(1, site.member(1))
    with pytest.raises(StoreUnavailable):
        member.keep(Standing())
    for _ in range(2):
        with pytest.raises(TakenOver, match="slot 1 was another subscriber's while"):
            store(member, "a", 1.0)
    assert site.database.sql("SELECT count(*) FROM reading") == [["0"]]


def test_the_server_ends_the_session_of_a_member_that_says_nothing(site: Site) -> None:
    """As of a process that is stopped, or on a machine that has vanished."""
    site.member(1)
    site.member(2)
    membership = site.membership(2)
    wait_for(lambda: membership.free() is not None, "a slot is free")


def test_a_member_stores_readings_of_a_series_that_another_has_begun(site: Site) -> None:
    first, second = site.member(1), site.member(2)
    [row] = store(first, "a", 1.0).series
    assert store(second, "a", 2.0, series=row.id).readings
    assert site.database.sql("SELECT count(*) FROM reading") == [["2"]]


def test_what_is_new_is_found_however_late_it_is_committed(site: Site) -> None:
    """One member's transaction takes long; what another commits meanwhile has larger sequences."""
    first, second = site.member(1), site.member(2)
    [row] = store(first, "a", 1.0).series
    store(second, "a", 2.0, series=row.id)
    following = site.following()
    assert sorted(values(following)) == [1.0, 2.0]
    before = following.position
    number = int(site.database.sql("SELECT number FROM member WHERE client_id = 'averages-1'")[0][0])
    slow = Server(site.url, site.shown, "slow")
    connection = slow.driver
    connection.execute("BEGIN")
    [sequence] = connection.execute("SELECT (nextval('reading_block') << 20) + 1").fetchone() or (0,)
    connection.execute(
        "INSERT INTO reading (time, value, sequence, series, expires) "
        "SELECT time, 3, %s, series, expires FROM reading WHERE value = 1",
        (sequence,),
    )
    connection.execute(
        "UPDATE member SET number = %s, sequence = %s WHERE client_id = 'averages-1'", (number + 1, sequence)
    )
    connection.execute(
        "INSERT INTO batch (member, number, mark, sequence, readings, committed) "
        "SELECT id, number, 1, sequence, 1, 0 FROM member WHERE client_id = 'averages-1'"
    )
    store(second, "a", 4.0, series=row.id)
    assert values(following) == [4.0]
    connection.execute("COMMIT")
    slow.close()
    assert values(following) == [3.0]
    assert values(following) == []
    assert all(following.position[member] > sequence for member, sequence in before.items())


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (
            "UPDATE member SET number = number - 1; DELETE FROM batch WHERE number = 2",
            "was at batch 2, and is at",
        ),
        ("UPDATE batch SET mark = mark + 1 WHERE number = 2", "batch 2 of member 1 is another one"),
        ("DELETE FROM member", "member 1 is not there any more"),
    ],
)
def test_it_is_noticed_that_what_was_read_is_gone(site: Site, loss: str, told: str) -> None:
    """As after the promotion of a standby that was behind; also where the numbers have been used again."""
    member = site.member(1)
    [row] = store(member, "a", 1.0).series
    store(member, "a", 2.0, series=row.id)
    following = site.following()
    assert values(following) == [1.0, 2.0]
    site.database.sql(loss)
    with pytest.raises(Rewound, match=told):
        following.news()
    with following.snapshot() as stored:
        stored.latest_sequence()
    assert values(following) == []


def test_what_is_loaded_is_not_new(site: Site) -> None:
    member = site.member(1)
    [row] = store(member, "a", 1.0, 2.0).series
    following = site.following()
    with following.snapshot() as stored:
        assert [value for _, _, value in stored.timed(NOW, NOW + 10)] == [1.0, 2.0]
        store(member, "a", 3.0, series=row.id)
        total = stored.latest_sequence()
    assert total == sum(following.position.values())
    assert values(following) == [3.0]


def test_a_series_that_was_removed_comes_back_with_a_reading_of_who_does_not_know(site: Site) -> None:
    """And whoever begins one of its name gets the same: there is never a second one beside it."""
    member, keeper = site.member(1), site.cluster.keeper("averages-averages")
    [row] = store(member, "a", 1.0).series
    following = site.following()
    following.news()
    keeper.delete_series(row.id)
    assert following.series() == []
    store(member, "a", 2.0, series=row.id)
    [reading] = following.news().readings
    assert following.revive([reading.series]) == [row]
    assert following.series() == [row]
    keeper.delete_series(row.id)
    assert [again.id for again in store(member, "a", 3.0).series] == [row.id]
    assert following.series() == [row]
    keeper.close()


def test_one_leads_until_it_gives_the_lead_away(site: Site) -> None:
    first, second = site.lead(lambda: 0.0), site.lead(lambda: 0.0)
    assert first.look()
    assert not second.look()
    assert second.trouble is None
    first.close()
    assert not first.held
    wait_for(second.look, "the server gives the lead to another")
    assert second.held


def test_a_leader_that_has_slept_does_not_lead_when_it_wakes_up(site: Site) -> None:
    """By its own clock the time is over, before it has asked anybody; and by the server's another leads."""
    now = 100.0
    first, second = site.lead(lambda: now), site.lead(lambda: 0.0)
    assert first.look()
    now = 100.0 + LIFE - 0.001
    assert first.held
    now = 100.0 + LIFE
    assert not first.held
    wait_for(second.look, "the server gives the lead to another")
    assert not first.look()
    assert first.trouble is not None
    assert not first.look()
    assert first.trouble is None
    first.close()
    second.close()


def test_a_subscriber_that_has_the_database_to_itself_leaves_no_room(site: Site) -> None:
    alone = PostgresqlDatabase(site.url, site.shown).writing_store("averages")
    alone.deliveries()
    for use in (site.membership(2).free, site.lead(lambda: 0.0).open, lambda: site.member(1)):
        with pytest.raises(UnusableDatabase, match="in use by a subscriber without MEMBERS"):
            use()
    alone.close()


def test_the_server_is_examined(site: Site) -> None:
    found = site.cluster.examine()
    assert found.version >= 14
    assert found.fsync
    assert found.standby_names == ""
    assert found.keeps_sessions


def test_the_leader_deletes_what_others_have_stored_since_it_came(site: Site) -> None:
    """It knew of no series then, and of no partition."""
    now = NOW
    keeper = KeeperStore(site.url, site.shown, "averages-averages", lambda: now)
    assert keeper.deliveries() == []
    store(site.member(1), "a", 1.0, 2.0)
    assert keeper.delete_readings((0.0, 0), now - 3600.0, 1000, 3600.0).rows == 0
    now = NOW + 3 * 3600.0
    place: Place | None = (0.0, 0)
    deleted = 0
    while place is not None:
        rows, place = keeper.delete_readings(place, now - 3600.0, 1000, 3600.0)
        deleted += rows
    keeper.close()
    assert deleted == 2
    assert site.database.sql("SELECT count(*) FROM reading") == [["0"]]
    assert site.database.sql("SELECT sum(pruned) FROM member") == [["2"]]


def test_a_member_whose_readings_are_lost_begins_anew(site: Site) -> None:
    """As after the promotion of a standby that was behind: series that it knows may be others by now."""
    member = site.member(1)
    [row] = store(member, "a", 1.0).series
    store(member, "a", 2.0, series=row.id)
    site.database.sql("UPDATE member SET number = 1; DELETE FROM batch WHERE number = 2")
    site.end_connections(1)
    with pytest.raises(StoreUnavailable):
        member.keep(Standing())
    with pytest.raises(TakenOver, match="lost readings that were stored and acknowledged"):
        store(member, "a", 3.0, series=row.id)
    site.let_go(1, member)
    again = site.member(1)
    assert store(again, "a", 3.0).readings


def test_a_slot_of_other_topics_is_left_to_who_reads_them(site: Site) -> None:
    """What waits for it at the broker would come to one that reads nothing of it, and be lost."""
    for number, topics in ((1, {"a", "b"}), (2, {"c"})):
        member = site.member(number)
        member.set_subscriptions(topics)
        member.close()
    membership = site.membership(2)

    def free(*topics: str) -> int | None:
        found = membership.free("averages", topics)
        return None if found is None else found.number

    wait_for(lambda: free("a") == 1 and free("c") == 2, "the slots are free")
    assert free("b", "z") == 1
    assert free("z") is None
    assert free() == 1  # who shares takes any
    found = site.membership(3).free("averages", ["z"])
    assert found is not None
    assert found.number == 3  # which has never been taken
