"""What `manage.py check` looks at, and in which order."""

import time
from collections.abc import Callable, Iterator

from config.broker_address import CLEAR_PASSWORD
from config.settings import Settings
from models.storage.errors import UnreadableDatabase
from scheduler_app.checks.ack_wait import check_ack_wait
from scheduler_app.checks.broker import check_broker, check_dropped, check_topics, dropped
from scheduler_app.checks.database import check_database, check_messages
from scheduler_app.checks.disk import check_disk
from scheduler_app.checks.finding import Finding, Level
from scheduler_app.checks.home_assistant import check_home_assistant
from scheduler_app.checks.numbering import numbering_of
from scheduler_app.checks.pooler import check_pooler
from scheduler_app.checks.queues import warn_of_classic_queues
from scheduler_app.checks.running import check_metrics, rate, read_metrics
from scheduler_app.checks.session import check_session
from scheduler_app.checks.sharing import check_sharing, is_sharing
from scheduler_app.checks.slots import check_slots
from scheduler_app.checks.standby import check_standby
from scheduler_app.checks.stream_file import check_streams
from scheduler_app.mqtt.numbering import Numbering
from scheduler_app.runtime.chosen_database import chosen_cluster


def examine(
    settings: Settings,
    downtime: float,
    *,
    progress: Callable[[str], object] = lambda text: None,
    now: Callable[[], float] = time.time,
    elapsed: Callable[[], float] = time.monotonic,
) -> Iterator[Finding]:
    """Yield what each check finds, as it finds it. A check is left out if one that it builds on has failed.

    `downtime`: for how many seconds the subscriber may be away, by its owner's plan. `progress` is called
    with what is being done. `now` tells UTC epoch seconds, `elapsed` the seconds of a clock that never jumps.
    """
    windows = ", ".join(window.name for window in settings.windows)
    topics = ", ".join(stream.topic for stream in settings.streams)
    yield Finding(Level.OK, "settings", f"{topics} to {settings.stats_topic}, windows {windows}")
    progress("database")
    database = check_database(settings)
    yield database
    if database.level != Level.FAIL:
        yield from _check_stored(settings, now())
    if settings.broker.reveals_password:
        yield Finding(Level.WARN, "broker", CLEAR_PASSWORD.format(settings.broker))
    progress(f"broker: waiting for {settings.broker}")
    findings, usable, settings, payload = check_broker(settings)
    yield from findings
    if findings[0].level == Level.FAIL:
        return
    progress("topics: subscribing")
    yield check_topics(settings)
    if not usable:
        return
    metrics = None if payload is None else read_metrics(settings, payload)
    if isinstance(metrics, Finding):
        yield metrics
        metrics = None
    progress("broker: sharing messages, and leaving one unacknowledged")
    yield from _check_delivery(settings)
    progress("broker: asking what it has dropped")
    before = dropped(settings)
    session = check_session(settings, rate(metrics), downtime, progress, elapsed)
    yield session
    if session.level == Level.OK:
        # else that is why, and some may have been of an earlier run of this
        yield from check_dropped(before)
    if metrics is not None:
        yield from check_metrics(settings, metrics)
    if (found := check_home_assistant(settings)) is not None:
        yield found


def _check_stored(settings: Settings, now: float) -> Iterator[Finding]:
    """Look at what there is in the database, and what that promises; `now` in UTC epoch seconds."""
    if settings.db_url is None:  # else the disk is another machine's
        yield check_disk(settings.db_file)
    else:
        yield from _check_server(settings)
    yield from check_messages(settings, now)
    yield from check_streams(settings)


def _check_server(settings: Settings) -> Iterator[Finding]:
    """Look at a database that several may share."""
    cluster = chosen_cluster(settings)
    try:
        found = cluster.examine()
        yield from check_standby(found)
        yield from check_pooler(found)
        if settings.members is not None:
            yield from check_slots(cluster.overview().slots, settings.members)
    except UnreadableDatabase as error:
        yield Finding(Level.FAIL, "database", str(error))
    finally:
        cluster.close()


def _check_delivery(settings: Settings) -> Iterator[Finding]:
    """Look at how the broker shares messages, and beyond one machine, where it has reason to, sends again."""
    if is_sharing(settings):
        yield check_sharing(settings)
    if settings.db_url is None:
        return
    numbering = numbering_of(settings)
    if numbering is Numbering.REUSED and (found := check_ack_wait(settings)) is not None:
        yield found
    elif numbering is Numbering.RENUMBERED:
        yield warn_of_classic_queues()
