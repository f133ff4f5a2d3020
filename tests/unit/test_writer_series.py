"""Which series a message belongs to, as the writer decides, with a real database file."""

import json
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from models.catalog import Catalog, SeriesRow
from models.reading import Reading
from models.storage.batch import Batch, Stored
from models.storage.errors import NotStored, SeriesBegun, StoreUnavailable
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.store import Store
from scheduler_app.intake.writer import Writer
from scheduler_app.mqtt.message import Message
from tests.unit.messages import NOW, message
from tests.unit.rows import locked, rows
from tests.unit.writers import writer_on

STREAMS = """
[[stream]]
topic = "zigbee/+"
value = ["temperature", "humidity"]
time = "last_seen"
time_format = "iso8601"
windows = ["24h"]

[[stream]]
topic = "zigbee/#"
value = "*"

[[stream]]
topic = "home/#"
"""
READINGS = (
    "SELECT name, time, value FROM reading JOIN series ON series.id = series_id ORDER BY reading.sequence"
)
SERIES = "SELECT name, topic, field, since, retention FROM series ORDER BY id"
REJECTED = "SELECT topic, reason, detail FROM rejected_message ORDER BY id"


class Service:
    """A writer that reads a stream file; what it feeds to the statistics is kept."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.path = folder / "test.db"
        self.streams = folder / "streams.toml"
        self.streams.write_text(STREAMS)
        prepare(self.path)
        self.settings = settings
        self.start_again()

    def start_again(self) -> None:
        self.store = Store(writing_database(self.path), "me")
        self.fed: list[tuple[list[Reading], int]] = []
        self.catalog = Catalog(self.store.series(), int(self.settings.get("max_series", "100")))
        self.writer: Writer = writer_on(
            self.store,
            None,
            catalog=self.catalog,
            feed=self.feed,
            streams_file=str(self.streams),
            **self.settings,
        )

    def feed(self, readings: Sequence[Reading], sequence: int) -> None:
        self.fed.append((list(readings), sequence))

    def take(self, *messages: Message) -> None:
        self.writer.commit(self.writer.sort(messages))

    @property
    def counts(self) -> dict[str, int]:
        counts = dict(rows(self.path, "SELECT name, value FROM counter WHERE value"))
        del counts["since"]
        counts.pop("sequence", None)
        assert counts.get("received", 0) == sum(counts.values()) - counts.get("received", 0)
        return counts


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    yield service
    service.store.close()


def sent(topic: str, content: object, **more: int) -> Message:
    return message(json.dumps(content).encode(), topic, **more)  # type: ignore[arg-type]


def test_each_field_is_a_series_of_its_own_and_each_counts(service: Service) -> None:
    service.take(sent("zigbee/kitchen", {"temperature": 21.4, "humidity": 40, "battery": 97}))
    assert rows(service.path, READINGS) == [
        ("zigbee/kitchen/temperature", NOW, 21.4),
        ("zigbee/kitchen/humidity", NOW, 40),
    ]
    assert rows(service.path, SERIES) == [
        ("zigbee/kitchen/temperature", "zigbee/kitchen", "temperature", NOW, 86700),
        ("zigbee/kitchen/humidity", "zigbee/kitchen", "humidity", NOW, 86700),
    ]
    assert service.counts == {"received": 2, "stored": 2}


def test_a_topic_is_read_by_the_first_stream_that_matches_it(service: Service) -> None:
    service.take(
        sent("zigbee/kitchen", {"temperature": 1, "x": 2}),
        sent("zigbee/kitchen/deep", {"temperature": 1, "x": 2}, packet_id=2),
        sent("home/attic", 21.5, packet_id=3),
    )
    assert [name for name, *_ in rows(service.path, READINGS)] == [
        "zigbee/kitchen/temperature",
        "zigbee/kitchen/deep/temperature",
        "zigbee/kitchen/deep/x",
        "home/attic",
    ]
    assert [retention for *_, retention in rows(service.path, SERIES)] == [86700, 2100, 2100, 2100]


def test_what_no_stream_names_is_no_input(service: Service) -> None:
    """An old subscription of the session may still bring it."""
    service.take(message(b"1", "other"), message(b"x", "other/y", packet_id=2))
    assert service.counts == {}
    assert service.fed == []


def test_good_fields_are_stored_and_bad_ones_rejected_in_one_transaction(service: Service) -> None:
    batch = service.writer.sort([sent("zigbee/kitchen", {"temperature": 21.4, "humidity": "wet"})])
    with locked(service.path), pytest.raises(StoreUnavailable):
        service.writer.commit(batch)
    assert rows(service.path, READINGS) == rows(service.path, REJECTED) == []
    service.writer.commit(batch)
    assert rows(service.path, READINGS) == [("zigbee/kitchen/temperature", NOW, 21.4)]
    assert rows(service.path, REJECTED) == [("zigbee/kitchen", "no number", "humidity")]
    assert service.counts == {"received": 2, "stored": 1, "rejected": 1}


def test_how_late_is_too_late_is_said_by_the_stream(service: Service) -> None:
    hours_ago = NOW - 7200
    service.take(
        sent("zigbee/kitchen", {"temperature": 1, "last_seen": "2023-11-14T20:13:20Z"}),
        sent("zigbee/kitchen/deep", {"x": 1, "epochtime": hours_ago}, packet_id=2),
        sent("home/attic", {"number": 1, "epochtime": hours_ago}, packet_id=3),
    )
    assert rows(service.path, READINGS) == [("zigbee/kitchen/temperature", hours_ago, 1)]
    assert service.counts == {"received": 3, "stored": 1, "late": 2}
    assert len(rows(service.path, SERIES)) == 1  # what is late begins no series


def test_a_message_with_several_readings_that_is_sent_again_is_one_duplicate(service: Service) -> None:
    first = sent("zigbee/kitchen", {"temperature": 21.4, "humidity": 40}, packet_id=7)
    service.take(first)
    service.take(first._replace(duplicate=True))
    assert len(rows(service.path, READINGS)) == 2
    assert service.counts == {"received": 3, "stored": 2, "duplicates": 1}


def test_a_series_goes_on_after_a_restart(service: Service) -> None:
    service.take(sent("home/attic", 1), sent("zigbee/x", {"humidity": 2}, packet_id=2))
    before = rows(service.path, SERIES)
    service.store.close()
    service.start_again()
    service.take(
        sent("zigbee/x", {"humidity": 3, "temperature": 4}, packet_id=3), sent("home/attic", 5, packet_id=4)
    )
    assert rows(service.path, SERIES)[:2] == before
    assert [name for name, *_ in rows(service.path, SERIES)] == [
        *("home/attic", "zigbee/x/humidity", "zigbee/x/temperature")
    ]
    assert len(rows(service.path, READINGS)) == 5


def test_what_would_begin_one_series_too_many_is_rejected_and_the_others_go_on(tmp_path: Path) -> None:
    service = Service(tmp_path, max_series="3")
    service.take(*(message(b"1", f"home/{number}", packet_id=number) for number in range(1, 6)))
    service.take(message(b"2", "home/1", packet_id=6), message(b"2", "home/9", packet_id=7))
    service.store.close()
    assert [name for name, *_ in rows(service.path, READINGS)] == ["home/1", "home/2", "home/3", "home/1"]
    assert rows(service.path, REJECTED) == [
        (f"home/{number}", "too many series", "there are 3, and MAX_SERIES=3 allows no more")
        for number in (4, 5, 9)
    ]
    assert service.counts == {"received": 7, "stored": 4, "rejected": 3}


def test_one_device_that_makes_up_topics_keeps_no_other_from_beginning(tmp_path: Path) -> None:
    service = Service(tmp_path, max_series="8")
    service.take(*(message(b"1", f"home/{number}", packet_id=number + 1) for number in range(50)))
    service.take(sent("zigbee/kitchen", {"temperature": 2}, packet_id=99), message(b"3", "home/1"))
    service.store.close()
    assert [name for name, *_ in rows(service.path, SERIES)] == [
        *(f"home/{number}" for number in range(6)),
        "zigbee/kitchen/temperature",
    ]
    assert service.counts == {"received": 52, "stored": 8, "rejected": 44}
    assert {(reason, detail) for _, reason, detail in rows(service.path, REJECTED)} == {
        (
            "too many series",
            "6 are there, 6 of them at or below home; the rest of MAX_SERIES=8 is kept for smaller branches",
        )
    }


def test_of_what_there_is_to_say_of_a_message_the_beginning_is_kept(service: Service) -> None:
    """The name of a field may be as long as the payload."""
    for length in (500, 501):
        service.take(message(b'{"%b":1e999}' % (b"x" * length), "zigbee/a/b", packet_id=length))
    assert rows(service.path, REJECTED) == [("zigbee/a/b", "not finite", "x" * 500)] * 2


def test_a_name_that_cannot_be_is_rejected_with_its_reason(service: Service) -> None:
    long, deep = "home/" + "x" * 1020, "home" + "/" * 190
    service.take(
        message(b"1", long),
        message(b"1", deep, packet_id=2),
        sent("zigbee/a/b", {"c": 1}, packet_id=3),
        sent("zigbee/a/b/c", 2, packet_id=4),
    )
    assert rows(service.path, REJECTED) == [
        (long, "name too long", "1024 bytes are allowed for a series"),
        (deep, "name too long", "190 levels are allowed for a series"),
        ("zigbee/a/b/c", "name taken", "zigbee/a/b/c is another series"),
    ]
    assert [name for name, *_ in rows(service.path, READINGS)] == ["zigbee/a/b/c"]


def test_what_is_stored_is_fed_to_the_statistics_and_known_to_the_catalog(service: Service) -> None:
    def named(number: float, packet_id: int) -> Message:
        return sent("home/attic", {"number": number, "id": "x"}, packet_id=packet_id)

    service.take(named(1, 1), named(1, 2), sent("home/attic", 5, packet_id=3, arrived=int(NOW) + 10))
    assert service.fed == [([Reading(1, NOW, 1, "x"), Reading(1, NOW + 10, 5)], 3)]
    assert service.catalog.newest == {1: NOW + 10}
    assert service.counts == {"received": 3, "stored": 2, "duplicates": 1}


def test_nothing_is_fed_that_is_not_stored(service: Service) -> None:
    batch = service.writer.sort([sent("home/attic", 1)])
    with locked(service.path), pytest.raises(StoreUnavailable):
        service.writer.commit(batch)
    assert service.fed == []
    assert service.catalog.newest == {}
    service.writer.commit(batch)
    assert service.fed == [([Reading(1, NOW, 1)], 1)]


def test_a_batch_that_was_never_stored_leaves_no_series(service: Service) -> None:
    service.writer.sort([sent("home/attic", 1)])
    service.take(sent("home/cellar", 2))
    assert [row.name for row in service.catalog] == ["home/cellar"]
    service.take(sent("home/attic", 3))
    assert rows(service.path, READINGS) == [("home/cellar", NOW, 2), ("home/attic", NOW, 3)]


def test_topics_of_any_length_without_end_do_not_fill_the_memory(tmp_path: Path) -> None:
    """A topic may be 64 KiB long, and nobody is kept from making up new ones."""
    service = Service(tmp_path, max_series="1")
    tracemalloc.start()
    for number in range(300):
        service.writer.sort([message(b"1", f"home/{number:060000}")])
        service.writer.sort([message(b"1", f"other/{number:060000}")])
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    service.store.close()
    assert kept < 5_000_000  # 600 topics are 36 MB


def test_an_error_of_ours_rejects_the_message_and_takes_the_others_in(
    service: Service, monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    """It would come again with the message after each restart."""
    find = service.catalog.find

    def fail(topic: str, field: str = "") -> int | None:
        if topic == "home/bad":
            raise KeyError("never expected")
        return find(topic, field)

    monkeypatch.setattr(service.catalog, "find", fail)
    service.take(sent("home/a", 1), sent("home/bad", 2, packet_id=2), sent("home/b", 3, packet_id=3))
    service.take(sent("home/bad", 4, packet_id=4))
    assert [name for name, *_ in rows(service.path, READINGS)] == ["home/a", "home/b"]
    assert rows(service.path, REJECTED) == [("home/bad", "internal error", "KeyError")] * 2
    assert service.counts == {"received": 4, "stored": 2, "rejected": 2}
    [line] = [line for line in log_lines if line.startswith("ERROR")]
    assert line.startswith("ERROR: reading a message failed\nTraceback")


def test_a_lack_of_memory_is_no_fault_of_a_message(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise MemoryError

    monkeypatch.setattr(service.catalog, "find", fail)
    with pytest.raises(MemoryError):
        service.writer.sort([sent("home/a", 1)])


def test_what_sqlite_cannot_bind_is_told_from_a_store_that_is_unavailable(service: Service) -> None:
    batch = service.writer.sort([sent("home/a", 1)])
    batch.counts["received"] = 2**64
    with pytest.raises(NotStored) as caught:
        service.writer.commit(batch)
    assert isinstance(caught.value.__cause__, OverflowError)
    assert rows(service.path, READINGS) == rows(service.path, SERIES) == []
    service.writer.commit(service.writer.sort([sent("home/a", 1)], unstorable=True))
    assert rows(service.path, REJECTED) == [("home/a", "internal error", "it cannot be stored")]
    assert service.counts == {"received": 1, "rejected": 1}


def test_what_another_member_has_begun_is_known_when_the_messages_are_sorted_anew(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A series of the name, of another topic and field: so what comes for the name is refused."""
    theirs = SeriesRow(7, "home/x/y", "home/x", "y", NOW, 2100.0)

    def refuse(batch: Batch) -> Stored:
        raise SeriesBegun([theirs])

    messages = [sent("home/x/y", 1)]
    batch = service.writer.sort(messages)
    with monkeypatch.context() as patch:
        patch.setattr(service.store, "add", refuse)
        with pytest.raises(SeriesBegun):
            service.writer.commit(batch)
    assert service.catalog.named("home/x/y") == theirs
    service.take(*messages)
    assert service.counts == {"received": 1, "rejected": 1}
    assert rows(service.path, REJECTED) == [("home/x/y", "name taken", "home/x/y is another series")]
