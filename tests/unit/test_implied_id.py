"""A stream may say that a reading with a time of its own counts once for that time and its value."""

from pathlib import Path

import pytest

from config.streams import InvalidStreams, load_streams
from models.storage.sqlite.store import Store
from scheduler_app.mqtt.message import Message
from tests.unit.messages import NOW, message
from tests.unit.rows import rows
from tests.unit.writers import writer_on

TIMED = b'{"number": 21.5, "epochtime": %d}' % (NOW - 5)
LATER = b'{"number": 21.5, "epochtime": %d}' % (NOW - 4)
OTHER = b'{"number": 22, "epochtime": %d}' % (NOW - 5)
WITH_ID = b'{"number": 21.5, "epochtime": %d, "id": "a"}' % (NOW - 5)


def stored(store: Store, path: Path, *messages: Message, keys: str = "implied_id = true") -> int:
    """Store messages one by one in a stream with these keys; return how many readings there are then."""
    streams_file = path.with_name("streams.toml")
    streams_file.write_text(f'[[stream]]\ntopic = "#"\n{keys}\n')
    writer = writer_on(store, streams_file=str(streams_file), topic="DATA")
    for one in messages:
        writer.commit(writer.sort([one]))
    [(count,)] = rows(path, "SELECT COUNT(*) FROM reading")
    return int(count)


@pytest.mark.parametrize(
    ("payloads", "count"),
    [
        ([TIMED, TIMED], 1),
        ([TIMED, LATER], 2),
        ([TIMED, OTHER], 2),
        ([b"21.5", b"21.5"], 2),
        ([b'{"number": 21.5}'] * 2, 2),
        ([TIMED, WITH_ID, WITH_ID], 2),
    ],
    ids=["same", "other time", "other value", "plain", "without a time", "with an id"],
)
def test_time_and_value_name_a_reading_that_brings_its_time(
    store: Store, path: Path, payloads: list[bytes], count: int
) -> None:
    messages = [message(payload, packet_id=place) for place, payload in enumerate(payloads, start=1)]
    assert stored(store, path, *messages) == count


def test_readings_of_different_topics_are_not_one(store: Store, path: Path) -> None:
    assert stored(store, path, message(TIMED, "a", packet_id=1), message(TIMED, "b", packet_id=2)) == 2


@pytest.mark.parametrize("keys", ["", "implied_id = false"])
def test_if_the_stream_does_not_say_so_equal_readings_are_two(store: Store, path: Path, keys: str) -> None:
    """A device that gives whole seconds may well send one value twice in a second."""
    messages = [message(TIMED, packet_id=1), message(TIMED, packet_id=2)]
    assert stored(store, path, *messages, keys=keys) == 2


@pytest.mark.parametrize(("again", "count"), [(5, 2), (6, 4)])
def test_each_field_of_a_message_is_named_by_itself(store: Store, path: Path, again: int, count: int) -> None:
    keys = 'value = ["t", "h"]\ntime = "at"\nimplied_id = true'
    messages = [message(b'{"t": 1, "h": 1, "at": %d}' % (NOW - ago), packet_id=ago) for ago in (5, again)]
    assert stored(store, path, *messages, keys=keys) == count


def test_a_reading_that_comes_a_second_time_counts_as_a_duplicate(store: Store, path: Path) -> None:
    stored(store, path, message(TIMED, packet_id=1), message(TIMED, packet_id=2))
    counters = dict(rows(path, "SELECT name, value FROM counter"))
    assert (counters["received"], counters["stored"], counters["duplicates"]) == (2, 1, 1)


@pytest.mark.parametrize("value", ['"yes"', "1", "[true]"])
def test_the_key_is_true_or_false(tmp_path: Path, value: str) -> None:
    path = tmp_path / "streams.toml"
    path.write_text(f'[[stream]]\ntopic = "a"\nimplied_id = {value}\n')
    with pytest.raises(InvalidStreams, match=r"line 3: implied_id = .* must be true or false"):
        load_streams(path, (), 2100.0, "STATS")
