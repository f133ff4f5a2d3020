"""The connection is renewed while messages wait, over each kind of transport."""

import threading
from contextlib import closing
from pathlib import Path

from config.settings import load_settings
from models.catalog import Catalog
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.store import Store
from scheduler_app.intake.ingest import Ingest
from scheduler_app.intake.redelivery import Redeliveries
from scheduler_app.intake.writer import Writer
from scheduler_app.mqtt.ingest_session import IngestSession
from tests.support.brokers import Broker
from tests.support.database import values
from tests.support.mqtt_client import Peer
from tests.support.waiting import wait_for

COUNT = 500
MOST_UNPROVEN = 20


def test_nothing_is_lost_or_doubled_by_renewals(any_broker: Broker, tmp_path: Path) -> None:
    """As if no broker ever answered a request for proof: it has to end the connection instead."""
    path = tmp_path / "test.db"
    prepare(path)
    settings = load_settings(
        {name.lower(): value for name, value in any_broker.environment.items()} | {"db_file": str(path)}
    )
    session = IngestSession(settings, ["DATA"])
    renewals: list[bool] = []
    leave = session.leave

    def count_and_leave() -> bool:
        left = leave()
        if left:
            renewals.append(left)
        return left

    session.leave = count_and_leave  # type: ignore[method-assign]
    store = Store(writing_database(path), "me")
    redeliveries, catalog = Redeliveries(store.deliveries()), Catalog(store.series(), 10)
    store.close()
    writer = Writer(settings, store, redeliveries, catalog, lambda readings, sequence: None)
    ingest = Ingest(session, writer, worth_a_proof=10 * COUNT, most_unproven=MOST_UNPROVEN)

    def run() -> None:
        with closing(store):
            ingest.run()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_for(lambda: session.subscribed, "the subscription")
        with Peer(any_broker.access) as peer:
            peer.publish("DATA", *(str(number) for number in range(COUNT)))
        wait_for(lambda: len(values(path)) >= COUNT, lambda: f"all are stored; {len(values(path))} are")
        # the embedded one does not always answer what is asked for proof: then the bound holds all the same
        most = 0 if any_broker.persistent else MOST_UNPROVEN
        wait_for(lambda: writer.unproven <= most, "proof")
    finally:
        ingest.stop()
        thread.join()
    assert sorted(values(path)) == list(range(COUNT))
    assert renewals
    assert session.short_connections == 0
