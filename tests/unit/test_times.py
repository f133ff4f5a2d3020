"""When a reading was taken, as its message says it."""

from datetime import datetime
from pathlib import Path

import pytest

from config import stream_values
from scheduler_app.intake.payload import Reason
from tests.unit.stream_reading import ARRIVED, refusal, rejection, says_nothing, time_of, utc


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "streams.toml"


TASMOTA = 'value = "ENERGY.Power"\ntime = "Time"\ntime_format = "iso8601"'


def tasmota(time: str) -> dict[str, object]:
    return {"Time": time, "ENERGY": {"Power": 12}}


@pytest.mark.parametrize(
    ("zone", "sent", "time"),
    [
        ("Europe/Berlin", "2026-11-26T20:47:29", utc(2026, 11, 26, 19, 47, 29)),
        ("Europe/Berlin", "2026-06-26T20:47:29", utc(2026, 6, 26, 18, 47, 29)),  # in summer
        ("America/Denver", "2026-11-26T12:47:29", utc(2026, 11, 26, 19, 47, 29)),
        ("Europe/Berlin", "2026-11-26T19:47:29Z", utc(2026, 11, 26, 19, 47, 29)),  # it says its own
        ("Europe/Berlin", "2026-11-26T20:47:29+01:00", utc(2026, 11, 26, 19, 47, 29)),
        ("UTC", "2026-11-26T19:47:29", utc(2026, 11, 26, 19, 47, 29)),
    ],
)
def test_a_time_without_an_offset_is_in_the_zone_of_its_stream(
    path: Path, zone: str, sent: str, time: float
) -> None:
    text = f'{TASMOTA}\ntime_zone = "{zone}"'
    assert time_of(path, text, tasmota(sent)) == time


@pytest.mark.parametrize("minutes", [1, 30, 59, 61, 90, 119])
def test_the_hour_that_comes_twice_is_the_nearer_one(path: Path, minutes: int) -> None:
    """In Berlin 2026-10-25 02:00 to 03:00 comes at 00:00 UTC, and once more at 01:00 UTC."""
    text = f'{TASMOTA}\ntime_zone = "Europe/Berlin"'
    sent = f"2026-10-25T02:{minutes % 60:02}:00"
    time = utc(2026, 10, 25) + 60 * minutes
    assert time_of(path, text, tasmota(sent), arrived=time + 2) == time


def test_the_zone_may_be_that_of_the_machine(path: Path) -> None:
    local = datetime.fromtimestamp(ARRIVED - 1)  # noqa: DTZ006 - that is what is meant
    text = f'{TASMOTA}\ntime_zone = "local"'
    assert time_of(path, text, tasmota(local.isoformat())) == ARRIVED - 1


@pytest.mark.parametrize(
    ("said", "factor", "is_in"),
    [("ms", 1e6, "microseconds"), ("ms", 1e9, "nanoseconds"), ("us", 1e9, "nanoseconds")],
)
def test_a_time_in_a_smaller_unit_than_the_stream_says_is_told(
    path: Path, said: str, factor: float, is_in: str
) -> None:
    sent = {"number": 1, "t": ARRIVED * factor}
    assert rejection(path, f'time = "t"\ntime_format = "{said}"', sent) == (
        Reason.TOO_FAR_AHEAD,
        f"looks like {is_in}",
    )


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "Europe", "/etc/localtime"])
def test_a_zone_that_is_none_is_told(path: Path, zone: str) -> None:
    line = refusal(path, f'{TASMOTA}\ntime_zone = "{zone}"')
    assert line == f"line 6: time_zone = {zone} must be a time zone such as Europe/Berlin, or local"


def test_a_machine_that_knows_no_zones_is_told_what_to_install(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_values, "available_timezones", set)
    line = refusal(path, f'{TASMOTA}\ntime_zone = "Mars/Olympus"')
    assert "needs the time zones of the world, which this machine does not have: install tzdata" in line


def test_a_zone_is_for_dates(path: Path) -> None:
    for time_format in ("", 'time_format = "ms"\n'):
        line = refusal(path, f'time = "t"\n{time_format}time_zone = "Europe/Berlin"')
        assert "time_zone needs a time_format for a date and a time, such as iso8601" in line
    assert "time_zone needs time, which says" in refusal(path, 'time_zone = "Europe/Berlin"')


@pytest.mark.parametrize(
    ("sent", "hint"),
    [
        ("2026-11-26T20:47:29", "about 1 h ahead: a local time? set time_zone"),
        ("2026-11-27T01:17:20", "about 5.5 h ahead: a local time? set time_zone"),
        ("2026-11-27T09:47:30", "about 14 h ahead: a local time? set time_zone"),
        ("2026-11-26T20:52:30", "about 1 h ahead: a local time? set time_zone"),
        ("2026-11-26T20:52:31", "3871 s more than allowed"),
        ("2026-11-27T10:17:30", "52170 s more than allowed"),
        ("2026-11-26T20:47:29+00:00", "3569 s more than allowed"),  # it says itself that it is no local time
    ],
)
def test_a_time_that_is_ahead_by_hours_is_probably_local(path: Path, sent: str, hint: str) -> None:
    assert rejection(path, TASMOTA, tasmota(sent)) == (Reason.TOO_FAR_AHEAD, hint)


