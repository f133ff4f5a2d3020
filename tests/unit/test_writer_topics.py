"""To which stream a topic belongs is found once, not for each message; and what is remembered is bounded."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.streams import Stream, Streams
from models.catalog import LONGEST_NAME
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.store import Store
from scheduler_app.intake import writer as writer_module
from scheduler_app.intake.writer import Writer
from tests.unit.messages import message
from tests.unit.writers import writer_on

# What Home Assistant is told of our averages.
OUR_CONFIG = "homeassistant/device/averages_75e5b928_ca978112ca1bbdca/config"


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    prepare(tmp_path / "test.db")
    store = Store(writing_database(tmp_path / "test.db"), "me")
    yield writer_on(store)
    store.close()


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note the topics whose stream is looked for among all streams, in order."""
    topics: list[str] = []

    find = Streams.of_topic

    def note(streams: Streams, topic: str) -> Stream | None:
        topics.append(topic)
        return find(streams, topic)

    monkeypatch.setattr(Streams, "of_topic", note)
    return topics


def test_the_stream_of_a_topic_is_looked_for_once(writer: Writer, searched: list[str]) -> None:
    for _ in range(2):
        writer.sort([message(b"1", "a"), message(b"2", "b"), message(b"3", "a")])
    assert searched == ["a", "b"]


@pytest.mark.parametrize(("length", "times"), [(LONGEST_NAME, 1), (LONGEST_NAME + 1, 2)])
def test_a_topic_too_long_for_a_series_is_not_remembered(
    writer: Writer, searched: list[str], length: int, times: int
) -> None:
    for _ in range(2):
        writer.sort([message(b"1", "t" * length)])
    assert len(searched) == times


def test_only_so_many_topics_are_remembered(
    writer: Writer, searched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or whoever makes up topics could fill the memory."""
    monkeypatch.setattr(writer_module, "_REMEMBERED_TOPICS", 3)
    for topic in "abcabc":
        writer.sort([message(b"1", topic)])
    assert searched == ["a", "b", "c"]
    writer.sort([message(b"1", "d")])  # one too many: all are forgotten but this
    writer.sort([message(b"1", "d"), message(b"1", "a")])
    assert searched == ["a", "b", "c", "d", "a"]


def test_what_matches_no_filter_is_counted_apart_and_not_stored(tmp_path: Path) -> None:
    """What a filter that covers several streams brings beyond them is no input either, but no wonder."""
    prepare(tmp_path / "test.db")
    store = Store(writing_database(tmp_path / "test.db"), "me")
    writer = writer_on(store, subscribed=["a/+"], topic="a/1,a/2")
    batch = writer.sort([message(b"1", topic) for topic in ("a/1", "a/3", "b", "b", "STATS/a")])
    writer.commit(batch)
    store.close()
    assert batch.counts == {"received": 1}
    assert writer.unmatched == 2


@pytest.mark.parametrize(
    ("prefix", "counts"), [("homeassistant", {}), ("other", {"ignored": 1, "received": 1})]
)
def test_what_we_tell_home_assistant_is_no_input(tmp_path: Path, prefix: str, counts: dict[str, int]) -> None:
    """A stream that takes every number in a message would find some in it."""
    prepare(tmp_path / "test.db")
    store = Store(writing_database(tmp_path / "test.db"), "me")
    writer = writer_on(store, subscribed=["#"], topic="#", ha_prefix=prefix)
    assert writer.sort([message(b"{}", OUR_CONFIG)]).counts == counts
    store.close()
