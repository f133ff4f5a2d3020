import json
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from models.storage.errors import StoreUnavailable
from models.storage.sqlite import queries as history
from models.storage.sqlite.connection import reading_database, writing_database
from models.storage.sqlite.store import Store
from scheduler_app.intake.redelivery import Redeliveries
from scheduler_app.intake.sample import INTERVAL, KEPT_BYTES, KEPT_OF_A_KIND
from scheduler_app.intake.writer import Writer
from scheduler_app.mqtt.message import Message
from tests.unit.messages import NOW, message
from tests.unit.rows import locked, rows
from tests.unit.writers import writer_on

READINGS = (
    "SELECT series.name, time, value FROM reading JOIN series ON series.id = series_id ORDER BY sequence"
)
REJECTED = "SELECT topic, payload, size, reason, detail, arrived FROM rejected_message ORDER BY id"


@pytest.fixture
def writer(store: Store) -> Writer:
    return writer_on(store)


def store_all(writer: Writer, messages: Sequence[Message]) -> None:
    writer.commit(writer.sort(messages))


def counts(path: Path) -> dict[str, int]:
    """Return the counters that are not 0; what was received must be the sum of the others."""
    database = reading_database(path)
    with database.connection_context():
        counters = {name: count for name, count in history.counters(database).items() if count}
    del counters["since"]
    assert counters.pop("sequence", 0) >= counters.get("stored", 0)
    ends = dict(counters)
    assert ends.pop("received", 0) == sum(ends.values())
    return counters


def at(time: float, number: float = 1) -> bytes:
    return json.dumps({"number": number, "epochtime": time}).encode()


def test_readings_are_stored_with_their_topic_and_time(writer: Writer, path: Path) -> None:
    store_all(
        writer,
        [message(b"21.5", "a/b"), message(at(NOW - 60, 46), "c"), message(b"21.5", "a/b", packet_id=2)],
    )
    assert rows(path, READINGS) == [("a/b", NOW, 21.5), ("c", NOW - 60, 46), ("a/b", NOW, 21.5)]
    assert counts(path) == {"received": 3, "stored": 3}


def test_a_reading_as_old_as_the_retention_is_late(writer: Writer, path: Path) -> None:
    store_all(writer, [message(at(NOW - 35 * 60)), message(at(NOW - 35 * 60 + 0.5)), message(at(0))])
    assert rows(path, READINGS) == [("DATA", NOW - 35 * 60 + 0.5, 1)]
    assert rows(path, REJECTED) == []
    assert counts(path) == {"received": 3, "late": 2, "stored": 1}


def test_a_reading_further_ahead_than_the_allowed_skew_is_rejected(writer: Writer, path: Path) -> None:
    store_all(writer, [message(at(NOW + 30)), message(at(NOW + 31))])
    assert rows(path, READINGS) == [("DATA", NOW + 30, 1)]
    [(_, payload, _, reason, detail, _)] = rows(path, REJECTED)
    assert (payload, reason, detail) == (at(NOW + 31), "too far ahead", "1 s more than allowed")
    assert counts(path) == {"received": 2, "stored": 1, "rejected": 1}


def test_what_is_late_or_ahead_is_judged_by_the_time_of_arrival(writer: Writer, path: Path) -> None:
    """A batch that waited for a locked disk is not late for that."""
    store_all(writer, [message(at(1000), arrived=1000.0), message(at(5000), arrived=5000.0)])
    assert counts(path) == {"received": 2, "stored": 2}


def test_a_retained_copy_is_no_reading(writer: Writer, path: Path) -> None:
    store_all(writer, [message(b"21.5", retained=True), message(b"nonsense", retained=True)])
    assert rows(path, READINGS) == rows(path, REJECTED) == []
    assert counts(path) == {"received": 2, "retained": 2}


def test_a_message_that_is_no_reading_is_kept_with_its_reason(writer: Writer, path: Path) -> None:
    store_all(writer, [message(b"\xff\x00", "a/b"), message(b"?", "c"), message(b"5", "d")])
    assert rows(path, REJECTED) == [
        ("a/b", b"\xff\x00", 2, "not UTF-8", "", NOW),
        ("c", b"?", 1, "not JSON", "", NOW),
    ]
    assert rows(path, READINGS) == [("d", NOW, 5)]
    assert counts(path) == {"received": 3, "stored": 1, "rejected": 2}


