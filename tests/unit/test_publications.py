"""What is published waits for the broker, in order, and never holds up whoever publishes it."""

from typing import Any

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from scheduler_app.mqtt import publications as module
from scheduler_app.mqtt.message import Message, Puback
from scheduler_app.mqtt.packets import read_publishes
from scheduler_app.mqtt.publications import MOST_IN_FLIGHT, Publications


class Client:
    """Takes what is sent, and gives the packet ids 1, 2, 3 and again."""

    protocol = MQTTProtocolVersion.MQTTv311
    wants_write = False

    def __init__(self, ids: int = 0xFFFF) -> None:
        self.writes: list[bytes] = []
        self._ids, self._id = ids, 0

    @property
    def buffered_socket(self) -> "Client":
        return self

    def send(self, data: bytes) -> None:
        self.writes.append(data)

    def next_packet_id(self) -> int:
        self._id = self._id % self._ids + 1
        return self._id

    @property
    def sent(self) -> list[Message]:
        data = b"".join(self.writes)
        messages, size = read_publishes(data, len(data), 0.0, version_5=False)
        assert size == len(data)
        return messages


class Connected:
    """Publications on such a client; `answers` are those that have come, `wakes` counts."""

    def __init__(self, *, ids: int = 0xFFFF, qos: int = 1, receive_maximum: int | None = None) -> None:
        self.client = Client(ids)
        self.answers: list[tuple[str, Puback]] = []
        self.wakes = 0
        client: Any = self.client
        self.publications = Publications(client, qos=qos, receive_maximum=receive_maximum, wake=self._wake)

    def _wake(self) -> None:
        self.wakes += 1

    def add(self, *payloads: object) -> None:
        for payload in map(str, payloads):
            assert self.publications.add(
                "a",
                payload,
                retain=True,
                when_acknowledged=lambda puback, payload=payload: (  # type: ignore[misc]
                    self.answers.append((payload, puback))
                ),
            )

    def send(self) -> list[str]:
        """Return which payloads are sent now."""
        before = len(self.client.sent)
        self.publications.send()
        return [each.payload.decode() for each in self.client.sent[before:]]


def test_messages_go_out_in_the_order_given_and_in_one_write() -> None:
    connection = Connected()
    connection.add(1, 2, 3)
    assert connection.send() == ["1", "2", "3"]
    assert len(connection.client.writes) == 1
    assert [(each.topic, each.qos, each.retained, each.packet_id) for each in connection.client.sent] == [
        ("a", 1, True, number) for number in (1, 2, 3)
    ]
    assert connection.send() == []


def test_each_puback_is_told_once_to_whoever_published() -> None:
    connection = Connected()
    connection.add(1, 2)
    connection.publications.add("a", "3", retain=False)
    connection.send()
    connection.publications.acknowledged(3, 0)
    connection.publications.acknowledged(2, 0x87)
    connection.publications.acknowledged(1, 0x10)
    connection.publications.acknowledged(1, 0)
    connection.publications.acknowledged(99, 0)
    assert connection.answers == [
        ("2", Puback(accepted=False, reason="Not authorized")),
        ("1", Puback(accepted=True, reason="No matching subscribers")),
    ]


@pytest.mark.parametrize(
    ("receive_maximum", "most"),
    [(None, MOST_IN_FLIGHT), (20, 20), (MOST_IN_FLIGHT - 1, MOST_IN_FLIGHT - 1), (65_535, MOST_IN_FLIGHT)],
)
def test_no_more_are_on_their_way_than_the_broker_allows(receive_maximum: int | None, most: int) -> None:
    connection = Connected(receive_maximum=receive_maximum)
    connection.add(*range(most + 2))
    assert connection.send() == [str(number) for number in range(most)]
    assert connection.publications.behind
    assert connection.send() == []
    connection.publications.acknowledged(1, 0)
    assert connection.send() == [str(most)]
    connection.publications.acknowledged(2, 0)
    assert connection.send() == [str(most + 1)]
    assert not connection.publications.behind


def test_what_has_not_been_looked_at_yet_is_not_behind() -> None:
    connection = Connected()
    connection.add(1)
    assert connection.publications.waiting
    assert not connection.publications.behind


def test_nothing_more_is_sent_while_the_connection_takes_nothing() -> None:
    """Else all of it would lie in memory as packets."""
    connection = Connected(qos=0)
    connection.add(1)
    connection.client.wants_write = True
    assert connection.send() == []
    assert connection.publications.behind
    connection.client.wants_write = False
    assert connection.send() == ["1"]


def test_where_the_broker_allows_qos_0_only_what_is_sent_counts_as_taken() -> None:
    connection = Connected(qos=0)
    connection.add(*range(3 * MOST_IN_FLIGHT))
    assert connection.send() == [str(number) for number in range(3 * MOST_IN_FLIGHT)]
    assert {(each.qos, each.packet_id) for each in connection.client.sent} == {(0, 0)}
    assert len(connection.answers) == 3 * MOST_IN_FLIGHT
    assert connection.answers[0] == ("0", Puback(accepted=True, reason="Success"))


def test_a_packet_id_that_is_in_use_is_not_given_again() -> None:
    connection = Connected(ids=3)
    connection.add(1, 2)
    connection.send()
    connection.publications.acknowledged(1, 0)
    connection.add(3, 4)
    connection.send()
    assert [each.packet_id for each in connection.client.sent] == [1, 2, 3, 1]


def test_the_thread_is_wakened_once_for_many_and_not_for_what_cannot_go_out_yet() -> None:
    connection = Connected(receive_maximum=2)
    connection.add(1, 2, 3)
    assert connection.wakes == 1
    connection.send()
    connection.add(4)  # goes when a PUBACK comes
    assert connection.wakes == 1
    connection.publications.acknowledged(1, 0)
    connection.publications.acknowledged(2, 0)
    assert connection.send() == ["3", "4"]
    connection.add(5)
    assert connection.wakes == 2


def test_so_many_bytes_may_wait_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that takes nothing, and answers pings all the same, must not fill the memory."""
    monkeypatch.setattr(module, "MOST_WAITING", 1000)
    connection = Connected(receive_maximum=1)
    publications = connection.publications
    payload = "x" * (500 - module._OVERHEAD - 1)  # with the topic and what else it takes, 500 bytes
    assert publications.add("a", payload, retain=False)
    assert not publications.add("a", payload + "xx", retain=False)
    assert publications.add("a", payload, retain=False)
    assert not publications.add("a", "", retain=False)
    publications.send()
    assert publications.add("a", payload, retain=False)
    assert not publications.add("a", "", retain=False)


@pytest.mark.parametrize("topic", ["a/+", "#", "", "x" * 65_536, "\ud800"])
def test_a_topic_that_no_broker_takes_is_an_error(topic: str) -> None:
    with pytest.raises(ValueError, match=r"topic|surrogates"):
        Connected().publications.add(topic, "1", retain=False)
