"""What Prometheus asks for: our own health in some twenty samples, and the statistics of chosen series."""

import platform
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from config.topics import matches
from models.storage.records import ENDINGS
from scheduler_app.cures import CURES
from scheduler_app.publishing.records import Metrics, SeriesMessage
from scheduler_app.version import version
from scheduler_app.web.health import Facts
from scheduler_app.web.parameters import WrongRequest

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# More than these are refused: each series is several time series in Prometheus, which keeps them all.
MOST_SERIES = 5000
MOST_SAMPLES = 150_000
# The topic filter that finds all series.
_ALL = "#"
# What is sent of each window if nothing else is asked for.
STATISTICS: tuple[str, ...] = ("avg", "count", "coverage")
# What statistics are called in Prometheus, where that is not their own name.
_NAMES = {"avg": "average", "count": "readings"}


def own_metrics(facts: Facts) -> bytes:
    """Return our own health, as Prometheus reads it."""
    return _written(_own(facts))


def series_metrics(messages: Sequence[SeriesMessage], statistics: Sequence[str]) -> bytes:
    """Return these statistics of each window of each series. Raises WrongRequest if they are too many."""
    if len(messages) > MOST_SERIES:
        raise WrongRequest(
            f"match finds {len(messages):,} series, and {MOST_SERIES:,} are allowed in one scrape: "
            "let it find fewer, in several scrape configurations if need be",
            413,
        )
    windows = sum(len(message.windows) for message in messages)
    if windows * len(statistics) > MOST_SAMPLES:
        raise WrongRequest(
            f"{windows * len(statistics):,} samples would be sent, and {MOST_SAMPLES:,} are allowed in one "
            "scrape: choose fewer statistics or series",
            413,
        )
    return _written(_of_series(messages, statistics))


def matching(messages: Iterable[SeriesMessage], topic_filters: Sequence[str]) -> list[SeriesMessage]:
    """Return those whose names match one of some MQTT topic filters; `#` means all.

    In MQTT it leaves out what begins with `$`, such as the series of a broker's own `$SYS/...`.
    """
    if _ALL in topic_filters:
        return list(messages)
    return [
        message
        for message in messages
        if any(matches(topic_filter, message.series) for topic_filter in topic_filters)
    ]


class _Families:
    """What is collected, as the library asks for it."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _written(families: Iterable[Metric]) -> bytes:
    return generate_latest(_Families(families))


def _own(facts: Facts) -> Iterator[Metric]:
    build = GaugeMetricFamily(
        "averages_build_info", "The version of this program.", labels=["version", "python"]
    )
    build.add_metric([version(), platform.python_version()], 1)
    yield build
    yield _gauge("broker_connected", "Whether there is a connection to the broker.", facts.connected)
    yield _gauge("subscriber_online", "Whether the subscriber says that it is running.", facts.online)
    if facts.metrics is not None:
        yield from _of_subscriber(facts.metrics)
    if facts.disk is not None:
        yield _gauge("disk_free_bytes", "Free bytes where the database is.", facts.disk.free)
        yield _gauge("disk_size_bytes", "Bytes of the file system that the database is on.", facts.disk.total)
    kept = GaugeMetricFamily(
        "averages_rejected_messages_kept", "Rejected messages that are kept, by reason.", labels=["reason"]
    )
    for reason in sorted(facts.kept):
        if reason in CURES:  # from a fixed set, whatever stands in the database
            kept.add_metric([reason], facts.kept[reason])
    yield kept


def _of_subscriber(metrics: Metrics) -> Iterator[Metric]:
    results = CounterMetricFamily(
        "averages_messages", "Messages by what has become of them.", labels=["result"]
    )
    for ending in ENDINGS:
        results.add_metric([ending], getattr(metrics, ending))
    yield results
    yield _counter("messages_received", "Messages that have been received.", metrics.received)
    yield _counter("readings_pruned", "Readings that were deleted because of their age.", metrics.pruned)
    yield _counter(
        "short_connections", "Connections that ended soon after they began.", metrics.short_connections
    )
    yield _gauge("series", "Series that there are.", metrics.series)
    yield _gauge("messages_in_flight", "Messages that are not acknowledged yet.", metrics.in_flight)
    yield _gauge("database_bytes", "Size of the database and its log.", metrics.database_bytes)
    moments = (
        ("counted_since", "When the counters began.", metrics.since),
        ("tick", "When the newest statistics were taken.", metrics.tick and metrics.tick.at),
        ("last_commit", "When readings were stored last.", metrics.last_commit),
        ("session_lost", "When the broker was found to have lost our session.", metrics.session_lost_at),
    )
    for name, text, moment in moments:
        if moment is not None:
            yield _gauge(f"{name}_timestamp_seconds", text, moment)
    yield _gauge(
        "oldest_unacknowledged_seconds",
        "How long the oldest message that is not acknowledged has waited.",
        metrics.oldest_unacknowledged or 0.0,
    )


def _of_series(messages: Sequence[SeriesMessage], statistics: Sequence[str]) -> Iterator[Metric]:
    last = GaugeMetricFamily("averages_last_value", "The latest reading of a series.", labels=["series"])
    moment = GaugeMetricFamily(
        "averages_last_timestamp_seconds", "The time of the latest reading of a series.", labels=["series"]
    )
    for message in messages:
        last.add_metric([message.series], message.last)
        moment.add_metric([message.series], message.last_time)
    yield last
    yield moment
    for statistic in statistics:
        name = _NAMES.get(statistic, statistic).replace(".", "_")
        family = GaugeMetricFamily(
            f"averages_window_{name}",
            f"{statistic} of the readings in a window.",
            labels=["series", "window"],
        )
        for message in messages:
            for window, values in message.windows.items():
                # an empty window has no value: its sample is left out, and goes stale
                if (value := values.get(statistic)) is not None:
                    family.add_metric([message.series, window], value)
        yield family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"averages_{name}", text, float(value))


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"averages_{name}", text, float(value))