def test_a_message_that_says_nothing_is_counted_and_makes_no_noise(
    writer: Writer, path: Path, log_lines: list[str]
) -> None:
    store_all(writer, [message(b"", "a"), message(b"null", "a"), message(b"unavailable", "a")])
    assert counts(path) == {"received": 3, "ignored": 3}
    assert rows(path, REJECTED) == []
    assert log_lines == []


def test_a_flood_of_rejected_messages_is_counted_and_leaves_a_sample(writer: Writer, path: Path) -> None:
    """All of them are acknowledged, and nobody who sends readings waits for what is not kept."""
    flood = [message(b"x" * 4096, "bad", packet_id=number) for number in range(1, 1001)]
    store_all(writer, [*flood, message(b"1", "good", packet_id=1001), message(b"y", "other", packet_id=1002)])
    assert counts(path) == {"received": 1002, "rejected": 1001, "stored": 1}
    topics = [topic for topic, *_ in rows(path, REJECTED)]
    assert topics == ["bad"] * KEPT_OF_A_KIND + ["other"]
    later = NOW + INTERVAL
    store_all(writer, [message(b"x", "bad", packet_id=number, arrived=later) for number in range(1, 201)])
    assert counts(path) == {"received": 1202, "rejected": 1201, "stored": 1}
    assert len(rows(path, REJECTED)) == 2 * KEPT_OF_A_KIND + 1


def test_a_payload_that_takes_its_share_of_a_minute_is_measured_as_it_is_kept(
    writer: Writer, path: Path
) -> None:
    count = KEPT_BYTES // (4096 + 4) + 10
    store_all(writer, [message(b"x" * 60_000, f"{number:04}") for number in range(count)])
    assert len(rows(path, REJECTED)) == count - 10
    assert counts(path) == {"received": count, "rejected": count}


def test_of_a_long_rejected_payload_the_start_is_kept_and_the_size(writer: Writer, path: Path) -> None:
    payload = bytes(range(256)) * 1000
    store_all(writer, [message(payload)])
    [(_, kept, size, reason, *_)] = rows(path, REJECTED)
    assert (kept, size, reason) == (payload[:4096], 256_000, "too long")


@pytest.mark.parametrize("topic", ["STATS", "STATS/$state", "STATS/$check/1"])
def test_our_own_output_is_no_input_even_under_a_hash(writer: Writer, path: Path, topic: str) -> None:
    store_all(writer, [message(b"21.5", topic), message(b"online", topic, retained=True)])
    assert rows(path, READINGS) == rows(path, REJECTED) == []
    assert counts(path) == {}


def test_a_topic_that_only_begins_like_our_own_is_input(writer: Writer, path: Path) -> None:
    store_all(writer, [message(b"21.5", "STATS2")])
    assert counts(path) == {"received": 1, "stored": 1}


def test_every_message_counts_for_exactly_one_end(writer: Writer, path: Path) -> None:
    store_all(
        writer,
        [
            message(b"1"),
            message(b"2", packet_id=2),
            message(at(5), packet_id=3),
            message(b"x", packet_id=4),
            message(b"3", retained=True, packet_id=5),
            message(b"46", "STATS", packet_id=6),
        ],
    )
    assert counts(path) == {"received": 5, "stored": 2, "late": 1, "rejected": 1, "retained": 1}


def test_no_messages_write_nothing(writer: Writer, path: Path) -> None:
    with locked(path):
        store_all(writer, [])
        store_all(writer, [message(b"46", "STATS")])


def test_a_batch_that_cannot_be_stored_can_be_stored_later(writer: Writer, path: Path) -> None:
    batch = [message(b"1"), message(b"x", packet_id=2)]
    with locked(path), pytest.raises(StoreUnavailable):
        store_all(writer, batch)
    assert counts(path) == {}
    store_all(writer, batch)
    assert counts(path) == {"received": 2, "stored": 1, "rejected": 1}
    assert (len(rows(path, READINGS)), len(rows(path, REJECTED))) == (1, 1)


def test_a_rejection_is_logged_once_per_reason(writer: Writer, log_lines: list[str]) -> None:
    store_all(writer, [message(b"x" * size, "a/b", packet_id=size) for size in range(1, 100)])
    milliseconds = at(NOW * 1000)
    store_all(writer, [message(b"\xff", "c"), message(milliseconds, "d", packet_id=2)])
    size = len(milliseconds)
    assert log_lines == [
        "WARNING: rejected a message on 'a/b': not JSON (1 bytes)",
        "WARNING: rejected a message on 'c': not UTF-8 (1 bytes)",
        f"WARNING: rejected a message on 'd': too far ahead, looks like milliseconds ({size} bytes)",
    ]


