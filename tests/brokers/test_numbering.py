"""What each broker does with packet ids is found out."""

import pytest

from config.settings import load_settings
from scheduler_app.mqtt.numbering import Numbering, find_out_numbering
from tests.brokers.brokers import BROKERS
from tests.support.brokers import Broker

pytestmark = pytest.mark.brokers

EXPECTED = {
    "Mosquitto": Numbering.IN_TURN,
    "embedded": Numbering.UNFLAGGED,
    "NATS": Numbering.REUSED,
    "RabbitMQ": Numbering.RENUMBERED,
    "ejabberd": Numbering.IN_TURN,
    "aedes": Numbering.UNFLAGGED,
    # what it has sent, it forgets, and nothing comes again
    "amqtt": Numbering.IN_TURN,
}


def test_the_numbering_is_found_out(request: pytest.FixtureRequest, broker: Broker) -> None:
    assert EXPECTED.keys() == BROKERS.keys()
    name = request.node.callspec.params["broker"]
    settings = {name.lower(): value for name, value in broker.settings.items()}
    loaded = load_settings({"broker": broker.access.url, "client_id": "numbering-test", **settings})
    assert find_out_numbering(loaded, "STATS/$check/numbering-test") is EXPECTED[name]
