"""What needs no broker; the rest is in the integration tests."""

import select
import threading
from collections.abc import Callable

import pytest

from config.settings import load_settings
from scheduler_app.mqtt import IngestSession
from tests.support.waiting import TIMEOUT
from tests.unit.test_bypass import scripted

# Seconds. Nobody waits so long: a test that needs a wake must not end without one.
FOR_EVER = 86_400.0


def returns(work: Callable[[], object]) -> bool:
    """Whether `work` comes to its end, which is awaited in another thread, or the test would hang."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    return not thread.is_alive()


def is_awake(session: IngestSession) -> bool:
    """Whether the next wait would end at once."""
    return bool(select.select([session._wakened], [], [], 0)[0])


def test_a_session_can_be_woken_when_it_is_over() -> None:
    """Whoever stops the loop cannot know whether it has ended by itself a moment before."""
    session = IngestSession(load_settings(), ["DATA"])
    session.disconnect()
    session.wake()


def test_a_session_that_is_made_has_connected_to_nothing() -> None:
    session = IngestSession(load_settings(), ["DATA"])
    assert not session.connected
    assert not session.subscribed
    session.disconnect()


def test_waking_ends_the_next_sleep_at_once() -> None:
    session = IngestSession(load_settings(), ["DATA"])
    for _ in range(10_000):  # more than fit into a socket
        session.wake()
    assert returns(lambda: session.sleep(FOR_EVER))
    session.disconnect()


def test_waking_ends_the_wait_for_messages_too() -> None:
    with scripted() as broker:
        broker.session.wake()
        assert returns(lambda: broker.session.receive(1000, FOR_EVER))


def test_a_wake_ends_one_wait_and_not_those_after_it() -> None:
    """Or the loop would never wait again, and take a whole core."""
    with scripted() as broker:
        session = broker.session
        for wait in (lambda: session.sleep(FOR_EVER), lambda: session.receive(1000, FOR_EVER)):
            session.wake()
            assert is_awake(session)
            assert returns(wait)
            assert not is_awake(session)


def test_a_broker_that_does_not_answer_is_one_line(log_lines: list[str]) -> None:
    session = IngestSession(load_settings({"broker": "127.0.0.1:1"}), ["DATA"])
    assert not session.connect()
    assert not session.connect()
    session.disconnect()
    assert log_lines == [
        "WARNING: no broker answers at 127.0.0.1:1: Connection refused; trying again until it works"
    ]


@pytest.mark.parametrize("password", ["geheim", "ge:h@im"])
def test_a_broker_that_does_not_answer_is_told_without_the_password(
    log_lines: list[str], password: str
) -> None:
    session = IngestSession(
        load_settings({"broker": f"mqtt://user:{password.replace('@', '%40')}@127.0.0.1:1"}), ["DATA"]
    )
    assert not session.connect()
    session.disconnect()
    assert len(log_lines) == 1
    assert password not in log_lines[0]