def test_a_topic_cannot_break_the_lines_of_the_log(writer: Writer, log_lines: list[str]) -> None:
    store_all(writer, [message(b"x", "a\nERROR: b\x1b[2J" + "c" * 1000)])
    [line] = log_lines
    assert line.isprintable()
    assert len(line) < 400


@pytest.fixture
def sent() -> Message:
    """Return a message as the broker sends it first."""
    return message(b"21.5", "a", packet_id=7)


def again(message: Message) -> Message:
    """Return `message` as the broker sends it a second time."""
    return message._replace(duplicate=True, arrived=message.arrived + 5)


def restarted(path: Path) -> tuple[Store, Writer]:
    """Return what a new process makes of the file."""
    store = Store(writing_database(path), "me")
    return store, writer_on(store)


def named(message_id: object, number: float = 1) -> bytes:
    return json.dumps({"number": number, "id": message_id}).encode()


def test_a_message_that_the_broker_sends_again_is_stored_once(
    writer: Writer, path: Path, sent: Message
) -> None:
    store_all(writer, [sent])
    store_all(writer, [again(sent)])
    store_all(writer, [again(sent)])
    assert rows(path, READINGS) == [("a", NOW, 21.5)]
    assert counts(path) == {"received": 3, "stored": 1, "duplicates": 2}


def test_a_message_that_comes_again_after_a_restart_is_stored_once(
    writer: Writer, store: Store, path: Path, sent: Message
) -> None:
    store_all(writer, [sent, message(b"22", "a", packet_id=8)])
    store.close()
    for _ in range(2):
        new_store, new_writer = restarted(path)
        store_all(new_writer, [again(sent)])
        new_store.close()
    assert counts(path) == {"received": 4, "stored": 2, "duplicates": 2}


def test_a_message_with_the_flag_that_is_not_known_is_stored(
    writer: Writer, path: Path, sent: Message
) -> None:
    """Its first try was lost on the way."""
    store_all(writer, [again(sent)])
    assert counts(path) == {"received": 1, "stored": 1}
    store_all(writer, [again(sent)])
    assert counts(path) == {"received": 2, "stored": 1, "duplicates": 1}


def test_a_hundred_identical_payloads_are_a_hundred_readings(
    writer: Writer, path: Path, sent: Message
) -> None:
    """Even if all have the packet id that the first one gave back."""
    store_all(writer, [sent] * 50)
    for _ in range(50):
        store_all(writer, [sent])
    assert counts(path) == {"received": 100, "stored": 100}


@pytest.mark.parametrize(
    "other",
    [
        message(b"21.50", "a", packet_id=7, duplicate=True),
        message(b"21.5", "a/b", packet_id=7, duplicate=True),
        message(b"21.5", "a", packet_id=8, duplicate=True),
    ],
    ids=["payload", "topic", "packet id"],
)
def test_another_message_with_the_flag_is_stored(
    writer: Writer, path: Path, sent: Message, other: Message
) -> None:
    store_all(writer, [sent])
    store_all(writer, [other])
    assert counts(path) == {"received": 2, "stored": 2}


def test_a_packet_id_that_has_been_used_anew_says_nothing_of_the_earlier_message(
    writer: Writer, path: Path, sent: Message
) -> None:
    store_all(writer, [sent])
    store_all(writer, [message(b"22", "a", packet_id=7)])
    store_all(writer, [again(sent)])
    assert counts(path) == {"received": 3, "stored": 3}


def test_what_comes_after_deliveries_were_forgotten_is_new(
    writer: Writer, store: Store, path: Path, sent: Message
) -> None:
    assert (writer.new_messages, writer.unproven) == (0, 0)
    store_all(writer, [sent])
    assert (writer.new_messages, writer.unproven) == (1, 1)
    writer.await_proof()
    later = message(b"22", "a", packet_id=8)
    store_all(writer, [later])
    writer.take_proof()
    writer.forget_deliveries()
    assert (writer.new_messages, writer.unproven) == (2, 1)
    store.close()
    new_store, new_writer = restarted(path)
    for each in (writer, new_writer):
        batch = each.sort([again(sent), again(later)])
        assert (len(batch.readings), batch.counts["duplicates"]) == (1, 1)
    store_all(new_writer, [again(sent)])
    new_store.close()
    assert counts(path) == {"received": 3, "stored": 3}


