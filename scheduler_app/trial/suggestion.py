"""A stream file for what was seen, which is tried before it is shown."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from config.settings import InvalidSettings, Settings, settings_from
from config.topics import is_at_or_below, matches
from scheduler_app.errors import CommandError
from scheduler_app.mqtt.message import Message
from scheduler_app.trial.discovery import Discovery
from scheduler_app.trial.grouping import groups_of_objects, groups_of_plain, set_filters
from scheduler_app.trial.observed import Observed, Topic
from scheduler_app.trial.report import Report
from scheduler_app.trial.stream_file import comment, stream_text
from scheduler_app.trial.suggested import SuggestedStream, some, suggested_stream, value_kind
from scheduler_app.trial.trying import new_trial

# So many messages are tried, with so many bytes in all, and so many topics are looked at.
_MOST_MESSAGES, _MOST_BYTES, _MOST_TOPICS = 20_000, 32 << 20, 3000
# What a program tells of itself stands at topics with such a level.
_OF_PROGRAMS = frozenset({"bridge"})


def suggest(
    settings: Settings, topic_filter: str, messages: Iterable[Message], *, recorded: bool = False
) -> str:
    """Return a stream file that reads what came on a topic filter. CommandError if there is nothing to read.

    `recorded`: whether the messages may have been sent long before they are said to have arrived.
    """
    discovery, observed = Discovery(), Observed(recorded=recorded)
    kept: list[Message] = []
    size = 0
    for message in messages:
        if discovery.takes(message.topic, message.payload) or not _is_input(
            message.topic, topic_filter, settings
        ):
            continue
        if len(observed.topics) < _MOST_TOPICS or message.topic in observed.topics:
            observed.take(message)
        size += len(message.payload)
        if len(kept) < _MOST_MESSAGES and size < _MOST_BYTES:
            kept.append(message)
    if not kept:
        raise CommandError(f"no message came on {topic_filter}")
    streams = _streams(observed, discovery, settings)
    if not streams:
        raise CommandError(
            f"there is no number in what came on {topic_filter}: {some(sorted(observed.topics))}"
        )
    kinds = {value.kind for stream in streams for value in stream.values}
    body = "\n".join(stream_text(stream, mixed=len(kinds) > 1) for stream in streams)
    read = {name for stream in streams for name in stream.group.names}
    if unread := sorted(observed.topics.keys() - read):
        text = "not read, since there is no number in it, or only in lists, which the key each reads"
        body += f"\n{comment(f'{text}: {some(unread)}')}\n"
    if observed.unreadable:
        body += f"\n{comment(f'not read, since it is no JSON: {some(sorted(observed.unreadable))}')}\n"
    head = [
        f"Suggested by: manage.py try --suggest '{topic_filter}'",
        _tried(body, settings, kept, recorded=recorded),
        "Name it in STREAMS_FILE. What each key means: docs/many-sensors.md",
    ]
    if len(kinds) > 1:
        head.append(
            "Its numbers are of several kinds: overall = false keeps them out of the one average on STATS."
        )
    return "\n".join([*map(comment, head), "", body])


def _is_input(topic: str, topic_filter: str, settings: Settings) -> bool:
    if not matches(topic_filter, topic) or is_at_or_below(topic, settings.stats_topic):
        return False
    return not _OF_PROGRAMS & set(topic.split("/", 10))


def _streams(observed: Observed, discovery: Discovery, settings: Settings) -> list[SuggestedStream]:
    usable = [topic for topic in observed.topics.values() if _is_usable(topic, observed)]
    objects = [topic for topic in usable if topic.is_object]
    plain = [topic for topic in usable if not topic.is_object]
    kind = {
        topic.name: value_kind(list(topic.fields.values()), [discovery.meaning(topic.name, ())])
        for topic in plain
    }
    groups = groups_of_objects(objects)
    groups += groups_of_plain([topic for topic in plain if kind[topic.name] is not None], kind)
    found = []
    for group in groups:
        stream = suggested_stream(group, discovery, settings.max_clock_skew, settings.retention)
        if stream is not None:
            found.append(stream)
    read = {name for stream in found for name in stream.group.names}
    others = {name: topic.is_object and not topic.is_mixed for name, topic in observed.topics.items()}
    others |= dict.fromkeys(observed.unreadable, False)
    set_filters(
        [stream.group for stream in found],
        {name: is_object for name, is_object in others.items() if name not in read},
    )
    return found


def _is_usable(topic: Topic, observed: Observed) -> bool:
    return not topic.is_mixed and bool(topic.fields) and topic.name not in observed.unreadable


def _tried(body: str, settings: Settings, messages: Iterable[Message], *, recorded: bool) -> str:
    """Return what becomes of the messages with a stream file that is not written yet.

    Old ones are tried as if they were new.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "streams.toml"
        path.write_text(body, encoding="utf-8")
        try:
            read = settings_from(
                {
                    "streams_file": path,
                    "stats_topic": settings.stats_topic,
                    "max_series": settings.max_series,
                    "windows": settings.windows,
                    "retention": settings.retention,
                    "max_clock_skew": settings.max_clock_skew,
                }
            )
        except InvalidSettings as error:
            raise AssertionError(f"what is suggested is wrong: {error}\n{body}") from None
    trial, report = new_trial(read), Report()
    for message in messages:
        report.count(trial.of_new(message) if recorded or message.retained else trial.of(message))
    return f"Tried with {report.summary().removesuffix(' Nothing was stored.')}"
