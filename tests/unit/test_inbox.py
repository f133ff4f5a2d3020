from queue import Empty

import pytest

from scheduler_app.console.inbox import Inbox
from scheduler_app.publishing.messages import SERIES_BYTES
from tests.unit.messages import message


def taken(inbox: Inbox) -> list[bytes]:
    inbox.end()
    payloads = []
    while (each := inbox.get()) is not None:
        payloads.append(each.payload)
    return payloads


def test_messages_come_out_in_order_and_then_the_end() -> None:
    inbox = Inbox()
    for payload in (b"1", b"2"):
        inbox.put(message(payload))
    assert taken(inbox) == [b"1", b"2"]


def test_one_that_is_empty_says_so_after_a_while() -> None:
    with pytest.raises(Empty):
        Inbox().get(timeout=0)


def test_a_nudge_wakes_who_waits_and_is_no_message() -> None:
    inbox = Inbox()
    inbox.nudge()
    inbox.put(message(b"1"))
    with pytest.raises(Empty):
        inbox.get()
    assert taken(inbox) == [b"1"]


def test_no_more_messages_wait_than_may(log_lines: list[str]) -> None:
    inbox = Inbox(most_messages=2)
    for payload in (b"1", b"2", b"3", b"4"):
        inbox.put(message(payload))
    assert taken(inbox) == [b"1", b"2"]
    assert log_lines == ["WARNING: messages come faster than they can be shown: some are left out"]


def test_no_more_bytes_wait_than_may_and_room_comes_back(log_lines: list[str]) -> None:
    inbox = Inbox(most_bytes=2 * len(b"1DATA"))
    for payload in (b"1", b"2", b"3"):
        inbox.put(message(payload))
    assert inbox.get() == message(b"1")
    inbox.put(message(b"4"))
    assert taken(inbox) == [b"2", b"4"]
    assert len(log_lines) == 1


def test_what_is_too_large_for_any_message_of_a_subscriber_is_left_out(log_lines: list[str]) -> None:
    inbox = Inbox()
    inbox.put(message(b"x" * SERIES_BYTES))
    inbox.put(message(b"x" * (SERIES_BYTES + 1)))
    assert [len(payload) for payload in taken(inbox)] == [SERIES_BYTES]
    assert log_lines == ["WARNING: messages larger than 262144 bytes are not shown"]
