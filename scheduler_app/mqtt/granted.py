"""What a broker grants a connection, as its CONNACK says."""

from dataclasses import dataclass
from typing import Any

from paho.mqtt.properties import Properties

# Bytes: the largest packet there is (MQTT 5 section 2.1.4: four bytes of length, after one of type).
LARGEST_POSSIBLE_PACKET = 268_435_460
# How many messages at QoS 1 may be on their way to a broker that names no limit (section 3.2.2.3.3).
_MOST_IN_FLIGHT = 65_535
# The session expiry that means never (section 3.1.2.11.2).
NEVER = 0xFFFF_FFFF


@dataclass(frozen=True)
class Granted:
    """The properties of a CONNACK (MQTT 5 section 3.2.2.3), with its defaults for those that are not there.

    A broker of MQTT 3.1.1 tells none of them: then all are None.
    """

    # Seconds that the session is kept after we go; infinity: for ever. None too where we have asked for none.
    session_expiry: float | None = None
    # The highest QoS of what we publish.
    maximum_qos: int | None = None
    # Whether it keeps retained messages.
    retain_available: bool | None = None
    # Whether topic filters may hold + and #, and begin with $share.
    wildcard: bool | None = None
    shared: bool | None = None
    # Bytes of the largest packet that it takes.
    packet_size: int | None = None
    # How many messages above QoS 0 may be on their way to it.
    receive_maximum: int | None = None
    # Seconds after which it gives up a client that says nothing.
    keep_alive: int | None = None


# What a broker of MQTT 3.1.1 grants as far as we know, and any broker before it has answered.
UNTOLD = Granted()


def read_granted(properties: Properties, *, session_expiry: int | None, keep_alive: int) -> Granted:
    """Return what the CONNACK of an MQTT 5 broker grants.

    `session_expiry` (None: no session) and `keep_alive`, both in seconds, are what we have asked for: they
    hold unless it says otherwise.
    """
    told: dict[str, Any] = vars(properties)
    if session_expiry is not None:
        session_expiry = told.get("SessionExpiryInterval", session_expiry)
    return Granted(
        session_expiry=float("inf") if session_expiry == NEVER else session_expiry,
        maximum_qos=told.get("MaximumQoS", 2),
        retain_available=told.get("RetainAvailable", 1) == 1,
        wildcard=told.get("WildcardSubscriptionAvailable", 1) == 1,
        shared=told.get("SharedSubscriptionAvailable", 1) == 1,
        packet_size=told.get("MaximumPacketSize", LARGEST_POSSIBLE_PACKET),
        receive_maximum=told.get("ReceiveMaximum", _MOST_IN_FLIGHT),
        keep_alive=told.get("ServerKeepAlive", keep_alive),
    )
