"""What a stream file says, or TOPIC and VALUE, read with the eyes of a user: what was probably meant."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from config.settings import Settings
from config.streams import Stream, Streams, stream_of_series
from config.text import listed, printable
from config.topics import unshared
from models.storage.records import SeriesSummary
from scheduler_app.checks.finding import Finding, Level
from scheduler_app.errors import CommandError
from scheduler_app.runtime.chosen_database import stored_readings

# So many lines are there of one kind.
_MOST_LINES = 10
# What stands in a filter that is meant as a list, or copied from somewhere with what stood around it.
_LIST, _BRACKETS = frozenset(",;"), frozenset("\"'[]{}<>")
_CURE = "manage.py try tells what becomes of what comes"


def check_streams(settings: Settings) -> Iterator[Finding]:
    """Look at the streams by themselves, and at what is stored of each."""
    yield from islice(_check_filters(settings), _MOST_LINES)
    yield from islice(_check_paths(settings), _MOST_LINES)
    yield from _check_units(settings)
    try:
        with stored_readings(settings) as stored:
            if not stored.counters().get("received", 0):
                return
            summaries = stored.summaries()
    except CommandError:
        return  # which is told by another check
    yield from _check_stored(settings.streams, summaries)


def _check_filters(settings: Settings) -> Iterator[Finding]:
    for stream in settings.streams:
        topic = unshared(stream.topic)
        shown = printable(topic)
        if "*" in topic:
            text = f"{shown}: * is a sign like any other in a topic; one level is +, all below is #"
        elif _BRACKETS & set(topic):
            text = f"{shown} has quotation marks or brackets in it, which are taken as they stand"
        elif _LIST & set(topic):
            text = f"{shown} is one filter: are these several? Then write each by itself"
        elif " " in topic:
            text = f"{shown!r} has a space in it, which is taken as it stands"
        else:
            continue
        yield Finding(Level.WARN, "streams", text)


def _check_paths(settings: Settings) -> Iterator[Finding]:
    """Look for templates of Home Assistant: as dotted paths they are valid, and lead nowhere."""
    for value in {value.path: value for stream in settings.streams for value in stream.values}.values():
        keys = value.path.keys
        if keys and (keys[0] == "value_json" or "{{" in "".join(keys)):
            text = (
                f"value = {printable('.'.join(keys))} is a template of Home Assistant: a path is what stands "
                "behind value_json, such as ENERGY.Power"
            )
            yield Finding(Level.WARN, "streams", text)


def _check_units(settings: Settings) -> Iterator[Finding]:
    """Warn if the averages over all readings are of different things. A plain TOPIC says nothing of units."""
    kinds = dict.fromkeys(kind for stream in settings.streams if stream.overall for kind in _kinds(stream))
    if len(kinds) > 1:
        text = (
            f"the averages over all readings, on {settings.stats_topic}, mix {_some(list(kinds))}; overall "
            "= false in a stream file keeps a stream out of them"
        )
        yield Finding(Level.WARN, "streams", text)


def _kinds(stream: Stream) -> Iterator[str]:
    """Yield what the numbers of a stream are: units, or else what is measured, or else fields."""
    if stream.every_number:
        yield f"every number on {stream.topic}"
    for value in stream.values:
        conversion = value.conversion
        yield conversion.unit or conversion.device_class or value.name or str(value.path)
    if not stream.values and not stream.every_number:
        own = stream.conversion.unit or stream.conversion.device_class
        if own is not None:
            yield own


def _check_stored(streams: Streams, summaries: Sequence[SeriesSummary]) -> Iterator[Finding]:
    """Warn of streams, and of fields, of which nothing is stored although messages have come."""
    names: defaultdict[Stream, list[str]] = defaultdict(list)
    for series, number in ((summary.series, summary.count) for summary in summaries):
        stream = stream_of_series(streams, series.name, series.topic, series.field)
        if stream is not None and number:
            names[_table(stream)].append(series.name)
    empty, missing = [], []
    for table in dict.fromkeys(map(_table, streams)):
        topics = [stream.topic for stream in streams if _table(stream) == table]
        if table not in names:
            empty.append(_some(topics))
            continue
        unseen = [
            value.name
            for value in table.values
            if value.name and not any(f"/{name}".endswith(f"/{value.name}") for name in names[table])
        ]
        if unseen:
            missing.append(
                f"no reading of {_some(unseen)} on {_some(topics)} is stored, but of its other fields"
            )
    empty = [f"no reading on {topics} is stored, though messages have come" for topics in empty]
    for text in (empty + missing)[:_MOST_LINES]:
        yield Finding(Level.WARN, "streams", f"{text}: are names and filters right? {_CURE}")


def _table(stream: Stream) -> Stream:
    """Return what the streams have in common that are one table in a stream file."""
    return replace(stream, topic="")


def _some(names: Sequence[str]) -> str:
    return listed([*map(printable, names)])
