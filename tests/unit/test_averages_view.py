from collections.abc import Callable
from typing import Any

import pytest

from config.settings import load_settings
from scheduler_app.console import absence
from scheduler_app.console.averages_view import AveragesView, Json, Lines, Printer, Tables
from scheduler_app.console.inbox import Inbox
from tests.unit.messages import NOW, message

AVERAGES = b'{"avg_1min": 46, "avg_5min": 45.7, "avg_30min": 47.17777777777778}'


def printed(
    capsys: pytest.CaptureFixture[str], printer: Printer, *payloads: bytes, retained: int = 0, **options: Any
) -> str:
    """Return what is printed of these messages, of which the first so many were retained."""
    inbox = Inbox()
    for number, payload in enumerate(payloads):
        inbox.put(message(payload, "STATS", retained=number < retained))
    inbox.end()
    AveragesView(load_settings(), inbox, printer, now=lambda: NOW, **options).run()
    return capsys.readouterr().out


def test_lines_have_one_heading_a_time_and_columns_that_stay(capsys: pytest.CaptureFixture[str]) -> None:
    widest = b'{"avg_1min": -1.23456789e-300, "avg_5min": null, "avg_30min": 999999999999999}'
    assert printed(capsys, Lines(), AVERAGES, widest, AVERAGES, retained=1) == (
        "time (UTC)                avg_1min       avg_5min      avg_30min\n"
        "earlier                         46           45.7        47.1778\n"
        "2023-11-14 22:13:20  -1.23457e-300              -          1e+15\n"
        "2023-11-14 22:13:20             46           45.7        47.1778\n"
    )


def test_the_time_is_that_of_the_zone_which_the_heading_names(
    capsys: pytest.CaptureFixture[str], in_zone: Callable[[str], None]
) -> None:
    in_zone("Asia/Kolkata")
    heading, line = printed(capsys, Lines(), b'{"a": 1}').splitlines()
    assert heading.startswith("time (UTC+05:30)   ")
    assert line.startswith("2023-11-15 03:43:20  ")


def test_other_windows_get_another_heading(capsys: pytest.CaptureFixture[str]) -> None:
    other = b'{"avg_1h": 1}'
    lines = printed(capsys, Lines(), AVERAGES, other, other, AVERAGES).splitlines()
    assert [line.startswith("time (") for line in lines] == [True, False, True, False, False, True, False]


def test_a_name_that_is_wider_than_its_numbers_makes_a_wider_column(
    capsys: pytest.CaptureFixture[str],
) -> None:
    heading, line = printed(capsys, Lines(), b'{"average_of_a_long_time": 1, "b": 2}').splitlines()
    assert len(heading) == len(line)
    assert heading.split()[-2:] == ["average_of_a_long_time", "b"]


def test_tables_and_json_are_as_they_have_always_been(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, Tables("simple"), AVERAGES, AVERAGES) == 2 * (
        "  avg_1min    avg_5min    avg_30min\n"
        "----------  ----------  -----------\n"
        "        46        45.7      47.1778\n"
    )
    assert printed(capsys, Json(), AVERAGES).encode() == AVERAGES + b"\n"


@pytest.mark.parametrize("retained", [True, False])
@pytest.mark.parametrize("state", [b"online", b"offline"])
def test_once_tells_of_a_subscriber_that_is_gone(
    monkeypatch: pytest.MonkeyPatch, log_lines: list[str], retained: bool, state: bytes
) -> None:
    """What it has left at the broker may be old; what comes live is not."""
    monkeypatch.setattr(absence, "_PAUSE", 0.0)
    inbox = Inbox()
    inbox.put(message(AVERAGES, "STATS", retained=retained))
    inbox.put(message(state, "STATS/$state", retained=True))
    AveragesView(load_settings(), inbox, Json(), once=True).run()
    told = ["WARNING: the subscriber is offline: there are no newer averages until it is back"]
    assert log_lines == (told if retained and state == b"offline" else [])


def test_once_is_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, Json(), AVERAGES, AVERAGES, once=True).count("avg_1min") == 1
