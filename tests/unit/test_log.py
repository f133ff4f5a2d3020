import logging
import time
from collections.abc import Callable

import pytest
from loguru import logger

from scheduler_app.formatting import moment_text
from scheduler_app.log import LogLimit, attempt, configure_log, kept_log

LIBRARIES = ("apscheduler", "peewee", "paho", "rumqttd")


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def test_the_first_line_of_each_reason_goes_through() -> None:
    limit = LogLimit(60, Clock())
    assert (limit.allows("a"), limit.allows("b")) == (0, 0)


def test_what_follows_within_the_interval_is_held_back_and_counted() -> None:
    clock = Clock()
    limit = LogLimit(60, clock)
    limit.allows("a")
    for _ in range(3):
        clock.time += 19.9
        assert limit.allows("a") is None
    clock.time = 160.0
    assert limit.allows("b") == 0
    assert limit.allows("a") == 3
    clock.time = 219.9
    assert limit.allows("a") is None
    clock.time = 220.0
    assert limit.allows("a") == 1


def test_a_count_is_told_once() -> None:
    clock = Clock()
    limit = LogLimit(60, clock)
    assert [limit.allows("a"), limit.allows("a")] == [0, None]
    clock.time += 60
    assert limit.allows("a") == 1
    clock.time += 60
    assert limit.allows("a") == 0


@pytest.mark.usefixtures("restored_log")
def test_a_line_has_the_local_time_with_its_offset(
    in_zone: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    in_zone("Asia/Kolkata")
    before = moment_text(time.time())
    configure_log("INFO", role="subscriber")
    logger.info("hello")
    written = capsys.readouterr().err.partition(" | ")[0]
    assert before <= written <= moment_text(time.time())
    assert written.endswith(" +05:30")


@pytest.mark.usefixtures("restored_log")
def test_the_log_goes_to_stderr_with_the_name_of_the_role(capsys: pytest.CaptureFixture[str]) -> None:
    configure_log("INFO", role="subscriber")
    logger.info("hello {}", "{world}")
    logger.debug("not shown")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("| INFO    | subscriber: hello {world}\n")
    assert err.count("\n") == 1


@pytest.mark.usefixtures("restored_log")
def test_the_logs_of_libraries_go_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    configure_log("INFO", role="stats")
    logging.getLogger("paho").warning("lost %s", "{it}")
    logging.getLogger("other").info("hello")
    logging.getLogger("paho").debug("a packet")
    logging.getLogger("apscheduler.executors").info("a job ran")
    logging.getLogger("rumqttd").error("a packet")
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" | ")[2] for line in lines] == [
        "WARNING | stats: paho: lost {it}",
        "INFO    | stats: other: hello",
    ]


@pytest.mark.usefixtures("restored_log")
def test_at_debug_the_details_of_libraries_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    configure_log("DEBUG", role="stats")
    for name in LIBRARIES:
        logging.getLogger(name).debug("a detail")
    assert capsys.readouterr().err.count("a detail") == len(LIBRARIES)


@pytest.mark.usefixtures("restored_log")
def test_a_traceback_of_a_library_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    configure_log("INFO", role="stats")
    try:
        raise ZeroDivisionError("oh")
    except ZeroDivisionError:
        logging.getLogger("other").exception("failed")
    assert "ZeroDivisionError: oh" in capsys.readouterr().err


@pytest.mark.usefixtures("restored_log")
def test_configuring_twice_does_not_tell_everything_twice(capsys: pytest.CaptureFixture[str]) -> None:
    configure_log("INFO", role="a")
    configure_log("INFO", role="b")
    logging.getLogger("other").warning("hello")
    assert capsys.readouterr().err.count("hello") == 1


HOSTILE = "\x1b[2J\nforged line\u202e\x9b\u2028"
ESCAPED = r"\x1b[2J\nforged line\u202e\x9b\u2028"


@pytest.mark.usefixtures("restored_log")
def test_whatever_came_from_outside_is_one_line_without_orders(capsys: pytest.CaptureFixture[str]) -> None:
    configure_log("INFO", role="a")
    logger.info("the topic {}", HOSTILE)
    logging.getLogger("paho").warning("lost %s", HOSTILE)
    assert [line.partition(": ")[2] for line in capsys.readouterr().err.splitlines()] == [
        f"the topic {ESCAPED}",
        f"paho: lost {ESCAPED}",
    ]


@pytest.mark.usefixtures("restored_log")
def test_a_traceback_keeps_its_lines_and_repeats_no_orders(capsys: pytest.CaptureFixture[str]) -> None:
    configure_log("INFO", role="a")
    try:
        raise ValueError(f"no topic: {HOSTILE}")
    except ValueError:
        logger.exception("failed")
    lines = capsys.readouterr().err.rstrip("\n").split("\n")
    assert lines[0].endswith("failed")
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[2].startswith('  File "')
    assert lines[-2].startswith(r"ValueError: no topic: \x1b[2J")
    assert all(line.isprintable() for line in lines)


@pytest.mark.usefixtures("restored_log")
def test_the_log_that_is_kept_while_the_terminal_is_drawn_on_gives_no_orders(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_log("INFO", role="a")
    lines: list[str] = []
    with kept_log(lines, "INFO", "a"):
        logger.info("the topic {}", HOSTILE)
    assert [line.partition(": ")[2] for line in lines] == [f"the topic {ESCAPED}"]
    assert capsys.readouterr().err == f"{lines[0]}\n"


def test_work_that_fails_is_told_once_a_minute_and_the_rest_goes_on(log_lines: list[str]) -> None:
    """A tick publishes averages, counters and series: one failing keeps none of the others back."""
    errors = LogLimit()
    done: list[str] = []

    def fail() -> None:
        raise KeyError("never expected")

    for _ in range(2):
        assert not attempt(errors, "publishing the averages", fail)
        assert attempt(errors, "publishing the series", lambda: done.append("series"))
    assert not attempt(errors, "publishing the counters", fail)
    assert done == ["series", "series"]
    assert [line.partition("\n")[0] for line in log_lines] == [
        "ERROR: publishing the averages failed",
        "ERROR: publishing the counters failed",
    ]
    assert "KeyError: 'never expected'" in log_lines[0]
