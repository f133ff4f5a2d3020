import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.text import printable


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
