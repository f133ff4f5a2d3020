"""The role that takes the averages of what members store: how its parts are put together."""

import argparse
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from config.settings import Settings
from config.text import printable
from jobs.prune import INTERVAL, Pruner
from models.catalog import Catalog
from models.statistics.hand_over import HandOver
from models.storage.cluster import Cluster, Lead
from models.storage.errors import UnreadableDatabase, UnusableDatabase
from models.storage.interface import WritingStore
from scheduler_app.averages.chores import Chores
from scheduler_app.averages.following import FOLLOW_INTERVAL, SERIES_INTERVAL, Follower
from scheduler_app.averages.leading import Leading
from scheduler_app.averages.monitor import ClusterMonitor
from scheduler_app.averages.term import LeaderTerm
from scheduler_app.averages.ticking import Ticking
from scheduler_app.errors import CommandError
from scheduler_app.log import LogLimit, log_unexpected
from scheduler_app.publishing.home_assistant.publisher import SEND_INTERVAL
from scheduler_app.runtime.chosen_database import chosen_cluster, chosen_database
from scheduler_app.runtime.lifecycle import StopSignal, background, role, serve
from scheduler_app.runtime.locked_database import when_unlocked
from scheduler_app.runtime.scheduler import Every, Scheduler
from scheduler_app.subscriber.monitor import ReadErrors, tell_what_is_used
from scheduler_app.subscriber.plans import open_catalog, rolling_statistics
from scheduler_app.subscriber.retention import Retention
from scheduler_app.subscriber.role import SWITCH_INTERVAL
from scheduler_app.subscriber.troubles import LOOK_INTERVAL


def run_averages(options: argparse.Namespace, settings: Settings) -> None:
    """Follow what members store; publish its averages and prune whenever this process leads.

    Raises CommandError.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    with ExitStack() as stack:
        stop = stack.enter_context(role(options))
        database, cluster = chosen_database(settings), chosen_cluster(settings)
        lead, keeper, catalog = _open(settings, cluster, stop)
        tell_what_is_used(settings, database)

        errors, read_errors = LogLimit(), ReadErrors()
        hand_over = HandOver()
        following = cluster.following()
        stack.callback(following.close)
        stack.callback(cluster.close)
        follower = Follower(following, catalog, hand_over)
        statistics = rolling_statistics(
            settings,
            follower,
            catalog,
            hand_over,
            when_loaded=catalog.learn,
            when_failed=lambda name: log_unexpected(errors, "the statistics of a series", printable(name)),
            look=stop.look,
        )
        scheduler = Scheduler()

        def begin() -> LeaderTerm:
            term = LeaderTerm(settings, lambda: lead.held, monitor.metrics, catalog.named, errors)
            term.start(lambda: scheduler.run_soon("statistics"))
            return term

        leading = Leading(lead, begin)
        ticking = Ticking(follower, statistics, leading, errors=errors, read_errors=read_errors)
        monitor = ClusterMonitor(
            cluster,
            series=lambda: len(catalog),
            position=lambda: ticking.position,
            trouble=lambda: _trouble(leading),
            read_errors=read_errors,
        )
        chores = Chores(keeper, follower.lock)
        retention = Retention(
            Pruner(keeper, catalog),
            max(stream.retention for stream in settings.streams) + 2 * INTERVAL,
            take_back=lambda name, when_gone: _take_back(leading, name, when_gone),
            submit=chores.submit,
            when_removed=hand_over.remove,
        )
        chores_thread = stack.enter_context(background("chores", chores.run, chores.stop, stop))
        every = Every(settings.stats_interval)
        scheduler.add("statistics", ticking.tick, every, may_miss=lambda: not hand_over.loaded)
        scheduler.add("follow", ticking.follow, Every(FOLLOW_INTERVAL), may_miss=True)
        scheduler.add("series", ticking.look_at_series, Every(SERIES_INTERVAL), may_miss=True)
        by_the_leader = partial(_by_the_leader, leading)
        scheduler.add(
            "prune", lambda: retention.watch() if leading.term is None else retention.begin(), Every(INTERVAL)
        )
        scheduler.add("troubles", by_the_leader(lambda term: term.troubles.look()), Every(LOOK_INTERVAL))
        send = by_the_leader(lambda term: term.send())
        scheduler.add("home assistant", send, Every(SEND_INTERVAL), may_miss=True)
        scheduler.start()
        stack.callback(scheduler.shutdown)
        scheduler.run_soon("statistics")  # so that all is loaded before the lead is ours
        lead_thread = stack.enter_context(background("lead", leading.run, leading.stop, stop))

        def healthy() -> bool:
            term = leading.term
            alive = lead_thread.is_alive() and chores_thread.is_alive()
            return alive and ticking.works and (term is None or not term.troubles.grave)

        serve(stop, healthy, settings.health_file)


def _open(settings: Settings, cluster: Cluster, stop: StopSignal) -> tuple[Lead, WritingStore, Catalog]:
    """Open the database, as one of several. Raises CommandError."""
    lead, keeper = cluster.lead(), cluster.keeper(f"{settings.client_id}-averages")
    try:
        when_unlocked(chosen_database(settings).prepare, stop)
        when_unlocked(lead.open, stop)
        catalog = when_unlocked(lambda: open_catalog(settings, keeper), stop)
        keeper.change_thread()
    except (UnusableDatabase, UnreadableDatabase) as error:
        raise CommandError(str(error)) from None
    return lead, keeper, catalog


def _by_the_leader(leading: Leading[LeaderTerm], work: Callable[[LeaderTerm], object]) -> Callable[[], None]:
    """Return a job that does something with the present term; nothing where the lead is another's."""

    def job() -> None:
        if (term := leading.term) is not None:
            work(term)

    return job


def _trouble(leading: Leading[LeaderTerm]) -> str | None:
    term = leading.term
    return leading.trouble if term is None else term.troubles.text


def _take_back(leading: Leading[LeaderTerm], name: str, when_gone: Callable[[], object]) -> None:
    """Have what was published of a series taken back; where that cannot be, it is tried again later."""
    term = leading.term
    if term is not None:
        term.outlets.publishers.series_gone(name, when_gone)