def test_deliveries_that_could_not_be_forgotten_are_remembered(
    writer: Writer, path: Path, sent: Message
) -> None:
    store_all(writer, [sent])
    with locked(path), pytest.raises(StoreUnavailable):
        writer.forget_all_deliveries()
    store_all(writer, [again(sent)])
    assert counts(path) == {"received": 2, "stored": 1, "duplicates": 1}
    writer.forget_all_deliveries()
    assert rows(path, "SELECT * FROM delivery") == []


def test_what_is_proven_is_deleted_when_the_database_can_be_written_again(
    writer: Writer, path: Path, sent: Message
) -> None:
    store_all(writer, [sent])
    writer.await_proof()
    writer.take_proof()
    with locked(path), pytest.raises(StoreUnavailable):
        writer.forget_deliveries()
    assert len(rows(path, "SELECT * FROM delivery")) == 1
    writer.forget_deliveries()
    assert rows(path, "SELECT * FROM delivery") == []


def test_what_is_proven_is_deleted_with_the_next_batch_even_if_nothing_of_it_is_stored(
    writer: Writer, path: Path, sent: Message
) -> None:
    for batch in ([message(b"22", "a", packet_id=8)], [message(b"22", "STATS", packet_id=8)]):
        store_all(writer, [sent])
        writer.await_proof()
        writer.take_proof()
        store_all(writer, batch)
        numbers = [number for (number,) in rows(path, "SELECT id FROM delivery")]
        assert numbers == ([writer.new_messages] if batch[0].topic == "a" else [])
        writer.await_proof()
        writer.take_proof()
        writer.forget_deliveries()


def test_what_is_no_input_is_proven_too_and_written_nowhere(writer: Writer, path: Path) -> None:
    store_all(writer, [message(b"22", "STATS", packet_id=packet_id) for packet_id in (1, 2)])
    assert (writer.new_messages, writer.unproven) == (2, 2)
    assert rows(path, "SELECT * FROM delivery") == []


def test_a_message_that_comes_twice_in_a_batch_is_stored_once(
    writer: Writer, path: Path, sent: Message
) -> None:
    """As from a broker that sends again while a commit hangs."""
    store_all(writer, [sent, again(sent)])
    assert counts(path) == {"received": 2, "stored": 1, "duplicates": 1}


def test_what_was_acknowledged_in_vain_is_known_however_late_it_comes_again(store: Store, path: Path) -> None:
    """20 are stored, of five the acknowledgements are lost with the connection, five never come.

    The broker sends them again half a minute later, when there has long been proof of what came
    on the new connection.
    """
    writer = writer_on(store)
    store_all(writer, [message(b"1", packet_id=packet_id) for packet_id in range(1, 21)])
    store.close()
    new_store, new_writer = restarted(path)
    new_writer.begin_connection()
    store_all(new_writer, [message(b"1", packet_id=packet_id) for packet_id in range(26, 31)])
    new_writer.await_proof()
    new_writer.take_proof()
    new_writer.forget_deliveries()
    redelivered = range(16, 26)
    store_all(new_writer, [message(b"1", packet_id=number, duplicate=True) for number in redelivered])
    new_store.close()
    assert counts(path) == {"received": 35, "stored": 30, "duplicates": 5}


def test_a_failed_commit_changes_nothing_in_what_is_remembered(
    writer: Writer, path: Path, sent: Message
) -> None:
    other = message(b"22", "a", packet_id=7)
    store_all(writer, [sent])
    with locked(path), pytest.raises(StoreUnavailable):
        store_all(writer, [other])
    assert writer.new_messages == 1
    assert writer.sort([again(other)]).counts["duplicates"] == 0
    assert writer.sort([again(sent)]).counts["duplicates"] == 1
    store_all(writer, [other])
    assert writer.sort([again(other)]).counts["duplicates"] == 1
    assert counts(path) == {"received": 2, "stored": 2}


def test_of_many_deliveries_the_latest_are_kept(store: Store, path: Path) -> None:
    writer = writer_on(store, Redeliveries(remembered=10))
    for packet_id in range(1, 101):
        store_all(writer, [message(b"1", packet_id=packet_id)])
    assert rows(path, "SELECT MIN(id), MAX(id), COUNT(*) FROM delivery") == [(91, 100, 10)]
    assert writer.sort([message(b"1", packet_id=91, duplicate=True)]).counts["duplicates"] == 1
    assert writer.sort([message(b"1", packet_id=90, duplicate=True)]).counts["duplicates"] == 0


