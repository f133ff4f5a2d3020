"""The brokers that are tried, by the name that they have in docs/brokers.md."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.support.brokers import Broker, EmbeddedBroker, Mosquitto
from tests.support.ejabberd import Ejabberd
from tests.support.installed import Aedes, Amqtt
from tests.support.nats import Nats
from tests.support.rabbitmq import RabbitMQ

BROKERS: dict[str, Callable[[Path], Broker]] = {
    "Mosquitto": partial(Mosquitto, log=["error"]),
    "embedded": EmbeddedBroker,
    "NATS": partial(Nats, ack_wait=3.0),
    "RabbitMQ": RabbitMQ,
    "ejabberd": Ejabberd,
    "aedes": Aedes,
    "amqtt": Amqtt,
}
