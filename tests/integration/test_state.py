"""`$state` says whether a subscriber is there, whatever others publish on it."""

import signal

from tests.conftest import MakeRole
from tests.support.brokers import Broker, Mosquitto
from tests.support.mqtt_client import Peer
from tests.support.processes import end_well
from tests.support.waiting import wait_for

STATE = "STATS/$state"


def test_offline_that_somebody_else_has_published_does_not_stay(
    either_broker: Broker, make_role: MakeRole
) -> None:
    """The subscriber says `online` again, however often; when it goes, `offline` stays."""
    subscriber = make_role("subscriber", broker=either_broker).start_and_wait()
    with Peer(either_broker.access) as peer:
        peer.subscribe(STATE).wait_for_message(STATE, b"online")
        for _ in range(3):
            before = len(peer.on(STATE))
            peer.publish(STATE, *[b"offline"] * 20, retain=True)
            peer.wait_for_message(STATE, b"offline", after=before)
            wait_for(lambda: peer.on(STATE)[-1].payload == b"online", "the subscriber says online again")
        end_well(signal.SIGTERM, subscriber)
        wait_for(lambda: peer.on(STATE)[-1].payload == b"offline", "the subscriber says goodbye")
    with Peer(either_broker.access) as later:
        assert later.subscribe(STATE).wait_for_message(STATE).payload == b"offline"


def test_two_subscribers_do_not_fight(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """When one of two goes, the other says that it is there; neither repeats it without end."""
    roles = [
        make_role("subscriber", broker=mosquitto, CLIENT_ID=name, DB_FILE=f"{name}.db").start_and_wait()
        for name in ("one", "two")
    ]
    with Peer(mosquitto.access) as peer:
        peer.subscribe(STATE).wait_for_message(STATE, b"online")
        before = len(peer.on(STATE))
        end_well(signal.SIGTERM, roles[0])
        peer.wait_for_message(STATE, b"offline", after=before)
        peer.wait_for_message(STATE, b"online", after=before + 1)
        assert [each.payload for each in peer.on(STATE)[before:]] == [b"offline", b"online"]
        end_well(signal.SIGTERM, roles[1])
        peer.wait_for_message(STATE, b"offline", after=before + 2)
        assert [each.payload for each in peer.on(STATE)[before:]] == [b"offline", b"online", b"offline"]
