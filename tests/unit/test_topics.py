import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.topics import (
    check_topic,
    check_topic_filter,
    disjoint,
    is_at_or_below,
    matches,
    shared_levels,
    unpublishable,
)

NAMES = ["DATA", "a/b/c", "/", "a//b", "/a", "a/", "a b", "müll/temperatur", "$SYS/x", "a" * 65535]
UNUSABLE = ["", "a\0b", "a" * 65536, "ü" * 32768]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_without_wildcards_is_both_a_topic_and_a_filter(name: str) -> None:
    assert check_topic(name) == name
    assert check_topic_filter(name) == name


@pytest.mark.parametrize("wildcards", ["#", "+", "a/#", "+/+", "a/+/b", "+/b/#", "/+", "$SYS/#"])
def test_a_name_with_wildcards_is_a_filter_and_no_topic(wildcards: str) -> None:
    assert check_topic_filter(wildcards) == wildcards
    with pytest.raises(ValueError, match="without the wildcards"):
        check_topic(wildcards)


@pytest.mark.parametrize(
    "wrong", ["a#", "#a", "#/a", "a/#/b", "##", "a+", "+a", "a/b+/c", "++", "+#", "a/#/"]
)
def test_a_wildcard_stands_alone_in_its_level_and_the_hash_last(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"sensors/\+/temp"):
        check_topic_filter(wrong)


@pytest.mark.parametrize("text", UNUSABLE, ids=["empty", "NUL", "65536 letters", "65536 bytes"])
def test_what_mqtt_cannot_carry_is_neither_topic_nor_filter(text: str) -> None:
    with pytest.raises(ValueError, match="1 to 65535 bytes of UTF-8 without NUL"):
        check_topic(text)
    with pytest.raises(ValueError, match="1 to 65535 bytes of UTF-8 without NUL"):
        check_topic_filter(text)


def test_a_lone_surrogate_has_no_utf8_and_is_refused() -> None:
    """An environment variable that is not UTF-8 arrives with these; the client would fail on it later."""
    for check in (check_topic, check_topic_filter):
        with pytest.raises(ValueError, match="1 to 65535 bytes of UTF-8 without NUL"):
            check("sensors/\udcff")


@pytest.mark.parametrize(
    ("topic", "is_below"),
    [
        ("STATS", True),
        ("STATS/", True),
        ("STATS/$state", True),
        ("STATS/a/b", True),
        ("STATS2", False),
        ("STAT", False),
        ("stats", False),
        ("a/STATS", False),
        ("/STATS", False),
        ("DATA", False),
    ],
)
def test_below_a_topic_is_what_follows_it_after_a_slash(topic: str, is_below: bool) -> None:
    assert is_at_or_below(topic, "STATS") is is_below


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/B", False),
        ("a/b", "a/b/", False),
        ("a/b", "a", False),
        ("a", "a/b", False),
        ("sport/tennis/player1/#", "sport/tennis/player1", True),  # the examples of section 4.7.1
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("sport/#", "sports", False),
        ("#", "a", True),
        ("#", "a/b/c", True),
        ("#", "/", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("+", "a", True),
        ("+/b/#", "a/b", True),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("+/#", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("$SYS/#", "$SYS", True),
        ("$SYS/+", "$SYS/x", True),
        ("a/#", "a/$SYS", True),
        ("a/+", "a/$SYS", True),
    ],
)
def test_a_filter_matches_as_mqtt_says(topic_filter: str, topic: str, expected: bool) -> None:
    assert matches(topic_filter, topic) is expected


LEVELS = st.sampled_from(["a", "b", "c", "", "$", "$x"])
TOPICS = st.lists(LEVELS, min_size=1, max_size=4).map("/".join).filter(bool)


@st.composite
def topic_filters(draw: st.DrawFn) -> str:
    levels = draw(st.lists(LEVELS | st.just("+"), max_size=4))
    if not levels or draw(st.booleans()):
        levels.append("#")
    return check_topic_filter("/".join(levels) or "+")


def by_regular_expression(topic_filter: str, topic: str) -> bool:
    """Return whether a filter matches, told in another way."""
    if topic.startswith("$") and topic_filter[0] in "+#":
        return False
    pattern = re.escape(topic_filter).replace(r"\+", "[^/]*")
    pattern = pattern.replace(r"/\#", "(/.*)?").replace(r"\#", ".*")
    return re.fullmatch(pattern, topic) is not None


@given(topic_filters(), TOPICS)
def test_matching_is_what_a_regular_expression_says(topic_filter: str, topic: str) -> None:
    assert matches(topic_filter, topic) is by_regular_expression(topic_filter, topic)