def test_messages_that_are_never_sent_again_leave_nothing_to_remember(store: Store, path: Path) -> None:
    """Or a stream at QoS 0 would let the file grow for as long as the loop is never idle."""
    writer = writer_on(store, Redeliveries(remembered=10))
    store_all(writer, [message(b"1")])
    for _ in range(100):
        store_all(writer, [message(b"1", qos=0, packet_id=0)])
    assert counts(path) == {"received": 101, "stored": 101}
    [(kept,)] = rows(path, "SELECT COUNT(*) FROM delivery")
    assert kept <= 10


@pytest.mark.parametrize(
    ("first", "ending"),
    [
        (message(b"nonsense", packet_id=7), "rejected"),
        (message(at(NOW - 3600), packet_id=7), "late"),
        (message(named("x"), packet_id=7), "stored"),
    ],
    ids=["rejected", "late", "with an id"],
)
def test_whatever_became_of_a_message_sent_again_it_is_a_duplicate(
    writer: Writer, path: Path, first: Message, ending: str
) -> None:
    store_all(writer, [first])
    store_all(writer, [again(first)])
    assert counts(path) == {"received": 2, ending: 1, "duplicates": 1}
    assert len(rows(path, REJECTED)) == (ending == "rejected")


@pytest.mark.parametrize("message_id", ["x", 46, "ä" * 100])
def test_an_id_that_comes_again_is_stored_once(
    writer: Writer, path: Path, message_id: object, log_lines: list[str]
) -> None:
    first, second, third = (message(named(message_id, 5), packet_id=number) for number in (1, 2, 3))
    store_all(writer, [first, second])
    store_all(writer, [third, message(named("other", 5), packet_id=4)])
    assert rows(path, READINGS) == [("DATA", NOW, 5)] * 2
    assert counts(path) == {"received": 4, "stored": 2, "duplicates": 2}
    assert log_lines == []


def test_the_same_id_on_another_topic_is_another_reading(writer: Writer, path: Path) -> None:
    store_all(writer, [message(named("x"), "a"), message(named("x"), "b", packet_id=2)])
    assert rows(path, READINGS) == [("a", NOW, 1), ("b", NOW, 1)]
    assert counts(path) == {"received": 2, "stored": 2}


def test_an_id_that_names_a_device_is_warned_of_once(
    writer: Writer, path: Path, log_lines: list[str]
) -> None:
    for number in range(1, 6):
        store_all(writer, [message(named("kitchen", number), "a", packet_id=number)])
    assert counts(path) == {"received": 5, "stored": 1, "duplicates": 4}
    [line] = log_lines
    assert line == (
        "WARNING: 'kitchen' came again as the id of another number on 'a', which was dropped as a "
        "duplicate: an id must name one reading, not a device"
    )


def test_the_values_of_only_so_many_duplicates_are_remembered(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler_app.intake.writer._REMEMBERED_DUPLICATES", 3)
    for number in range(10):
        store_all(writer, [message(named(f"x-{number}"), packet_id=packet_id) for packet_id in (1, 2)])
        assert len(writer._duplicates) <= 3


@pytest.mark.parametrize("seed", range(5))
def test_after_every_batch_the_counters_add_up(store: Store, path: Path, seed: int) -> None:
    random = Random(seed)
    writer = writer_on(store, Redeliveries(remembered=20))
    payloads = [b"21.5", b"22", b"x", at(NOW - 9e6), named("x", 5), named("y", 6), named(1, 7)]
    received = 0
    for _ in range(40):
        batch = [
            message(
                random.choice(payloads),
                random.choice(["a", "b", "STATS"]),
                qos=random.choice([0, 1, 1, 1]),
                retained=random.random() < 0.1,
                duplicate=random.random() < 0.5,
                packet_id=random.randint(1, 5),
            )
            for _ in range(random.randint(0, 8))
        ]
        store_all(writer, batch)
        if random.random() < 0.1:
            writer.await_proof()
            writer.take_proof()
        received += sum(message.topic != "STATS" for message in batch)
        counted = counts(path)
        assert counted.get("received", 0) == received
        assert counted.get("stored", 0) == len(rows(path, READINGS))
        assert counted.get("rejected", 0) == len(rows(path, REJECTED))
    assert {"stored", "duplicates", "rejected", "late", "retained"} < counted.keys()
