"""What Home Assistant has to know of a series: where its values come from, and what its stream says."""

from typing import NamedTuple

from config.settings import Settings
from config.stream import Stream, Value
from config.streams import stream_of_series
from config.topics import is_at_or_below, matches
from models.catalog import SeriesRow
from models.statistics.plan import Plan

# Where a message has its number that has no fields to choose from: it is one, or has it here.
_PLAIN_PATHS = ("", "number")


class Described(NamedTuple):
    """A series that appears in Home Assistant."""

    name: str
    # What its device is named after: the topic, or what takes its place in the name of the series.
    base: str
    # What its entities are named after, beside the statistic and the window; may be empty.
    label: str
    topic: str
    # Where in a message the value stands, as paths are written in names; empty if that says too little.
    paths: tuple[str, ...]
    # Whether the value is another than the number in the message.
    is_converted: bool
    # What the stream says of it.
    unit: str | None
    device_class: str | None
    plan: Plan


def is_wanted(settings: Settings, topic: str) -> bool:
    """Whether averages of what comes on a topic are to appear in Home Assistant."""
    return _wanted(settings, settings.streams.of_topic(topic), topic)


def anything_wanted(settings: Settings) -> bool:
    """Whether averages of anything are to appear there."""
    return bool(settings.ha_discovery) or any(stream.ha_discovery for stream in settings.streams)


def describe(settings: Settings, row: SeriesRow, plan: Plan) -> Described | None:
    """Return what there is to know of a series, None if it is not to appear."""
    stream = stream_of_series(settings.streams, row.name, row.topic, row.field)
    if not _wanted(settings, stream, row.topic):
        return None
    if stream is None:  # of an earlier stream file: its readings age out
        return Described(row.name, row.topic, "", row.topic, (), False, None, None, plan)
    value = stream.value_of(row.name)
    conversion = stream.conversion_of(row.name)
    base = _base(row, stream, value)
    # a message of which one number is taken
    place = "" if value is None else str(value.path)
    return Described(
        name=row.name,
        base=base,
        label=(row.name.removeprefix(base).strip("/") or place).replace("/", " "),
        topic=row.topic,
        paths=_paths(row, stream, value),
        is_converted=bool(conversion.map) or conversion.scale is not None or conversion.offset is not None,
        unit=conversion.unit,
        device_class=conversion.device_class,
        plan=plan,
    )


def _wanted(settings: Settings, stream: Stream | None, topic: str) -> bool:
    if is_at_or_below(topic, settings.ha_prefix):
        return False
    if stream is not None and stream.ha_discovery is not None:
        return stream.ha_discovery
    return any(matches(topic_filter, topic) for topic_filter in settings.ha_discovery or ())


def _base(row: SeriesRow, stream: Stream, value: Value | None) -> str:
    if value is None and stream.series is not None:
        return row.topic  # how much of the name is that of a field is not known
    field = row.field if value is None else value.name
    return row.name.removesuffix(f"/{field}") if field else row.name


def _paths(row: SeriesRow, stream: Stream, value: Value | None) -> tuple[str, ...]:
    """Return where the value stands, if in each message on the topic that is of this series."""
    named = stream.series
    if stream.each is not None or (named is not None and (named.paths or named.names_elements)):
        return ()
    if stream.format != "json":
        return ()
    if value is not None:
        return (str(value.path),)
    if stream.every_number:
        return (row.field,) if row.field else ()
    return _PLAIN_PATHS
