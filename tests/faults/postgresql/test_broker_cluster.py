"""One node of a broker cluster dies by SIGKILL; members have topic filters of their own."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.load import ENDLESS, Kind, Load
from tests.faults.postgresql.conftest import MEMBERS, MakeAverages, MakeMember
from tests.faults.postgresql.oracle import Oracle, judge, settle, storing, wait_for_average
from tests.faults.proxy import Proxy
from tests.faults.sizes import sizes
from tests.faults.verdict import Report
from tests.support.broker_clusters import BrokerCluster, nats_cluster, rabbitmq_cluster
from tests.support.mqtt_client import Peer
from tests.support.postgresql import Database

pytestmark = pytest.mark.postgresql

RATE = 200.0


@pytest.mark.parametrize("make", [nats_cluster, rabbitmq_cluster])
@sizes("kills", quick=1, full=3)
def test_node_killed(
    *,
    make: Callable[[Path], BrokerCluster],
    tmp_path: Path,
    make_member: MakeMember,
    make_averages: MakeAverages,
    postgresql: Database,
    oracle: Oracle,
    report: Report,
    kills: int,
) -> None:
    """Nothing that was acknowledged is lost, and with ids nothing counts twice.

    The node that dies is the one that all clients are connected to.
    """
    cluster = make(tmp_path)
    try:
        ports = [node.port for node in cluster.start().nodes]
        with Proxy(ports[0], others=ports[1:]) as balancer:
            access = balancer.access
            for number in range(MEMBERS):
                make_member(access, postgresql.url, TOPIC=f"DATA/{number}", SHARE="").start_and_wait()
            make_averages(access, postgresql.url).start_and_wait()
            loads = [
                Load(
                    access, ENDLESS, RATE / MEMBERS, Kind.IDS, topic=f"DATA/{number}", first=number * ENDLESS
                )
                for number in range(MEMBERS)
            ]
            with loads[0], loads[1], Peer(access) as peer:
                for number in range(kills):
                    storing(oracle)
                    time.sleep(2.0)
                    node = cluster.nodes[number % len(cluster.nodes)]
                    node.kill()
                    storing(oracle)
                    with Peer(access) as listener:
                        # at QoS 0, for which a cluster need not agree on a queue while a node is away
                        listener.subscribe("STATS", qos=0)
                        before = len(listener.on("STATS"))  # what is retained
                        listener.wait_for_message("STATS", after=before)
                    node.start()
                    cluster.wait_ready(node)
                for load in loads:
                    load.finish()
                topics = [f"DATA/{number}" for number in range(MEMBERS)]
                settle(access, oracle, *loads, members=MEMBERS, topics=topics)
                pause = oracle.longest_pause()
                verdict = judge(oracle, *loads)
                report.add(
                    f"{make.__name__}: a node kill -9, {kills} times; nothing stored for {pause:.1f} s",
                    "ids",
                    verdict,
                )
                verdict.assert_exactly_once()
                peer.subscribe("STATS")
                wait_for_average(peer, oracle, loads)
    finally:
        cluster.end()
