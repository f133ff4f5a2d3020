"""The web role's application without a server: what a client asks it, it answers in this process."""

from pathlib import Path

from starlette.testclient import TestClient

from config.settings import Settings, load_settings
from scheduler_app.publishing.messages import write_metrics
from scheduler_app.publishing.records import Metrics, TickMark
from scheduler_app.runtime.chosen_database import chosen_database
from scheduler_app.web.api import Api
from scheduler_app.web.app import make_app
from scheduler_app.web.events import Events
from scheduler_app.web.health import BrokerState, Health
from scheduler_app.web.history import HistoryReader
from scheduler_app.web.listing import Listing
from scheduler_app.web.live import LiveStatistics
from scheduler_app.web.stored import StoredReadings
from scheduler_app.web.units import units
from scheduler_app.web.watching import Watching
from tests.unit.messages import message
from tests.unit.series_messages import AT, payload

ADDRESS = "http://127.0.0.1:8080"


class Pages:
    """The application with a broker and a clock that a test sets."""

    def __init__(self, settings: Settings, history: HistoryReader | None = None) -> None:
        self.now = AT
        self.connected = True
        self.live = LiveStatistics(settings, now=lambda: self.now)
        self.stored = StoredReadings(chosen_database(settings))
        self.health = Health(settings, self.live, self._broker, self.stored.trouble, now=lambda: self.now)
        self.events = Events(self.health.state, look=0.01)
        history = history or HistoryReader(now=lambda: self.now)
        api = Api(
            settings,
            Listing(self.live, units(settings)),
            self.stored,
            self.health,
            self.events,
            history=history,
            now=lambda: self.now,
        )
        watching = Watching(self.live, self.stored, self.health)
        self.client = TestClient(make_app(settings, api, watching.routes()), base_url=ADDRESS)

    def publish(self, topic: str, content: bytes) -> bool:
        """Hand over what is published on a topic below STATS, or on STATS itself."""
        changed = self.live.take(message(content, f"STATS/{topic}" if topic else "STATS"))
        self.live.version += 1
        return changed

    def publish_series(self, *names: str) -> None:
        for name in names:
            self.publish(name, payload(name))

    def publish_health(self, **changes: object) -> None:
        """Have the subscriber be online, with a tick just now."""
        metrics = Metrics(self.now, AT - 1000, received=3, stored=3, tick=TickMark(self.now, 3), series=1)
        self.publish("$state", b"online")
        self.publish("$metrics", write_metrics(metrics._replace(**changes)).encode())  # type: ignore[arg-type]

    def _broker(self) -> BrokerState:
        return BrokerState("localhost:1883", self.connected, None if self.connected else "it is gone")


def pages(history: HistoryReader | None = None, **settings: str) -> Pages:
    """Return the application; the database is `test.db` in the folder of the test."""
    return Pages(load_settings({"db_file": str(Path("test.db")), **settings}), history)
