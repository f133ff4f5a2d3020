"""The publisher of STATS: averages on STATS_TOPIC; below it each series, and the metrics on `$metrics`."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from loguru import logger

from config.settings import Settings
from config.text import printable
from models.statistics.tick import SeriesResult, Tick
from scheduler_app.log import LogLimit, attempt, log_unexpected, more_like_it
from scheduler_app.mqtt.message import Puback
from scheduler_app.publishing.messages import write_averages, write_metrics, write_result
from scheduler_app.publishing.published import Published
from scheduler_app.publishing.records import Metrics, TickMark
from scheduler_app.publishing.topics import metrics_topic, unpublishable_name

# MQTT 5 section 3.4.2.1
_NO_SUCH_TOPIC = "Topic name invalid"


class Outgoing(Protocol):
    """What it needs of a Presence; described there."""

    @property
    def behind(self) -> bool: ...

    def publish(
        self, topic: str, payload: str, *, when_acknowledged: Callable[[Puback], object] | None = None
    ) -> bool: ...


class StatsPublisher:
    """Publishes every tick on STATS_TOPIC; of the series, those that have changed."""

    def __init__(
        self,
        settings: Settings,
        outgoing: Outgoing,
        read_metrics: Callable[[TickMark | None], Metrics | None],
    ) -> None:
        """`read_metrics` returns what the subscriber tells of itself, with the tick it is given.

        None if it can tell nothing now.
        """
        self._settings = settings
        self._outgoing = outgoing
        self._read_metrics = read_metrics
        self._topic = settings.stats_topic
        self._metrics_topic = metrics_topic(settings)
        self._published = Published(settings.stats_interval)
        self._latest: TickMark | None = None
        self._errors = LogLimit()
        self._warnings = LogLimit()

    def connected(self) -> None:
        """Have the next tick publish all series: on a new connection, the broker may have forgotten."""
        self._published.forget_all()

    def publish(self, tick: Tick) -> None:
        """Publish a tick: first the averages, then the metrics, then the series.

        That order is a promise. The averages do not say of which tick they are; the metrics do, and
        come right after them. `audit` takes the first metrics after averages for those of the same
        tick, and would compare with the wrong readings if another tick's came between. What fails
        keeps nothing else from going out.

        While the tick before has not gone out, since the broker does not take it, the tick is left out: so
        no more than one ever waits, and the next that goes out is the newest.
        """
        if self._outgoing.behind:
            if (held := self._warnings.allows("behind")) is not None:
                logger.warning(
                    "the broker does not take the statistics as fast as they are taken: those of this moment "
                    "are left out{}",
                    more_like_it(held),
                )
            return
        self._latest = TickMark(tick.at, tick.sequence)
        attempt(self._errors, "publishing the averages", partial(self._publish_averages, tick))
        self.publish_metrics()
        for result in tick.series:
            try:
                self._publish_series(result, tick)
            except Exception:  # noqa: BLE001 - whatever is wrong with one, the others go out
                self._published.forget(result.series)
                name = printable(result.series)
                log_unexpected(self._errors, "publishing the statistics of a series", name)

    def publish_metrics(self) -> None:
        """Publish the metrics with the latest tick there was; also when a tick could not be taken."""
        attempt(self._errors, "publishing the counters", self._try_metrics)

    def series_gone(self, name: str, when_gone: Callable[[], object]) -> None:
        """Have the broker forget what was published of a series. `when_gone` is called if that has worked.

        It is called on another thread; at once if nothing can have been published of it.
        """
        self._published.forget(name)
        if unpublishable_name(self._settings, name) is not None:
            when_gone()
            return

        def answered(puback: Puback) -> None:
            if puback.accepted or puback.reason == _NO_SUCH_TOPIC:
                when_gone()

        self._outgoing.publish(f"{self._topic}/{name}", "", when_acknowledged=answered)

    def _publish_averages(self, tick: Tick) -> None:
        self._outgoing.publish(self._topic, write_averages(tick.averages))

    def _try_metrics(self) -> None:
        metrics = self._read_metrics(self._latest)
        if metrics is not None:
            self._outgoing.publish(self._metrics_topic, write_metrics(metrics))

    def _publish_series(self, result: SeriesResult, tick: Tick) -> None:
        name = result.series
        is_new = not self._published.knows(name)
        if not self._published.note_if_due(result, tick.at):
            return
        if is_new and (why := unpublishable_name(self._settings, name)) is not None:
            # an earlier version took it
            self._published.forget(name)
            if self._warnings.allows("name") is not None:
                logger.warning("the statistics of {} cannot be published: {}", printable(name[:200]), why)
            return
        payload = write_result(result, tick.at, tick.sequence)
        if not self._outgoing.publish(f"{self._topic}/{name}", payload):
            self._published.forget(name)
