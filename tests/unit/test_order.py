import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.console.order import name_key


@pytest.mark.parametrize(
    "names",
    [
        ["room1", "room2", "room10", "room10a", "room11"],
        ["9", "10", "a"],
        ["a", "a/2", "a/10", "b"],
        ["x1y2", "x1y10", "x2y1"],
        ["v1.9", "v1.10", "v2"],
        ["n" + "9" * 5000, "n1" + "0" * 5000],  # more digits than Python turns into a number
    ],
)
def test_numbers_in_names_are_sorted_as_numbers(names: list[str]) -> None:
    assert sorted(sorted(names), key=name_key) == names


@given(st.lists(st.text(max_size=8)))
def test_any_names_have_one_order(names: list[str]) -> None:
    """Whatever they hold, two names are never taken for equal, and never cannot be compared."""
    distinct = set(names)
    assert len({name_key(name) for name in distinct}) == len(distinct)
    assert sorted(sorted(distinct), key=name_key) == sorted(sorted(distinct, reverse=True), key=name_key)
