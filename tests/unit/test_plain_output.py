import io

import pytest

from scheduler_app.plain_output import print_what_can_be


def printed(text: str, encoding: str) -> str:
    """Return what is printed of a text where the characters are those of `encoding`."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    print_what_can_be(stream, None)
    stream.write(text)
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("plain", "plain"),
        ("▁▂▃▄▅▆▇█", "_.-~=+*#"),
        ("┌─┤•⠒⣀⠀│", "+-+*...|"),
        ("long…name", "long~name"),
        ("Küche °C", "K\\xfcche \\xb0C"),
        ("\U0001f600", "\\U0001f600"),
    ],
)
def test_ascii_gets_what_looks_most_like_it(text: str, plain: str) -> None:
    assert printed(text, "ascii") == plain


def test_what_a_terminal_can_show_stays_as_it_is() -> None:
    assert printed("Küche ▁█", "latin-1") == "Küche _#"
    assert printed("Küche ▁█", "utf-8") == "Küche ▁█"


def test_what_is_no_file_is_left_alone() -> None:
    stream = io.StringIO()
    print_what_can_be(stream)
    stream.write("▁")
    assert stream.getvalue() == "▁"
