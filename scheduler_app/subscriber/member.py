"""A subscriber that is one of several: how it takes a slot, and what it does for as long as it has it."""

import argparse
import sys
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from loguru import logger

from config.settings import Settings
from config.topics import is_shared
from models.storage.cluster import FreeSlot, Membership, MemberStore
from models.storage.errors import StoreUnavailable, TakenOver, UnreadableDatabase, UnusableDatabase
from models.storage.interface import Database
from scheduler_app.errors import CommandError
from scheduler_app.intake.ingest import Ingest
from scheduler_app.intake.redelivery import Redeliveries
from scheduler_app.publishing.presence import Presence
from scheduler_app.publishing.topics import member_state_topic
from scheduler_app.runtime.chosen_database import chosen_cluster, chosen_database
from scheduler_app.runtime.lifecycle import Stint, StopSignal, background, role, serve
from scheduler_app.runtime.locked_database import when_unlocked
from scheduler_app.runtime.scheduler import Every, Scheduler
from scheduler_app.subscriber.heartbeat import KEEP_INTERVAL, Heartbeat
from scheduler_app.subscriber.monitor import tell_what_is_used
from scheduler_app.subscriber.other_series import SERIES_INTERVAL, OtherSeries
from scheduler_app.subscriber.plans import open_catalog
from scheduler_app.subscriber.reception import Opened, reception
from scheduler_app.subscriber.role import SWITCH_INTERVAL
from scheduler_app.subscriber.subscriptions import Subscriptions
from scheduler_app.subscriber.troubles import LOOK_INTERVAL, Troubles

# Seconds between two tries to take a slot.
TRY_INTERVAL = 1.0


def run_member(options: argparse.Namespace, settings: Settings) -> None:
    """Store readings whenever there is a slot for this process. Raises CommandError."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    assert settings.members is not None
    with ExitStack() as stack:
        stop = stack.enter_context(role(options))
        database = chosen_database(settings)
        membership = chosen_cluster(settings).membership(settings.members)
        stack.callback(membership.close)
        try:
            when_unlocked(database.prepare, stop)
            tell_what_is_used(settings, database)
            while not stop.requested:
                free = _wait_for_slot(membership, settings, stop)
                if free is not None:
                    _fill(free, membership, database, settings, stop)
        except (UnusableDatabase, UnreadableDatabase) as error:
            raise CommandError(str(error)) from None


def _wait_for_slot(membership: Membership, settings: Settings, stop: StopSignal) -> FreeSlot | None:
    """Return a slot as soon as one is free; None if we are to stop. A spare that waits is healthy."""
    stint = Stint(stop)
    found: list[FreeSlot] = []
    able = False
    # what is shared, every member reads; else each slot is of one that reads these topics
    own = () if settings.share is not None else tuple(stream.topic for stream in settings.streams)
    others = ", or of other topics" if own else ""

    def wait() -> None:
        nonlocal able
        told = ""
        while not stint.requested:
            try:
                free = membership.free(settings.client_id, own)
            except StoreUnavailable as error:
                able = False
                line = f"no slot can be taken: the database cannot be used ({error}); trying until it can"
            except UnusableDatabase as error:
                stop.request(failure=str(error))
                return
            else:
                if free is not None:
                    found.append(free)
                    stint.end()
                    return
                able = True
                line = f"all {settings.members} slots are taken{others}: waiting as a spare until one is free"
            if line != told:
                logger.log("INFO" if able else "ERROR", "{}", line)
                told = line
            stint.rest(TRY_INTERVAL)

    with background("slot", wait, stint.end, stop):
        serve(stint, lambda: able, settings.health_file)
    return found[0] if found else None


def _fill(
    free: FreeSlot, membership: Membership, database: Database, settings: Settings, stop: StopSignal
) -> None:
    """Take in readings as the member of a slot, until it is lost or we are to stop."""
    slot = free.number
    # the session, its queue, the deliveries and the counters are the slot's, whoever has it
    mine = replace(settings, client_id=f"{settings.client_id}-{slot}")
    stint = Stint(stop)
    store = membership.store(slot, mine.client_id)
    with ExitStack() as stack:
        stack.callback(store.close)
        try:
            opened = _open(free, store, mine, stint)
        except TakenOver:  # another spare was quicker
            return
        logger.info("this process has slot {} of {}", slot, settings.members)
        session, writer, ingest = reception(
            mine,
            opened,
            lambda readings, sequence: None,
            check_right=lambda: heartbeat.keep(),  # noqa: PLW0108 - it is there only when it is called
        )
        presence = Presence(mine, topic=member_state_topic(mine, slot), beside=True)
        troubles = Troubles(session, presence, "state of this member is", storing=lambda: ingest.trouble)
        shared = any(is_shared(topic_filter) for topic_filter in opened.subscriptions.wanted)
        heartbeat = Heartbeat(store, ingest, session, writer, lambda: troubles.text, shared=shared)
        others = OtherSeries(database, opened.catalog, ingest.submit)
        scheduler = Scheduler()
        scheduler.add("slot", heartbeat.beat, Every(KEEP_INTERVAL), may_miss=True)
        scheduler.add("series", others.look, Every(SERIES_INTERVAL), may_miss=True)
        scheduler.add("troubles", troubles.look, Every(LOOK_INTERVAL))
        run = partial(_take_in, ingest, stint, stop)
        thread = stack.enter_context(background("ingest", run, ingest.stop, stop))
        scheduler.start()
        stack.callback(presence.stop)
        stack.callback(scheduler.shutdown)
        stack.callback(ingest.stop)  # at once, so that both connections end at the same time
        presence.start(on_connect=lambda: None)
        serve(stint, lambda: thread.is_alive() and ingest.stores and not troubles.grave, settings.health_file)


def _open(free: FreeSlot, store: MemberStore, mine: Settings, stop: StopSignal) -> Opened:
    """Read what is stored of the member whose slot it is. Raises TakenOver, UnusableDatabase."""
    opened = Opened(
        store,
        Redeliveries(when_unlocked(store.deliveries, stop)),
        when_unlocked(lambda: open_catalog(mine, store), stop),
        when_unlocked(lambda: Subscriptions(mine.streams, store, mine.share), stop),
        free.left_at,
    )
    store.change_thread()
    return opened


def _take_in(ingest: Ingest, stint: Stint, stop: StopSignal) -> None:
    """Run `ingest` in this thread, as long as the slot is ours."""
    try:
        ingest.run()
    except TakenOver as error:
        logger.warning("{}: this process leaves it what is not acknowledged, and waits for a slot", error)
        stint.end()
    except UnusableDatabase as error:
        stop.request(failure=str(error))