def test_a_zone_that_is_not_right_is_told_too(path: Path) -> None:
    text = f'{TASMOTA}\ntime_zone = "Europe/London"'
    assert rejection(path, text, tasmota("2026-11-26T20:47:29")) == (
        Reason.TOO_FAR_AHEAD,
        "about 1 h ahead: is time_zone right?",
    )


@pytest.mark.parametrize(
    ("time_format", "sent"),
    [
        ("iso8601", "2026-11-26 19:47:00"),
        ("%d.%m.%Y %H:%M", "26.11.2026 19:47"),
        ("%d.%m.%Y %H:%M", "26.11.2026  19:47"),
        ("%Y-%m-%d %H:%M:%S", "2026-11-26 19:47:00"),
        ("%m/%d/%y %I:%M %p", "11/26/26 07:47 PM"),
        ("%Y%m%d%H%M%S", "20261126194700"),
        ("%Y-%m-%d %H:%M:%S %z", "2026-11-26 20:47:00 +0100"),
        ("rfc2822", "Thu, 26 Nov 2026 20:47:00 +0100"),
        ("rfc2822", "Thu, 26 Nov 2026 19:47:00 GMT"),
        ("rfc2822", "26 Nov 2026 19:47 -0000"),
    ],
)
def test_a_time_may_be_written_in_many_ways(path: Path, time_format: str, sent: str) -> None:
    text = f'value = "v"\ntime = "t"\ntime_format = "{time_format}"'
    assert time_of(path, text, {"v": 1, "t": sent}) == utc(2026, 11, 26, 19, 47)


@pytest.mark.parametrize("sent", ["soon", "", "26.11.2026", 5, True, [], "2" * 65, "31.02.2026 10:00"])
def test_a_time_of_another_form_is_told(path: Path, sent: object) -> None:
    for time_format, said in (
        ("%d.%m.%Y %H:%M", "not of the form %d.%m.%Y %H:%M"),
        ("rfc2822", "not RFC 2822"),
    ):
        text = f'value = "v"\ntime = "t"\ntime_format = "{time_format}"'
        reason, detail = rejection(path, text, {"v": 1, "t": sent})
        assert (reason, detail.split(",")[0]) == (Reason.BAD_TIME, said)


@pytest.mark.parametrize(
    "time_format", ["%H:%M", "%d.%m. %H:%M", "%Y-%m-%d", "%Q", "%", "%Y %j %I:%M", "date"]
)
def test_a_pattern_that_tells_no_date_and_time_is_refused(path: Path, time_format: str) -> None:
    line = refusal(path, f'time = "t"\ntime_format = "{time_format}"')
    assert line.startswith(
        f"line 4: time_format = {time_format} must be one of s, ms, us, ns, iso8601, rfc2822"
    )


@pytest.mark.parametrize("sent", [0, 1.5, "1970-01-01T00:00:01", "soon", 978307199, True, "", 5e9, "1e999"])
def test_an_impossible_time_may_be_that_of_arrival(path: Path, sent: object) -> None:
    time_format = "iso8601" if isinstance(sent, str) and "-" in sent else "s"
    text = f'value = "v"\ntime = "t"\ntime_format = "{time_format}"\nbad_time = "arrival"'
    assert time_of(path, text, {"v": 1, "t": sent}) == ARRIVED
    if sent not in (0, 1.5, "1970-01-01T00:00:01", 978307199):
        assert rejection(path, text.replace("arrival", "reject"), {"v": 1, "t": sent})


def test_a_time_that_can_be_stays_as_it_is(path: Path) -> None:
    assert time_of(path, 'bad_time = "arrival"', {"number": 1, "epochtime": 978307200}) == 978307200
    assert time_of(path, 'bad_time = "arrival"', {"number": 1, "epochtime": 978307199}) == ARRIVED


@pytest.mark.parametrize(("spaces", "read"), [(33, True), (34, False)])
def test_a_date_may_be_so_long_and_no_longer(path: Path, spaces: int, read: bool) -> None:
    text = 'value = "v"\ntime = "t"\ntime_format = "rfc2822"'
    sent = {"v": 1, "t": f"Thu, 26 Nov 2026 20:47:00 +0100{' ' * spaces}"}
    if read:
        assert time_of(path, text, sent) == utc(2026, 11, 26, 19, 47)
    else:
        assert rejection(path, text, sent)[0] == Reason.BAD_TIME


def test_a_bad_time_of_a_message_without_readings_is_no_error(path: Path) -> None:
    assert says_nothing(path, TASMOTA, {"Time": "2026-11-26T20:47:29", "WIFI": {"RSSI": 70}})
    assert rejection(path, TASMOTA, {"Time": "soon", "ENERGY": {"Power": True}}) == (
        Reason.BOOLEAN,
        "ENERGY/Power",
    )
    assert says_nothing(path, f'{TASMOTA}\nseries = "{{topic}}"', {"Time": "soon", "ENERGY": {}})
