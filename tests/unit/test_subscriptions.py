from pathlib import Path

import pytest

from config.settings import load_settings
from models.storage.errors import StoreUnavailable
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.store import Store
from scheduler_app.subscriber.subscriptions import Subscriptions, shared
from tests.unit.rows import locked


def start(store: Store, topics: str) -> Subscriptions:
    """Return the subscriptions of a subscriber that starts with this TOPIC."""
    return Subscriptions(load_settings({"topic": topics}).streams, store)


def test_what_is_wanted_is_noted_before_it_is_subscribed_to(store: Store) -> None:
    """A crash just after the SUBSCRIBE must not leave a subscription that nobody knows of."""
    subscriptions = start(store, "a,b/#")
    assert subscriptions.wanted == ("a", "b/#")
    assert subscriptions.unwanted == ()
    assert store.subscriptions() == {"a", "b/#"}


def test_what_is_no_longer_named_is_unwanted_until_the_broker_has_taken_it(store: Store) -> None:
    start(store, "a,b,c").settle()
    for _ in range(2):  # a start that never reached the broker changes nothing
        subscriptions = start(store, "b,d")
        assert subscriptions.wanted == ("b", "d")
        assert subscriptions.unwanted == ("a", "c")
        assert store.subscriptions() == {"a", "b", "c", "d"}
    assert subscriptions.settle() is False  # as a task there is no more to do
    assert subscriptions.unwanted == ()
    assert store.subscriptions() == {"b", "d"}
    assert start(store, "b,d").unwanted == ()


def test_what_two_starts_have_left_over_is_unwanted(store: Store) -> None:
    start(store, "a")
    start(store, "b")
    subscriptions = start(store, "c")
    assert subscriptions.unwanted == ("a", "b")
    subscriptions.settle()
    assert store.subscriptions() == {"c"}


def test_what_is_named_again_is_wanted_again(store: Store) -> None:
    start(store, "a,b")
    start(store, "a")
    assert start(store, "a,b").unwanted == ()


def test_the_same_subscriptions_write_nothing(store: Store, path: Path) -> None:
    start(store, "a,b").settle()
    store.close()
    with locked(path):
        subscriptions = start_reading_only(path, "a,b")
        subscriptions.settle()


def start_reading_only(path: Path, topics: str) -> Subscriptions:
    """Start where nothing can be written; reading takes the write lock as well, so it is done before."""

    class Known(Store):
        def subscriptions(self) -> set[str]:
            return {"a", "b"}

    return start(Known(writing_database(path), "me"), topics)


def test_a_locked_database_is_told(store: Store, path: Path) -> None:
    with locked(path), pytest.raises(StoreUnavailable):
        start(store, "a")
    subscriptions = start(store, "a")
    start(store, "b")
    subscriptions = start(store, "b")
    with locked(path), pytest.raises(StoreUnavailable):
        subscriptions.settle()
    assert subscriptions.unwanted == ("a",)
    assert store.subscriptions() == {"a", "b"}
    subscriptions.settle()
    assert store.subscriptions() == {"b"}


def test_filters_that_overlap_are_one_subscription_and_a_line_of_the_log(
    store: Store, log_lines: list[str]
) -> None:
    """A broker may send a message once for each filter that matches it."""
    assert start(store, "a/+/c,a/b/+,x").wanted == ("a/+/+", "x")
    assert log_lines == [
        "INFO: ['a/+/c', 'a/b/+', 'x'] overlap: subscribing to ['a/+/+', 'x'], so that no message comes twice"
    ]


def test_filters_that_do_not_overlap_or_hold_one_another_are_nothing_to_tell(
    store: Store, log_lines: list[str]
) -> None:
    assert start(store, "a,b/+").wanted == ("a", "b/+")
    assert start(store, "a,#,a").wanted == ("#",)
    assert log_lines == []


def test_a_filter_that_covers_an_old_one_ends_it(store: Store) -> None:
    """Both together would bring each message twice."""
    start(store, "a/b").settle()
    subscriptions = start(store, "a/+")
    assert (subscriptions.wanted, subscriptions.unwanted) == (("a/+",), ("a/b",))


def test_members_share_what_is_on_all_topics(store: Store) -> None:
    """But for a filter that names a group already; what overlaps is covered within the group."""
    streams = load_settings({"topic": "a,b/#,b/c,$share/h/d"}).streams
    subscriptions = Subscriptions(streams, store, "g")
    assert subscriptions.wanted == ("$share/g/a", "$share/g/b/#", "$share/h/d")
    assert store.subscriptions() == set(subscriptions.wanted)


def test_who_shares_no_more_is_unsubscribed_from_what_was_shared(store: Store) -> None:
    """And the other way round: nothing comes by both."""
    streams = load_settings({"topic": "a"}).streams
    Subscriptions(streams, store, "g").settle()
    assert Subscriptions(streams, store).unwanted == ("$share/g/a",)
    Subscriptions(streams, store).settle()
    assert Subscriptions(streams, store, "g").wanted == ("$share/g/a",)


def test_without_a_group_a_filter_is_as_it_is() -> None:
    assert shared("a/#", None) == "a/#"