@pytest.mark.parametrize(
    ("asked", "apart"),
    [
        (["a"], ["a"]),
        (["a", "a"], ["a"]),
        (["a", "b"], ["a", "b"]),
        (["#", "a/b"], ["#"]),
        (["a/b", "#"], ["#"]),
        (["a/+", "a/b"], ["a/+"]),
        (["a/#", "a"], ["a/#"]),
        (["a/+/c", "a/b/+"], ["a/+/+"]),
        (["+/b", "a/#"], ["+/#"]),
        (["zigbee2mqtt/+", "tele/+/SENSOR", "home/#"], ["zigbee2mqtt/+", "tele/+/SENSOR", "home/#"]),
        (["$SYS/#", "#"], ["$SYS/#", "#"]),
        (["$SYS/#", "+/x"], ["$SYS/#", "+/x"]),
        (["$SYS/a", "$SYS/+"], ["$SYS/+"]),
        (["a/b", "c/d", "+/b", "c/+"], ["+/+"]),
    ],
)
def test_filters_that_overlap_become_one_that_covers_both(asked: list[str], apart: list[str]) -> None:
    assert sorted(disjoint(asked)) == sorted(apart)


@given(st.lists(topic_filters(), min_size=1, max_size=6), st.lists(TOPICS, max_size=20))
def test_disjoint_filters_match_what_all_did_and_no_topic_twice(asked: list[str], topics: list[str]) -> None:
    """Else a message would be lost, or come twice with nothing to tell the copies apart."""
    apart = disjoint(asked)
    # each filter is a topic too, with a word for its wildcards
    for topic in [*topics, *(each.replace("+", "b").replace("#", "c/d") for each in (*asked, *apart))]:
        found = sum(matches(each, topic) for each in apart)
        assert found <= 1
        assert found == 1 or not any(matches(each, topic) for each in asked)


@given(st.lists(topic_filters(), min_size=1, max_size=6))
def test_disjoint_filters_are_filters_and_no_more_than_were_asked_for(asked: list[str]) -> None:
    apart = disjoint(asked)
    assert 1 <= len(apart) <= len(asked)
    assert [check_topic_filter(each) for each in apart] == list(apart)
    assert sorted(disjoint(apart)) == sorted(apart)


@given(topic_filters(), topic_filters())
def test_what_overlaps_nowhere_stays_as_it_is(one: str, other: str) -> None:
    """Covering more than was asked for costs messages that nobody wants."""
    levels = ["a", "b", "c", "", "$", "$x", "z"]
    topics = ["/".join(each) for depth in range(1, 5) for each in product(levels, repeat=depth)]
    overlap = any(matches(one, topic) and matches(other, topic) for topic in topics)
    if not overlap:
        assert disjoint([one, other]) == (one, other)


@pytest.mark.parametrize("topic", [*NAMES, "/" * 200, "\ufffd", "ü" * 32767])
def test_what_any_broker_takes_can_be_published(topic: str) -> None:
    assert unpublishable(topic) is None


@pytest.mark.parametrize("sign", ["+", "#", "\0", "\x1f", "\x7f", "\x9f", "\ud800", "\ufdd0", "\uffff"])
def test_what_a_broker_may_close_the_connection_for_cannot_be_published(sign: str) -> None:
    assert unpublishable(f"a/{sign}") == f"no topic may hold {sign!a}"
    with pytest.raises(ValueError, match=r"without (the wildcards|control characters)|UTF-8 without NUL"):
        check_topic(f"a/{sign}")


@pytest.mark.parametrize(
    ("topic", "why"),
    [
        ("a" * 65536, "aaaa… has 65536 bytes, 1 to 65535 are allowed in a topic"),
        ("ü" * 32768, "üüüü… has 65536 bytes, 1 to 65535 are allowed in a topic"),
        ("/" * 201, "////… has more than 201 levels"),
        ("", "… has 0 bytes, 1 to 65535 are allowed in a topic"),
    ],
)
def test_a_topic_that_is_too_long_cannot_be_published(topic: str, why: str) -> None:
    found = unpublishable(topic)
    assert found is not None
    assert found.endswith(why)


@pytest.mark.parametrize(
    ("topic_filters", "levels"),
    [
        (["#"], 0),
        (["+/x"], 0),
        (["DATA"], 1),
        (["zigbee2mqtt/+"], 1),
        (["home/#", "home/attic/+"], 1),
        (["a/b/+", "a/b/#", "a/b"], 2),
        (["a/b", "a/c"], 1),
        (["zigbee2mqtt/+", "home/#"], 0),
        (["+/a", "+/a"], 0),
        (["/a/#"], 2),
    ],
)
def test_levels_that_all_topics_share_are_those_before_any_wildcard(
    topic_filters: list[str], levels: int
) -> None:
    assert shared_levels(topic_filters) == levels
