"""How the role that serves the page is put together."""

import argparse
import os
from contextlib import ExitStack
from functools import partial

from loguru import logger
from starlette.types import ASGIApp
from uvicorn import Config, Server

from config.settings import Settings
from scheduler_app.console.inbox import Inbox
from scheduler_app.mqtt.connection import Connection
from scheduler_app.runtime.chosen_database import chosen_database
from scheduler_app.runtime.lifecycle import background, role, serve
from scheduler_app.web.api import Api
from scheduler_app.web.app import make_app
from scheduler_app.web.bounded_http import KEEP_ALIVE, MOST_CONNECTIONS, BoundedProtocol
from scheduler_app.web.events import Events
from scheduler_app.web.following import Following
from scheduler_app.web.guard import LARGEST_HEAD
from scheduler_app.web.health import BrokerState, Health
from scheduler_app.web.listening import address_of, check_reach, listen
from scheduler_app.web.listing import Listing
from scheduler_app.web.live import LiveStatistics
from scheduler_app.web.stored import StoredReadings
from scheduler_app.web.units import units
from scheduler_app.web.watching import Watching

# Whoever stores readings comes first where the processor is short.
_NICENESS = 5


def run_web(options: argparse.Namespace, settings: Settings) -> None:
    """Serve the page until we are told to stop. Raises CommandError."""
    check_reach(settings, published_on_loopback=options.published_on_loopback)
    with ExitStack() as stack:
        stop = stack.enter_context(role(options))
        listener = stack.enter_context(listen(settings.web_host, settings.web_port))
        os.nice(_NICENESS)
        inbox, live = Inbox(), LiveStatistics(settings)
        stored = StoredReadings(chosen_database(settings))
        connection = Connection(settings, "web", subscribe=live.topics, on_message=inbox.put)
        health = Health(settings, live, partial(broker_state, settings, connection), stored.trouble)
        events = Events(health.state)
        api = Api(settings, Listing(live, units(settings)), stored, health, events)
        watching = Watching(live, stored, health)
        server = Server(server_config(make_app(settings, api, watching.routes())))

        def end() -> None:
            events.end()
            server.should_exit = True

        stack.enter_context(background("server", partial(server.run, [listener]), end, stop))
        following = Following(inbox, live, events.changed)
        stack.enter_context(background("statistics", following.run, inbox.end, stop))
        connection.start()
        stack.callback(connection.stop)
        logger.info("the page is at {}", address_of(settings.web_host, settings.web_port))
        serve(stop, lambda: server.started, settings.health_file)


def server_config(app: ASGIApp) -> Config:
    """Return how uvicorn is to serve an application: with bounds, and with no log of requests."""
    return Config(
        app,
        http=BoundedProtocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=LARGEST_HEAD,
    )


def broker_state(settings: Settings, connection: Connection) -> BrokerState:
    """Return whether we are connected to the broker."""
    connected = connection.connected
    return BrokerState(str(settings.broker), connected, None if connected else connection.trouble)
