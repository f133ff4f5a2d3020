"""The whole service as a browser meets it: a broker, a subscriber and the page."""

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.brokers import Mosquitto
from tests.support.mqtt_client import Peer
from tests.support.ports import HOST, free_port
from tests.support.processes import Role
from tests.support.waiting import wait_for
from tests.support.web import ask

SETTINGS = {"TOPIC": "#", "STATS_INTERVAL": "500ms", "LOG_LEVEL": "WARNING"}


class Service:
    """What is running. The page is at `address`."""

    def __init__(self, folder: Path, broker: Mosquitto, settings: dict[str, str]) -> None:
        self.broker = broker
        self.port = free_port()
        self.address = f"http://{HOST}:{self.port}/"
        self.database = folder / "tmp" / "test.db"
        environment = {**broker.environment, **SETTINGS, **settings, "WEB_PORT": str(self.port)}
        self.subscriber = Role(folder, "subscriber", environment=environment)
        self.web = Role(folder, "web", environment=environment)

    def publish(self, messages: Iterable[tuple[str, str | bytes]]) -> None:
        with Peer(self.broker.access) as peer:
            peer.publish_all(messages)

    def wait_for_series(self, count: int) -> None:
        """Wait until the page knows so many series."""
        wait_for(
            lambda: ask(self.port, "/api/v1/series?limit=1").content["total"] >= count,
            lambda: f"{count} series:\n{self.subscriber.stderr}\n{self.web.stderr}",
        )


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[Service]:
    """Have the service run while inside. No role may print a traceback."""
    with ExitStack() as stack:
        (folder / "broker").mkdir(parents=True)
        broker = Mosquitto(folder / "broker", log=("error", "warning"))
        service = Service(folder, broker, settings)
        stack.callback(broker.end)
        broker.start()
        for role in (service.subscriber, service.web):
            stack.callback(role.end)
            role.start_and_wait()
        yield service
    for role in (service.subscriber, service.web):
        role.assert_no_traceback()


def reading(value: float, ago: float = 0.0) -> str:
    """Return a payload with a reading of so many seconds ago."""
    return f'{{"number": {value!r}, "epochtime": {time.time() - ago!r}}}'
