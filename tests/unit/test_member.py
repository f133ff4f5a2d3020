"""What a member does beside taking in readings: it keeps its slot, and follows which series there are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from models.catalog import Catalog, SeriesRow
from models.storage.cluster import MemberStore, Standing
from models.storage.errors import TakenOver, UnreadableDatabase
from models.storage.interface import Database
from scheduler_app.intake.ingest import Held
from scheduler_app.management import main
from scheduler_app.subscriber.heartbeat import Heartbeat
from scheduler_app.subscriber.other_series import OtherSeries, replace_series


class FakeStore:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.kept: list[Standing] = []
        self.lost = False

    def keep(self, standing: Standing) -> None:
        if self.lost:
            raise TakenOver("slot 1 is another's")
        self.kept.append(standing)


class Member:
    def __init__(self) -> None:
        self.store = FakeStore()
        self.tasks: list[Callable[[], bool]] = []
        ingest: Any = SimpleNamespace(
            held=Held(2, 5.0), last_commit=4.0, session_lost_at=None, session_lost_since=None
        )
        ingest.submit = self.tasks.append
        session: Any = SimpleNamespace(short_connections=1)
        writer: Any = SimpleNamespace(unmatched=3)
        self.heartbeat = Heartbeat(
            cast(MemberStore, self.store), ingest, session, writer, lambda: "no broker", shared=True
        )


def test_a_member_says_how_it_stands_with_it_on_the_thread_that_writes() -> None:
    """The lock of the slot is on the connection that this thread has."""
    member = Member()
    member.heartbeat.beat()
    assert member.store.kept == []
    [task] = member.tasks
    assert task() is False
    assert member.store.kept == [
        Standing(
            in_flight=2,
            waiting_since=5.0,
            last_commit=4.0,
            short_connections=1,
            unmatched=3,
            shared=True,
            trouble="no broker",
        )
    ]


def test_one_word_at_a_time_waits_for_a_thread_that_is_held_up() -> None:
    member = Member()
    for _ in range(3):
        member.heartbeat.beat()
    [task] = member.tasks
    task()
    member.heartbeat.beat()
    assert len(member.tasks) == 2


def test_whose_slot_is_lost_hears_of_it_and_is_asked_again() -> None:
    """The loop ends by the error; one that only could not say is asked again a second later."""
    member = Member()
    member.store.lost = True
    member.heartbeat.beat()
    with pytest.raises(TakenOver):
        member.tasks[0]()
    member.heartbeat.beat()
    assert len(member.tasks) == 2


def row(number: int, name: str) -> SeriesRow:
    return SeriesRow(number, name, name, "", 0.0, 100.0)


class FakeDatabase:
    def __init__(self, *rows: SeriesRow) -> None:
        self.rows = rows
        self.readable = True

    @contextmanager
    def reader(self) -> Iterator[Any]:
        if not self.readable:
            raise UnreadableDatabase("no answer")
        yield SimpleNamespace(series=lambda: list(self.rows))


def test_the_catalog_follows_which_series_there_are() -> None:
    """Of others, and those that are gone; one of them may have begun anew under the same name."""
    catalog = Catalog([row(1, "a"), row(2, "b"), row(3, "c")], 10)
    database = FakeDatabase(row(1, "a"), row(4, "b"), row(5, "d"))
    tasks: list[Callable[[], bool]] = []
    others = OtherSeries(cast(Database, database), catalog, tasks.append)
    others.look()
    assert {each.id for each in catalog} == {1, 2, 3}  # the thread that writes changes it
    [task] = tasks
    assert task() is False
    assert set(catalog) == set(database.rows)
    assert catalog.find("b") == 4


def test_the_catalog_stays_as_it_is_while_the_database_cannot_be_read(log_lines: list[str]) -> None:
    database = FakeDatabase()
    database.readable = False
    tasks: list[Callable[[], bool]] = []
    OtherSeries(cast(Database, database), Catalog([row(1, "a")], 10), tasks.append).look()
    assert tasks == []
    assert log_lines == []  # whoever writes tells it


def test_who_takes_averages_of_members_needs_their_database(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manage.py", "averages"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: averages needs DB_URL")


def test_a_group_of_one_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever leaves out MEMBERS would share the messages with nobody, and not know it."""
    url = "postgresql://u@127.0.0.1/averages"
    assert main(["manage.py", "subscriber", "--db-url", url, "--share", "g"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "SHARE=g is for several subscribers: set MEMBERS" in line


def test_an_id_that_is_another_series_by_now_is_that_one() -> None:
    catalog = Catalog([row(1, "a"), row(2, "b")], 10)
    replace_series(catalog, [row(1, "c"), row(2, "b")])
    assert {(each.id, each.name) for each in catalog} == {(1, "c"), (2, "b")}
    assert catalog.find("a") is None
