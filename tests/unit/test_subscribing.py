from typing import Any, cast

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from scheduler_app.mqtt.packets import Unusual
from scheduler_app.mqtt.subscribing import Subscribing

GRANTED, AT_QOS_0, REFUSED = 1, 0, 135


class Client:
    """Notes what is subscribed to; the packet ids count up from 1."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.qos: set[int] = set()

    def subscribe(self, topic_filters: list[tuple[str, int]]) -> tuple[int, int]:
        self.asked.append([topic_filter for topic_filter, _ in topic_filters])
        self.qos |= {qos for _, qos in topic_filters}
        return 0, len(self.asked)


class Watch:
    """A connection that has subscribed to two topics at second 0."""

    def __init__(self, *, quiet: bool = False, **qos: int) -> None:
        self.now = 0.0
        self.client = cast(Any, Client())
        self.subscribing = Subscribing(["a", "b"], quiet=quiet, monotonic=lambda: self.now, **qos)
        self.subscribing.ask(self.client)

    def answer(self, packet_id: int, *codes: int) -> bool:
        reasons = [ReasonCode(PacketTypes.SUBACK, identifier=code) for code in codes]
        return self.subscribing.answered(packet_id, reasons)

    def tend(self, second: float) -> list[list[str]]:
        """Return all that was asked for until then."""
        self.now = second
        self.subscribing.tend(self.client)
        asked: list[list[str]] = self.client.asked
        return asked


def test_a_subscription_that_is_granted_is_asked_for_once() -> None:
    watch = Watch()
    assert watch.answer(1, GRANTED, GRANTED)
    assert watch.subscribing.done
    assert watch.tend(1e6) == [["a", "b"]]
    assert not watch.answer(1, GRANTED, GRANTED)


def test_it_is_asked_for_at_qos_1_unless_something_else_is_said() -> None:
    assert Watch().client.qos == {1}
    assert Watch(qos=0).client.qos == {0}


def test_what_is_refused_is_asked_for_again_ever_less_often(log_lines: list[str]) -> None:
    """And only that: what is granted would bring its retained messages again. It is told once."""
    watch = Watch()
    assert not watch.answer(1, GRANTED, REFUSED)
    asked_at = []
    for second in range(1, 300):
        before = len(watch.client.asked)
        if len(watch.tend(second)) > before:
            asked_at.append(second)
            assert not watch.answer(before + 1, REFUSED)
    assert asked_at == [10, 30, 70, 130, 190, 250]
    assert watch.client.asked[1:] == [["b"]] * 6
    line = (
        "the broker refuses the subscription to b (Not authorized): have the broker's rules (ACL) allow us "
        "to subscribe to it and to read it"
    )
    assert log_lines == [f"ERROR: {line}"]
    assert watch.subscribing.trouble == line
    watch.tend(310)
    assert watch.answer(8, GRANTED)
    assert watch.subscribing.done
    assert watch.subscribing.trouble == ""


def test_all_that_is_refused_is_one_line(log_lines: list[str]) -> None:
    watch = Watch()
    assert not watch.answer(1, REFUSED, REFUSED)
    watch.tend(10)
    assert not watch.answer(2, REFUSED, REFUSED)
    [line] = log_lines
    assert "to a (Not authorized), b (Not authorized): " in line


def test_a_subscribe_without_an_answer_is_sent_again(log_lines: list[str]) -> None:
    watch = Watch()
    assert len(watch.tend(9.9)) == 1
    assert len(watch.tend(10.0)) == 2
    assert watch.answer(1, GRANTED, GRANTED)  # late, to the first
    assert [line.partition(":")[0] for line in log_lines] == ["WARNING"]


def test_what_is_granted_at_qos_0_is_known_until_the_next_connection() -> None:
    watch = Watch()
    assert watch.answer(1, GRANTED, AT_QOS_0)
    assert watch.subscribing.at_qos_0 == ["b"]
    watch.subscribing.forget()
    assert watch.subscribing.at_qos_0 == []
    assert not watch.subscribing.done


def test_a_second_connection_tells_it_at_debug_only(log_lines: list[str]) -> None:
    Watch(quiet=True).answer(1, REFUSED, GRANTED)
    assert log_lines[0].startswith("DEBUG: the broker refuses the subscription to a (")


def test_an_answer_of_another_length_is_no_mqtt() -> None:
    with pytest.raises(Unusual):
        Watch().answer(1, GRANTED)
