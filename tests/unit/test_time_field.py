"""Which field of messages is their time, and how it is written."""

from collections.abc import Callable

import pytest

from scheduler_app.trial.observed import Sample
from scheduler_app.trial.time_field import TimeField, find_time

# 2026-11-26 19:47:30 UTC
ARRIVED = 1_795_722_450.0


def found(*values: object, name: str = "time", is_old: bool = False) -> tuple[TimeField | None, str]:
    return find_time({(name,): [Sample(value, ARRIVED, is_old) for value in values]}, 30.0, 2100.0)


def form(*values: object, is_old: bool = False) -> tuple[str, str | None]:
    time, remark = found(*values, is_old=is_old)
    assert time is not None
    assert remark == ""
    return time.time_format, time.time_zone


@pytest.mark.parametrize(
    ("value", "time_format"),
    [
        (ARRIVED, "s"),
        (str(ARRIVED), "s"),
        (ARRIVED * 1e3, "ms"),
        (ARRIVED * 1e6, "us"),
        (int(ARRIVED) * 10**9, "ns"),
        ("2026-11-26T19:47:29Z", "iso8601"),
        ("2026-11-26T20:47:29+01:00", "iso8601"),
        ("Thu, 26 Nov 2026 19:47:29 GMT", "rfc2822"),
        ("2026-11-26 19:47:29", "iso8601"),
        ("26.11.2026 19:47:29", "%d.%m.%Y %H:%M:%S"),
        ("26.11.2026 19:47", "%d.%m.%Y %H:%M"),
        ("19:47:29 26/11/2026", "%H:%M:%S %d/%m/%Y"),
    ],
)
def test_the_format_is_the_one_by_which_the_time_is_near_the_arrival(value: object, time_format: str) -> None:
    assert form(value) == (time_format, None)


def test_a_time_without_an_offset_is_local_where_only_that_fits(in_zone: Callable[[str], None]) -> None:
    in_zone("Europe/Berlin")
    assert form("2026-11-26T20:47:29") == ("iso8601", "local")
    assert form("2026-11-26T19:47:29") == ("iso8601", None)


def test_one_that_is_old_is_taken_for_local_since_nothing_tells() -> None:
    assert form("2026-11-25T20:47:29", is_old=True) == ("iso8601", "local")
    assert form("2026-11-25T20:47:29Z", is_old=True) == ("iso8601", None)
    assert form(ARRIVED - 1e6, is_old=True) == ("s", None)


def test_an_old_copy_from_the_future_has_no_time() -> None:
    assert form(ARRIVED + 30, is_old=True) == ("s", None)
    assert found(ARRIVED + 31, is_old=True) == (None, "")


def test_a_local_time_of_elsewhere_is_not_used_and_told() -> None:
    time, remark = found("2026-11-26T12:47:29")
    assert time is None
    assert remark == (
        "time is about 7 h behind: a local time? set time_zone. As it is, readings have the time at which "
        "they come"
    )


def test_a_clock_that_is_wrong_is_not_used_and_told() -> None:
    time, remark = found(ARRIVED - 2101)
    assert time is None
    assert remark.startswith("time is 2101 s behind. ")


@pytest.mark.parametrize(
    ("early", "late", "use_early"), [(30.0, -2099.0, True), (31.0, 0.0, False), (0.0, -2100.0, False)]
)
def test_a_time_is_used_within_what_the_subscriber_takes(early: float, late: float, use_early: bool) -> None:
    time, _ = found(ARRIVED + early, ARRIVED + late)
    assert (time is not None) == use_early


@pytest.mark.parametrize(("seconds", "zone"), [(299, None), (301, "none")])
def test_a_time_without_an_offset_must_be_nearer(seconds: int, zone: str | None) -> None:
    minute, second = divmod(47 * 60 + 30 - seconds, 60)
    time, _ = found(f"2026-11-26T19:{minute:02}:{second:02}")
    assert (time is None) == (zone == "none")


def test_a_field_is_a_time_by_its_name_and_by_all_its_values() -> None:
    assert found(ARRIVED, name="value") == (None, "")
    assert found(ARRIVED, "soon") == (None, "")
    assert found(5) == (None, "")
    assert found(None) == (None, "")
    assert form(ARRIVED, None) == ("s", None)


def test_the_first_field_that_fits_is_taken() -> None:
    samples: dict[tuple[str, ...], list[Sample]] = {
        ("created",): [Sample(5, ARRIVED, False)],
        ("time",): [Sample(ARRIVED, ARRIVED, False)],
        ("ts",): [Sample(ARRIVED, ARRIVED, False)],
    }
    assert find_time(samples, 30.0, 2100.0) == (TimeField(("time",), "s", None), "")
