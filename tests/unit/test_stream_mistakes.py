"""Stream files that are valid, and would read nothing: told with the line and what was meant."""

from pathlib import Path

import pytest

from config.streams import InvalidStreams, load_streams
from tests.unit.stream_reading import (
    WINDOWS,
    refusal,
    values,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "streams.toml"


def test_several_topics_are_read_in_the_same_way(path: Path) -> None:
    path.write_text('[[stream]]\ntopic = ["a/x", "b/+", "c,d"]\nvalue = "t"\nwindows = "2h"')
    streams = load_streams(path, WINDOWS, 2100.0, "STATS")
    assert [stream.topic for stream in streams] == ["a/x", "b/+", "c,d"]
    assert {(stream.values, stream.retention) for stream in streams} == {(streams[0].values, 7500.0)}


def test_a_topic_that_looks_like_a_list_is_told(path: Path) -> None:
    assert refusal(path, 'topic = "a/x, b/y"') == (
        'line 2: topic = a/x, b/y must be a list if these are several: ["a/x", "b/y"]; '
        'if it is one, ["a/x, b/y"]'
    )


@pytest.mark.parametrize(
    ("first", "second", "hidden"),
    [
        ("a/b", "a/b", True),
        ("a/+", "a/b", True),
        ("a/#", "a", True),
        ("#", "a/+/c", True),
        ("a/#", "a/+", True),
        ("a/b", "a/+", False),
        ("a/+", "+/b", False),
        ("a/+", "a/#", False),
        ("#", "$SYS/x", False),
    ],
)
def test_a_stream_that_never_gets_a_message_is_told(
    path: Path, first: str, second: str, hidden: bool
) -> None:
    path.write_text(f'[[stream]]\ntopic = "{first}"\n\n[[stream]]\nvalue = "t"\ntopic = "{second}"')
    if not hidden:
        assert len(load_streams(path, WINDOWS, 2100.0, "STATS")) == 2
        return
    with pytest.raises(InvalidStreams) as caught:
        load_streams(path, WINDOWS, 2100.0, "STATS")
    assert str(caught.value) == (
        f"{path}, line 6: topic = {second} never gets a message: {first} in line 2 matches all of it, "
        "and a topic belongs to the first stream that matches. Name several fields in one stream: "
        'value = ["a", "b"]; put an exception before the rule'
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("$.temperature", "must be temperature in a dotted path; a key that is spelled so is /$.temperature"),
        ("temp[0]", "must be temp.0 in a dotted path; a key that is spelled so is /temp[0]"),
        ("$.a[0].b", "must be a.0.b in a dotted path"),
        ("$", "must be . in a dotted path"),
        ("meters.*.E", "must lead to one field. For a list, or an object with many: each says"),
        ("meters[*].E", "must lead to one field. For a list, or an object with many: each says"),
    ],
)
def test_what_looks_like_json_path_is_told_with_what_was_meant(path: Path, written: str, meant: str) -> None:
    for key in ("value", "time"):
        assert meant in refusal(path, f'{key} = "{written}"')


def test_a_key_that_is_spelled_like_json_path_can_be_named(path: Path) -> None:
    payload = {"$": {"a": 1}, "temp[0]": 2, "*": 3, "$t": 4}
    text = 'value = ["/$/a", "/temp[0]", "/*", "$t"]'
    assert list(values(path, text, payload).values()) == [1.0, 2.0, 3.0, 4.0]


def test_a_stream_file_may_begin_with_a_byte_order_mark(path: Path) -> None:
    path.write_bytes(b'\xef\xbb\xbf[[stream]]\ntopic = "a"\nwindows = 3')
    with pytest.raises(InvalidStreams, match="line 3: windows = 3 must be"):
        load_streams(path, WINDOWS, 2100.0, "STATS")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (f'"{"x" * 200}"', "x" * 200),
        (f'"{"x" * 201}"', f"{'x' * 100}…{'x' * 99}"),
        (f"0x{'f' * 5000}", "a number of thousands of digits"),
        (f"[0x{'f' * 5000}]", "a number of thousands of digits"),
    ],
)
def test_a_value_that_is_very_long_is_not_told_as_a_whole(path: Path, written: str, shown: str) -> None:
    assert refusal(path, f"unit = {written}").startswith(f"line 3: unit = {shown} must be a text")
