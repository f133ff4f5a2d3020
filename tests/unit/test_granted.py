"""What a broker grants, and what of it is too little for us."""

from typing import Any

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from scheduler_app.mqtt.granted import NEVER, UNTOLD, Granted, read_granted
from scheduler_app.mqtt.shortcomings import shortcomings


def granted(session_expiry: int | None = NEVER, **told: Any) -> Granted:
    """Return what is granted by a CONNACK with these properties."""
    properties = Properties(PacketTypes.CONNACK)  # type: ignore[no-untyped-call]
    for name, value in told.items():
        setattr(properties, name, value)
    return read_granted(properties, session_expiry=session_expiry, keep_alive=30)


def test_what_a_connack_does_not_name_is_granted_as_mqtt_says() -> None:
    """MQTT 5 section 3.2.2.3."""
    assert granted() == Granted(
        session_expiry=float("inf"),
        maximum_qos=2,
        retain_available=True,
        wildcard=True,
        shared=True,
        packet_size=268_435_460,
        receive_maximum=65_535,
        keep_alive=30,
    )


def test_what_a_connack_names_is_granted_as_it_says() -> None:
    assert granted(
        SessionExpiryInterval=300,
        MaximumQoS=1,
        RetainAvailable=0,
        WildcardSubscriptionAvailable=0,
        SharedSubscriptionAvailable=0,
        MaximumPacketSize=300,
        ReceiveMaximum=10,
        ServerKeepAlive=7,
    ) == Granted(300.0, 1, False, False, False, 300, 10, 7)


def test_a_session_that_was_not_asked_for_is_not_granted() -> None:
    assert granted(None, SessionExpiryInterval=300).session_expiry is None


@pytest.mark.parametrize(
    ("told", "grave", "text"),
    [
        ({"MaximumQoS": 0}, True, "the broker allows QoS 0 only"),
        ({"RetainAvailable": 0}, False, "the broker keeps no retained messages"),
        ({"MaximumPacketSize": 1023}, True, "the broker takes messages of 1023 bytes at most"),
        ({"SessionExpiryInterval": 300}, False, "the broker forgets us 5min after we have gone"),
        ({"SessionExpiryInterval": 86_399}, False, "the broker forgets us 86399s after we have gone"),
        (
            {"WildcardSubscriptionAvailable": 0},
            True,
            "the broker takes no topic filter with + or #, such as a/+",
        ),
        (
            {"SharedSubscriptionAvailable": 0},
            True,
            "the broker takes no shared subscription, such as $share/g/b",
        ),
    ],
)
def test_what_is_not_granted_is_told(told: dict[str, int], grave: bool, text: str) -> None:
    [found] = shortcomings(granted(**told), ["c", "a/+", "$share/g/b"])
    assert found.grave == grave
    assert found.text.startswith(text)


@pytest.mark.parametrize(
    ("told", "topic_filter"),
    [
        ({}, "a/#"),
        ({"MaximumQoS": 1, "MaximumPacketSize": 1024, "ReceiveMaximum": 1, "ServerKeepAlive": 1}, "a/#"),
        ({"SessionExpiryInterval": 86_400}, "a/#"),
        ({"WildcardSubscriptionAvailable": 0, "SharedSubscriptionAvailable": 0}, "a/b"),
    ],
)
def test_what_is_enough_is_nothing_to_tell(told: dict[str, int], topic_filter: str) -> None:
    assert shortcomings(granted(**told), [topic_filter]) == []


def test_a_broker_that_tells_nothing_lacks_only_what_it_is_seen_to_lack() -> None:
    assert shortcomings(UNTOLD, ["a/#", "$share/g/b"]) == []
    [found] = shortcomings(UNTOLD, ["a/#", "b"], at_qos_0=["b"])
    assert found.text.startswith("the broker grants b at QoS 0 only")
    assert found.grave
