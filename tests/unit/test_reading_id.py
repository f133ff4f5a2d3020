"""The id of a reading, as it is taken from a payload: what differs stays different."""

import json

import pytest

from scheduler_app.intake.payload import decode

LONGEST = 64


def id_of(content: object) -> str | None:
    """Return the id of a reading whose payload has `content` as its `id`."""
    return decode(json.dumps({"number": 1, "id": content}).encode(), 0.0, 30.0).reading_id


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a-17", "a-17"),
        ("x" * LONGEST, "x" * LONGEST),
        (" ", " "),
        ("17", "17"),
        (17, "17"),
        (-1, "-1"),
        (0, "0"),
        (17.0, "17"),  # as Lua, and some that pack numbers, write whole numbers
        (-0.0, "0"),
        (2.0**53 - 1, "9007199254740991"),
    ],
)
def test_an_id_that_is_short_and_plain_is_kept_as_it_is(content: object, text: str) -> None:
    assert id_of(content) == text


@pytest.mark.parametrize("content", ["x" * (LONGEST + 1), "é", "#x", "\ud800", "#"])
def test_any_other_id_is_a_digest_which_no_plain_id_can_be(content: str) -> None:
    digest = id_of(content)
    assert digest is not None
    assert digest.startswith("#")
    assert len(digest) == 1 + 32
    assert digest == id_of(content)
    assert digest != id_of(content + "y")
    assert id_of(digest) != digest


@pytest.mark.parametrize("content", [None, "", True, False, 1.5, 2.0**53, ["a"], {"a": 1}])
def test_what_names_nothing_is_no_id(content: object) -> None:
    assert id_of(content) is None
