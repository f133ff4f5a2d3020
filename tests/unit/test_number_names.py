"""What is told of the numbers in a message, when nothing is read of it."""

import json

import pytest

from config.streams import FieldPath
from scheduler_app.intake.number_names import fields_of, number_paths, path_text
from scheduler_app.intake.payload import Reason, Rejected, decode


def rejection(content: object) -> tuple[str, str]:
    with pytest.raises(Rejected) as caught:
        decode(json.dumps(content).encode(), 0.0, 30.0)
    return caught.value.reason, caught.value.detail


def test_a_rejected_object_names_the_numbers_it_has_and_what_to_do() -> None:
    assert rejection({"temperature": 21.5, "humidity": "40", "battery_low": False, "last_seen": 1}) == (
        Reason.NO_NUMBER,
        "has temperature, humidity; name them in STREAMS_FILE, or --value temperature",
    )


def test_an_object_without_numbers_says_what_was_looked_for() -> None:
    for content in ({"state": "on"}, {"ts": 5}, {"a": [1, 2]}, {"a": True}):
        assert rejection(content) == (Reason.NO_NUMBER, "looked for number")


def test_numbers_in_objects_are_named_as_paths_that_lead_to_them() -> None:
    content = {"ENERGY": {"Power": 12, "a.b": 1, "c/d": {"e": 2}}, "$": 3}
    paths = number_paths(content)
    assert paths == ["ENERGY.Power", "/ENERGY/a.b", "ENERGY.c/d.e", "/$"]
    assert [FieldPath.parse(path).find(content) for path in paths] == [12, 1, 2, 3]


def test_six_are_named_and_the_others_counted() -> None:
    content = {f"n{number}": number for number in range(6)}
    assert rejection(content)[1].startswith("has n0, n1, n2, n3, n4, n5; ")
    assert rejection(content | {"n6": 6})[1].startswith("has n0, n1, n2, n3, n4, n5 and 1 more; ")


def test_what_is_too_long_or_gives_orders_to_a_terminal_is_not_named() -> None:
    assert number_paths({"a" * 60: 1, "b" * 61: 1, "\x1b[2J": 1, "c\u202e": 1}) == ["a" * 60]


def test_a_message_with_many_fields_or_levels_takes_no_longer_than_one_with_a_few() -> None:
    assert len(number_paths({str(number): number for number in range(200)})) == 200
    assert len(number_paths({str(number): number for number in range(10_000)})) == 200
    deep: object = {"x": 1}
    for _ in range(7):
        deep = {"a": deep}
    assert number_paths(deep) == ["a.a.a.a.a.a.a.x"]
    assert number_paths({"a": deep}) == []


def test_fields_with_long_names_are_not_looked_at() -> None:
    found = [keys for keys, _ in fields_of({"a" * 200: 1, "b": {"c" * 199: 2}})]
    assert found == [("a" * 200,), ("b", "c" * 199)]
    assert list(fields_of({"a" * 201: 1, "b": {"c" * 200: 2}, "d" * 201: {"e": 1}})) == []


@pytest.mark.parametrize(
    "keys", [("a",), ("a", "b"), ("a.b",), ("",), ("*",), ("a/b", "~"), ("$", "x"), ("x[0]",)]
)
def test_a_path_that_is_written_leads_back(keys: tuple[str, ...]) -> None:
    if all(keys):
        assert FieldPath.parse(path_text(keys)).keys == keys
    else:
        assert [found for found, _ in fields_of({"": 1})] == []
