"""What the leader has for as long as it leads: its connection to the broker, and what it publishes by it."""

from collections.abc import Callable

from config.settings import Settings
from models.catalog import SeriesRow
from models.statistics.tick import Tick
from scheduler_app.log import LogLimit
from scheduler_app.publishing.presence import Presence
from scheduler_app.publishing.records import Metrics, TickMark
from scheduler_app.subscriber.outlets import Outlets
from scheduler_app.subscriber.troubles import Troubles


class LeaderTerm:
    """Publishes over a connection with the one client id that all leaders have.

    A broker ends the connection of an older one with that id. So also a process that does not know yet that
    it leads no longer, since it was stopped or its machine slept, can publish nothing any more.
    """

    def __init__(
        self,
        settings: Settings,
        held: Callable[[], bool],
        read_metrics: Callable[[TickMark | None], Metrics | None],
        row_of: Callable[[str], SeriesRow | None],
        errors: LogLimit,
    ) -> None:
        """`held` says whether the lead is ours. The others are described at Outlets. Nothing is opened."""
        self.presence = Presence(settings, client_id=f"{settings.client_id}-averages", may_connect=held)
        self.troubles = Troubles(None, self.presence)
        self.outlets = Outlets(settings, self.presence, read_metrics, row_of, errors)

    def start(self, when_connected: Callable[[], object]) -> None:
        """Begin to connect. `when_connected` is called, on another thread, whenever that has worked."""

        def connected() -> None:
            self.outlets.publishers.connected()
            when_connected()

        if self.outlets.home_assistant is not None:
            self.outlets.home_assistant.start()
        self.presence.start(connected)

    def publish(self, tick: Tick) -> None:
        """Publish a tick."""
        self.outlets.publishers.publish(tick)

    def send(self) -> None:
        """Have Home Assistant told some of what is new; call it every second."""
        if self.outlets.home_assistant is not None:
            self.outlets.home_assistant.send()

    def end(self) -> None:
        """Say that we go, and close the connections."""
        self.presence.stop()
        if self.outlets.home_assistant is not None:
            self.outlets.home_assistant.stop()
