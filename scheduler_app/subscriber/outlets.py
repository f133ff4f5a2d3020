"""All that statistics go out by, put together."""

from collections.abc import Callable

from config.settings import Settings
from models.catalog import SeriesRow
from scheduler_app.log import LogLimit
from scheduler_app.publishing.home_assistant.publisher import HomeAssistantPublisher
from scheduler_app.publishing.home_assistant.series import anything_wanted
from scheduler_app.publishing.publisher import Publisher, Publishers
from scheduler_app.publishing.records import Metrics, TickMark
from scheduler_app.publishing.stats_publisher import Outgoing, StatsPublisher


class Outlets:
    """STATS, and Home Assistant where it is asked for. Another publisher is a line in here."""

    def __init__(
        self,
        settings: Settings,
        outgoing: Outgoing,
        read_metrics: Callable[[TickMark | None], Metrics | None],
        row_of: Callable[[str], SeriesRow | None],
        errors: LogLimit,
    ) -> None:
        """`outgoing` and `read_metrics` are described at StatsPublisher; `row_of` finds a series by its name.

        Nothing is opened.
        """
        self.stats = StatsPublisher(settings, outgoing, read_metrics)
        self.home_assistant = HomeAssistantPublisher(settings, row_of) if anything_wanted(settings) else None
        publishers: list[Publisher] = [self.stats]
        if self.home_assistant is not None:
            publishers.append(self.home_assistant)
        self.publishers = Publishers(publishers, errors)
