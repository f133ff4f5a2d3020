"""`$share/GROUP/FILTER` (MQTT 5 section 4.8.2): what comes by it has the topics that FILTER matches."""

import pytest

from config.settings import InvalidSettings, load_settings
from config.topics import check_topic_filter, disjoint, is_at_or_below, is_shared, matches, shared_levels


@pytest.mark.parametrize(
    "shared", ["$share/g/DATA", "$share/g/a/+/#", "$share/g/+", "$share/g//", "$share/g/#"]
)
def test_a_group_and_a_filter_after_share_can_be_subscribed_to(shared: str) -> None:
    assert check_topic_filter(shared) == shared
    assert is_shared(shared)


@pytest.mark.parametrize(
    "wrong", ["$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/g#/a"]
)
def test_share_without_a_group_or_a_filter_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="must name a group and a filter after \\$share, for example"):
        check_topic_filter(wrong)


def test_the_filter_of_a_shared_subscription_is_checked_like_any_other() -> None:
    with pytest.raises(ValueError, match="must have \\+ alone between slashes"):
        check_topic_filter("$share/g/a+")


@pytest.mark.parametrize(
    ("topic", "expected"), [("DATA/1", True), ("DATA", False), ("$share/g/DATA/1", False), ("$SYS/1", False)]
)
def test_what_comes_is_matched_without_the_group(topic: str, expected: bool) -> None:
    assert matches("$share/g/DATA/+", topic) is expected
    assert matches("$share/g/+/+", topic) is expected


def test_a_stream_is_found_by_the_topic_of_its_messages() -> None:
    settings = load_settings({"topic": "$share/g/a/+,b"})
    first, second = settings.streams
    assert settings.streams.of_topic("a/x") is first
    assert settings.streams.of_topic("b") is second


def test_filters_of_one_group_that_overlap_become_one_of_the_group() -> None:
    assert disjoint(["$share/g/a/+", "$share/g/a/b"]) == ("$share/g/a/+",)
    assert disjoint(["$share/g/a", "$share/h/b", "c"]) == ("$share/g/a", "$share/h/b", "c")


@pytest.mark.parametrize("topics", ["$share/g/a/#,a/b", "a/b,$share/g/a/b", "$share/g/a,$share/h/a"])
def test_filters_by_which_a_message_would_come_twice_are_refused(topics: str) -> None:
    with pytest.raises(
        InvalidSettings, match=r"^TOPIC: \S+ and \S+ overlap: a message that both match would come twice"
    ):
        load_settings({"topic": topics})


def test_levels_that_topics_share_are_those_of_the_topics() -> None:
    assert shared_levels(["$share/g/a/b", "a/+"]) == 1


def test_our_own_statistics_are_no_input_of_a_group_either() -> None:
    assert is_at_or_below("$share/g/STATS/x", "STATS")
    with pytest.raises(InvalidSettings, match="must not be at or below STATS_TOPIC"):
        load_settings({"topic": "$share/g/STATS/x"})


def test_nothing_can_be_published_for_a_group() -> None:
    with pytest.raises(InvalidSettings, match=r"must be a topic: \$share/GROUP/ stands before a filter"):
        load_settings({"stats_topic": "$share/g/STATS"})
