"""Figures of what comes in over TLS."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from tests.benchmarks import ingest
from tests.benchmarks.arena import LOGGED, Arena
from tests.benchmarks.figure import Figure
from tests.benchmarks.ingest import Load
from tests.support.brokers import Access, Mosquitto
from tests.support.certificates import make_certificates
from tests.support.ports import HOST, free_port


def one_topic(arena: Arena) -> list[Figure]:
    """Return nothing for the embedded broker, which speaks no TLS."""
    if arena.embedded:
        return []
    load = Load(arena.size.messages // 2)
    ours, paho = [], []
    for _ in range(arena.size.rounds):
        with tls_broker(arena) as (broker, access, folder), ingest.subscriber(access, folder) as role:
            ours.append(ingest.ours(broker, folder, load, role).rate)
        with tls_broker(arena) as (broker, access, _):
            paho.append(ingest.other("bare_paho", access)(broker, load).rate)
    name, rates = "ingest over TLS, 1 topic", (median(ours), median(paho))
    return [Figure(name, "per s", rates[0], "bare paho", rates[1], more_is_better=True)]


@contextmanager
def tls_broker(arena: Arena) -> Iterator[tuple[Mosquitto, Access, Path]]:
    """Run a broker with two ports, also a folder.

    The load comes in on the plain one, as fast as elsewhere; by the access it goes out over TLS.
    """
    with arena.folder() as folder:
        home = folder / "broker"
        home.mkdir()
        certificates = make_certificates(home)
        access = Access(free_port(), "mqtts", authority=certificates.authority)
        listener = (
            f"listener {access.port} {HOST}",
            f"certfile {certificates.server.certificate}",
            f"keyfile {certificates.server.key}",
        )
        broker = Mosquitto(home, listener=listener, log=LOGGED)
        try:
            yield broker.start(), access, folder
        finally:
            broker.end()
