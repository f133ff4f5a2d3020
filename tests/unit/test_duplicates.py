"""Nothing is counted twice: the writer with its memory of deliveries and a real database file."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from models.storage.errors import StoreUnavailable
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.store import Store
from scheduler_app.intake.redelivery import Redeliveries
from scheduler_app.mqtt.message import Message
from tests.unit.messages import message
from tests.unit.rows import locked, rows
from tests.unit.writers import writer_on


class Service:
    """A writer on a database file, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "test.db"
        prepare(self.path)
        self.store = Store(writing_database(self.path), "me")
        self.start_again()

    def start_again(self) -> None:
        self.store.close()
        self.store = Store(writing_database(self.path), "me")
        self.writer = writer_on(self.store)

    def take(self, *messages: Message) -> None:
        self.writer.commit(self.writer.sort(messages))

    def prove(self) -> None:
        """Have proof come that all acknowledgements have arrived."""
        self.writer.await_proof()
        self.writer.take_proof()
        self.writer.forget_deliveries()

    @property
    def values(self) -> list[float]:
        return [value for (value,) in rows(self.path, "SELECT value FROM reading ORDER BY sequence")]

    @property
    def counts(self) -> dict[str, int]:
        counts = dict(rows(self.path, "SELECT name, value FROM counter WHERE value"))
        del counts["since"]
        assert counts.pop("sequence", 0) >= counts.get("stored", 0)
        assert counts.get("received", 0) == sum(counts.values()) - counts.get("received", 0)
        return counts


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    yield service
    service.store.close()


def with_id(number: float, name: object = '"a-1"', topic: str = "DATA", packet_id: int = 1) -> Message:
    return message(b'{"number": %g, "id": %s}' % (number, str(name).encode()), topic, packet_id=packet_id)


def again(messages: Sequence[Message]) -> list[Message]:
    """Return the messages as the broker sends them when it got no PUBACK."""
    return [one._replace(duplicate=True) for one in messages]


def test_a_reading_with_an_id_is_stored_once(service: Service) -> None:
    """Whatever way it came the second time: the publisher's own repetition is a new message."""
    service.take(with_id(1), with_id(1, packet_id=2))
    service.take(with_id(1, packet_id=3))
    service.start_again()
    service.take(with_id(1, packet_id=4))
    assert service.values == [1]
    assert service.counts == {"received": 4, "stored": 1, "duplicates": 3}


def test_an_id_names_a_reading_among_those_of_its_topic(service: Service) -> None:
    service.take(with_id(1, topic="a"), with_id(2, topic="b", packet_id=2), with_id(3, '"a-2"', "a", 3))
    assert service.values == [1, 2, 3]


@pytest.mark.parametrize("name", ["null", '""', "true", "1.5", "[1]"])
def test_what_is_no_id_names_nothing(service: Service, name: str) -> None:
    service.take(with_id(1, name), with_id(1, name, packet_id=2))
    assert service.values == [1, 1]


@pytest.mark.parametrize("name", ["7", '"7"', '"ü"', '"\\ud800"', f'"{"x" * 1000}"', "9" * 40])
def test_an_id_is_a_text_or_a_whole_number(service: Service, name: str) -> None:
    service.take(with_id(1, name), with_id(1, name, packet_id=2), with_id(2, '"other"', packet_id=3))
    assert service.values == [1, 2]


def test_a_reading_without_an_id_that_is_sent_again_is_stored_once(service: Service) -> None:
    batch = [message(b"21.5"), message(b"21.5", packet_id=2), message(b"21.5", packet_id=3)]
    service.take(*batch)
    service.take(*again(batch[1:]), message(b"21.5", packet_id=4))
    assert service.values == [21.5] * 4
    assert service.counts == {"received": 6, "stored": 4, "duplicates": 2}


def test_what_is_sent_again_after_a_crash_is_known(service: Service) -> None:
    batch = [message(b"21.5"), message(b"22", packet_id=2)]
    service.take(*batch)
    service.start_again()
    service.take(*again(batch))
    service.take(*again(batch))
    assert service.values == [21.5, 22]


def test_a_message_that_was_never_stored_is_new_when_it_is_sent_again(service: Service) -> None:
    batch = [message(b"21.5")]
    with locked(service.path), pytest.raises(StoreUnavailable):
        service.take(*batch)
    service.take(*again(batch))
    assert service.values == [21.5]
    assert service.counts == {"received": 1, "stored": 1}


def test_rejected_late_and_retained_messages_are_known_again_too(service: Service) -> None:
    batch = [message(b"x"), message(b'{"number": 1, "epochtime": 0}', packet_id=2)]
    service.take(*batch)
    service.take(*again(batch))
    assert rows(service.path, "SELECT count(*) FROM rejected_message") == [(1,)]
    assert service.counts == {"received": 4, "rejected": 1, "late": 1, "duplicates": 2}


def test_what_was_forgotten_is_new_after_a_restart_too(service: Service) -> None:
    batch = [message(b"21.5")]
    service.take(*batch)
    service.prove()
    service.take(*again(batch))
    service.prove()
    service.start_again()
    service.take(*again(batch))
    assert service.values == [21.5] * 3


def test_nothing_is_forgotten_while_the_database_cannot_be_written(service: Service) -> None:
    batch = [message(b"21.5")]
    service.take(*batch)
    with locked(service.path), pytest.raises(StoreUnavailable):
        service.writer.forget_all_deliveries()
    service.take(*again(batch))
    assert service.values == [21.5]


def test_the_memory_of_deliveries_is_bounded_on_disk(tmp_path: Path) -> None:
    service = Service(tmp_path)
    redeliveries = Redeliveries(remembered=5)
    service.writer = writer_on(service.store, redeliveries, topic="DATA")
    for number in range(1, 30):
        service.take(message(b"%d" % number, packet_id=number))
    service.store.close()
    [(count,)] = rows(service.path, "SELECT count(*) FROM delivery")
    assert count == 5


def test_a_device_that_sends_its_own_name_as_id_is_told_of(service: Service, log_lines: list[str]) -> None:
    """All but its first reading would be dropped, and nobody would know why."""
    service.take(with_id(1, '"kitchen"'))
    service.take(with_id(1, '"kitchen"', packet_id=2))
    assert log_lines == []
    for packet_id in (3, 4):
        service.take(with_id(packet_id, '"kitchen"', packet_id=packet_id))
    assert len(log_lines) == 1
    assert log_lines[0].startswith("WARNING: 'kitchen' came again as the id of another number on 'DATA'")
