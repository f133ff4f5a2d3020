import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.text import listed, printable, shortened


@pytest.mark.parametrize("text", ["", "plain text", "größe °C 温度", "with \\ backslash"])
def test_what_can_be_printed_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\\nb"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\0b", "a\\x00b"),
        ("\u2028", "\\u2028"),
        ("\udcff", "\\udcff"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("a\u200bb", "a\\u200bb"),
        ("\ufeff", "\\ufeff"),
        ("a\u3164", "a\\u3164"),
        ("a\ufe0f", "a\\ufe0f"),
        ("a\U000e0100", "a\\U000e0100"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_cannot_be_printed_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters()))
def test_whatever_the_text_it_is_one_line_of_utf8(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(f"x{shown}x".splitlines()) == 1
    shown.encode()


# By the Unicode standard: those that turn the direction of writing (UAX #9), and all of no width.
_DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_NO_WIDTH = "\u00ad\u034f\u180e\u200b\u200c\u200d\u2060\u2061\u2064\u206a\u206f\ufeff\ufff9\ufffb\U000e0001"
_CONTROLS = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0)))) + "\u2028\u2029"


@pytest.mark.parametrize("character", _DIRECTIONS + _NO_WIDTH + _CONTROLS, ids=ascii)
def test_no_character_that_acts_without_being_seen_gets_through(character: str) -> None:
    assert printable(f"a{character}b").isascii()
    assert printable(f"a{character}b").isprintable()


@given(st.text(st.characters()))
def test_what_has_been_made_printable_stays_as_it_is(text: str) -> None:
    assert printable(printable(text)) == printable(text)


@pytest.mark.parametrize(
    ("text", "longest", "shown"),
    [("", 5, ""), ("abcde", 5, "abcde"), ("abcdef", 5, "ab…ef"), ("abcdefg", 6, "abc…fg"), ("ab", 1, "…")],
)
def test_what_is_too_long_is_cut_in_its_middle(text: str, longest: int, shown: str) -> None:
    assert shortened(text, longest) == shown
    assert len(shown) <= longest


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, ""),
        (1, "0"),
        (5, "0, 1, 2, 3, 4"),
        (6, "0, 1, 2, 3, 4 and 1 more"),
        (10_000, "0, 1, 2, 3, 4 and 9995 more"),
    ],
)
def test_of_many_names_the_first_are_listed(count: int, expected: str) -> None:
    assert listed([*map(str, range(count))]) == expected


def test_so_many_names_are_listed_as_is_said() -> None:
    assert listed(["a", "b"], 2) == "a, b"
    assert listed(["a", "b"], 1) == "a and 1 more"
