from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.packets import Message
from scheduler_app.redelivery import Redeliveries
from tests.unit.messages import message

# Few packet ids and contents, so that ids come round again, with the same content and with another.
MESSAGES = st.builds(
    message,
    st.sampled_from([b"21.5", b"22"]),
    st.sampled_from(["a", "b"]),
    packet_id=st.integers(1, 8),
)
DELIVERIES = st.lists(
    st.lists(MESSAGES, max_size=5, unique_by=lambda message: message.packet_id), max_size=15
)


def again(message: Message) -> Message:
    """Return `message` as the broker sends it a second time."""
    return message._replace(duplicate=True)


def deliver(redeliveries: Redeliveries, messages: Sequence[Message]) -> tuple[int, bytes]:
    """Record a delivery; return what a database would keep of it."""
    stored = redeliveries.latest + 1, redeliveries.encode(messages)
    redeliveries.record(*stored)
    return stored


def remembering(*messages: Message) -> Redeliveries:
    redeliveries = Redeliveries()
    deliver(redeliveries, messages)
    return redeliveries


def all_messages() -> list[Message]:
    return [
        message(payload, topic, duplicate=True, packet_id=packet_id)
        for payload in (b"21.5", b"22")
        for topic in "ab"
        for packet_id in range(1, 9)
    ]


def test_a_message_that_was_recorded_is_known_when_it_comes_again() -> None:
    first = message(b"21.5", packet_id=7)
    redeliveries = Redeliveries()
    assert not redeliveries.knows(again(first))
    deliver(redeliveries, [first])
    assert redeliveries.knows(again(first))


@pytest.mark.parametrize(
    "other",
    [
        message(b"21.5", packet_id=7),
        message(b"21.5", duplicate=True, packet_id=8),
        message(b"21.6", duplicate=True, packet_id=7),
        message(b"21.5", "DATA2", duplicate=True, packet_id=7),
        message(b"21.5", duplicate=True, packet_id=7, qos=0),
    ],
    ids=["no flag", "packet id", "payload", "topic", "QoS"],
)
def test_whatever_else_differs_it_is_another_message(other: Message) -> None:
    assert not remembering(message(b"21.5", packet_id=7)).knows(other)


def test_topic_and_payload_are_kept_apart() -> None:
    """Or a reading `1` on `a` would be one with `:1` on another topic."""
    redeliveries = remembering(message(b"b", "a", packet_id=7))
    assert not redeliveries.knows(message(b"", "ab", duplicate=True, packet_id=7))
    assert not redeliveries.knows(message(b"ab", "", duplicate=True, packet_id=7))


def test_messages_without_a_packet_id_are_not_recorded() -> None:
    redeliveries = Redeliveries()
    assert redeliveries.encode([message(b"1", qos=0, packet_id=0)]) == b""


@pytest.mark.parametrize("packet_id", [1, 255, 256, 65535])
def test_every_packet_id_can_be_recorded(packet_id: int) -> None:
    first = message(b"\xff\x00", "\udc80/ä", packet_id=packet_id)
    assert remembering(first).knows(again(first))


def test_numbers_grow_and_go_on_where_an_earlier_run_ended() -> None:
    redeliveries = Redeliveries()
    assert (redeliveries.latest, redeliveries.any_remembered) == (0, False)
    redeliveries = Redeliveries([(5, b""), (9, redeliveries.encode([message(b"1")]))])
    assert (redeliveries.latest, redeliveries.any_remembered) == (9, True)
    redeliveries.forget(9)
    assert (redeliveries.latest, redeliveries.any_remembered) == (9, False)


def test_forgetting_an_earlier_delivery_keeps_a_later_one_with_its_packet_id() -> None:
    first, later = message(b"21.5", packet_id=7), message(b"22", packet_id=7)
    redeliveries = remembering(first)
    deliver(redeliveries, [later])
    assert not redeliveries.knows(again(first))
    redeliveries.forget(1)
    assert redeliveries.knows(again(later))
    redeliveries.forget(2)
    assert not redeliveries.knows(again(later))


@given(DELIVERIES, st.data())
def test_known_is_the_latest_content_of_each_packet_id_that_is_not_forgotten(
    deliveries: list[list[Message]], data: st.DataObject
) -> None:
    redeliveries = Redeliveries()
    latest: dict[int, tuple[int, Message]] = {}
    for messages in deliveries:
        number, _ = deliver(redeliveries, messages)
        latest |= {message.packet_id: (number, again(message)) for message in messages}
        until = data.draw(st.integers(0, number))
        redeliveries.forget(until)
        latest = {packet_id: entry for packet_id, entry in latest.items() if entry[0] > until}
        known = [message for message in all_messages() if redeliveries.knows(message)]
        assert sorted(known) == sorted(message for _, message in latest.values())


@given(DELIVERIES, st.integers(0, 15))
def test_what_was_stored_is_known_after_a_restart(deliveries: list[list[Message]], until: int) -> None:
    before = Redeliveries()
    stored = [deliver(before, messages) for messages in deliveries]
    before.forget(until)
    after = Redeliveries([delivery for delivery in stored if delivery[0] > until])
    for again_sent in all_messages():
        assert after.knows(again_sent) == before.knows(again_sent)
    assert after.any_remembered == before.any_remembered


@given(st.lists(st.integers(1, 7), max_size=40), st.integers(1, 20))
def test_the_latest_are_remembered_and_not_many_more(sizes: list[int], remembered: int) -> None:
    """As the writer does it: what is outdated before a delivery is forgotten with it."""
    redeliveries = Redeliveries(remembered=remembered)
    sent: list[Message] = []
    for size in sizes:
        new = [message(b"1", packet_id=len(sent) + place + 1) for place in range(size)]
        until = redeliveries.outdated()
        deliver(redeliveries, new)
        redeliveries.forget(until)
        sent += new
        known = [redeliveries.knows(again(message)) for message in sent]
        assert all(known[-remembered:])
        assert sum(known) < remembered + 2 * max(sizes)


def test_nothing_is_outdated_before_enough_has_come_after_it() -> None:
    redeliveries = Redeliveries(remembered=3)
    numbers = []
    for packet_id in range(1, 7):
        deliver(redeliveries, [message(b"1", packet_id=packet_id)])
        numbers.append(redeliveries.outdated())
    assert numbers == [0, 0, 0, 1, 2, 3]
