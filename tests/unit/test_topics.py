import pytest

from config.topics import check_topic, check_topic_filter, is_at_or_below

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
