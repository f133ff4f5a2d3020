"""The addresses for programs that watch the service: metrics for Prometheus, and two for health checks."""

from collections import Counter

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from config.quantities import each_of
from config.topics import check_topic_filter
from models.statistics.registry import is_statistic
from scheduler_app.publishing.records import SeriesMessage
from scheduler_app.web.addresses import Address
from scheduler_app.web.answers import as_text
from scheduler_app.web.guard import OPEN
from scheduler_app.web.health import Health
from scheduler_app.web.live import LiveStatistics
from scheduler_app.web.parameters import Parameters, WrongRequest
from scheduler_app.web.stored import StoredReadings

# In each window, beside the statistics of its stream.
_COVERAGE = "coverage"
_MOST_STATISTICS = 20
_MOST_FILTERS = 100


class Watching:
    """The answers to those who watch."""

    def __init__(self, live: LiveStatistics, stored: StoredReadings, health: Health) -> None:
        self._live = live
        self._stored = stored
        self._health = health

    def routes(self) -> list[BaseRoute]:
        """Return the addresses."""
        lives, ready = OPEN
        return [
            Address("/metrics", self.metrics),
            Address("/metrics/series", self.series),
            Address(lives, self.lives),
            Address(ready, self.ready),
        ]

    async def metrics(self, request: Request) -> Response:
        # only where Prometheus asks: the library takes memory
        from scheduler_app.web.metrics import own_metrics

        kept: Counter[str] = Counter()
        try:
            for number, reason, _ in await self._stored.ask(lambda stored: stored.rejected_counts()):
                kept[reason] += number
        except WrongRequest:
            pass  # the rest can be told without the database
        return _samples(own_metrics(self._health.facts(kept)))

    async def series(self, request: Request) -> Response:
        from scheduler_app.web.metrics import STATISTICS, matching, series_metrics

        given = Parameters(request.query_params.multi_items())
        topic_filters = given.several("match", check_topic_filter)
        statistics = given.take("statistics", _statistics, STATISTICS)
        given.end()
        if not topic_filters:
            raise WrongRequest("match is missing: an MQTT topic filter such as zigbee2mqtt/#, or # for all")
        if len(topic_filters) > _MOST_FILTERS:
            raise WrongRequest(f"match may be given {_MOST_FILTERS} times")
        # then no number is new, and what Prometheus has goes stale
        if problems := self._health.unready():
            raise WrongRequest(problems[0].text, 503)

        def collect() -> bytes:
            with self._live.lock:
                messages: list[SeriesMessage] = [entry.message for entry in self._live.entries.values()]
            return series_metrics(matching(messages, topic_filters), statistics)

        return _samples(await self._stored.compute(collect))

    async def lives(self, request: Request) -> Response:
        return as_text("this process is running\n")

    async def ready(self, request: Request) -> Response:
        if problems := self._health.unready():
            # not why the broker cannot be reached: this is told without a token
            return as_text(f"not ready: {problems[0].code}\n", 503)
        return as_text("ready: the newest statistics are here\n")


def _samples(text: bytes) -> Response:
    from scheduler_app.web.metrics import CONTENT_TYPE

    return Response(text, headers={"cache-control": "no-store"}, media_type=CONTENT_TYPE)


def _statistics(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(each_of(map(str.strip, text.split(",")), _statistic)))
    if len(names) > _MOST_STATISTICS:
        raise ValueError(f"must be at most {_MOST_STATISTICS} statistics")
    return names


def _statistic(text: str) -> str:
    if text != _COVERAGE and not is_statistic(text):
        raise ValueError(f"must be a statistic, such as avg, max or p95, or {_COVERAGE}")
    return text
