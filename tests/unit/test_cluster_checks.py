"""What check says of a database that several share, and of a broker that several share."""

from typing import Any

import pytest

from config.settings import load_settings
from models.storage.cluster import OLDEST_SERVER, Examination
from models.storage.postgresql.examination import keeps_sessions as keeps_sessions_of
from scheduler_app.checks import ack_wait, sharing
from scheduler_app.checks.finding import Finding, Level
from scheduler_app.checks.pooler import check_pooler
from scheduler_app.checks.queues import warn_of_classic_queues
from scheduler_app.checks.standby import check_standby

GOOD = Examination(
    version=OLDEST_SERVER, fsync=True, standby_names="ANY 1 (a, b)", standbys=1, keeps_sessions=True
)


def levels(findings: list[Finding]) -> list[Level]:
    return [finding.level for finding in findings]


def test_a_server_that_waits_for_a_standby_is_good() -> None:
    """Also if we may not see who is connected to it."""
    for found in (GOOD, GOOD._replace(standbys=None)):
        [finding] = check_standby(found)
        assert finding.level == Level.OK
        assert "ANY 1 (a, b)" in finding.text
    assert list(check_pooler(GOOD)) == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"standby_names": ""}, "no standby is synchronous"),
        ({"standbys": 0}, "is connected: nothing is committed"),
        ({"fsync": False}, "fsync is off"),
    ],
)
def test_what_may_lose_acknowledged_readings_is_warned_of(changes: dict[str, object], text: str) -> None:
    findings = list(check_standby(GOOD._replace(**changes)))  # type: ignore[arg-type]
    assert levels(findings) == [Level.WARN]
    assert text in findings[0].text


def test_a_pooler_that_keeps_no_sessions_fails() -> None:
    [finding] = check_pooler(GOOD._replace(keeps_sessions=False))
    assert finding.level == Level.FAIL
    assert "PgBouncer in transaction mode" in finding.text


def test_a_server_that_keeps_the_locks_of_who_has_vanished_fails() -> None:
    [finding] = check_pooler(GOOD._replace(version=OLDEST_SERVER - 1))
    assert finding.level == Level.FAIL
    assert "cannot end the session of a machine that has vanished" in finding.text


@pytest.mark.parametrize(
    ("counts", "trouble", "level", "text"),
    [
        ([9, 11], None, Level.OK, "got 9 and 11"),
        ([1, 19], None, Level.OK, "got 1 and 19"),
        ([0, 20], None, Level.WARN, "went to one member"),
        ([20, 20], None, Level.FAIL, "each counts twice"),
        ([0, 0], None, Level.FAIL, "does not know $share"),
        ([9, 10], None, Level.FAIL, "19 came"),
        ([0, 0], "the broker refuses the subscription", Level.FAIL, "refuses the subscription"),
    ],
)
def test_who_of_a_group_gets_what_tells_whether_a_broker_shares(
    counts: list[int], trouble: str | None, level: Level, text: str
) -> None:
    finding = sharing.judge(counts, trouble)
    assert finding.level == level
    assert text in finding.text


def test_it_is_tried_only_where_messages_are_to_be_shared() -> None:
    several = {"members": "2", "db_url": "postgresql://u@host/averages"}
    assert not sharing.is_sharing(load_settings({"topic": "a"} | several))
    assert sharing.is_sharing(load_settings({"topic": "a", "share": "g"} | several))
    assert sharing.is_sharing(load_settings({"topic": "a,$share/g/b"}))


def test_a_short_patience_of_nats_is_told_with_its_cure() -> None:
    finding = ack_wait.judge(3.04)
    assert finding.level == Level.WARN
    assert "sends again after 3s" in finding.text
    assert "ack_wait" in finding.text


def test_what_cannot_be_seen_of_rabbitmq_is_said() -> None:
    finding = warn_of_classic_queues()
    assert finding.level == Level.WARN
    assert "quorum" in finding.text


class FakePooler:
    """Gives out its one connection to the server for a transaction at a time, or for as long as a session."""

    def __init__(self, *, keeps_sessions: bool) -> None:
        self.keeps_sessions = keeps_sessions
        self.free = [101, 102]

    def connection(self) -> "FakeConnection":
        return FakeConnection(self)


class FakeConnection:
    def __init__(self, pooler: FakePooler) -> None:
        self._pooler = pooler
        self._process: int | None = None
        self._in_transaction = False

    def execute(self, statement: str) -> "FakeConnection":
        if self._process is None:
            self._process = self._pooler.free.pop(0)
        self.answer = self._process
        self._in_transaction = statement == "BEGIN" or (self._in_transaction and statement != "ROLLBACK")
        if not self._in_transaction and not self._pooler.keeps_sessions:
            self._pooler.free.insert(0, self._process)
            self._process = None
        return self

    def fetchone(self) -> tuple[int]:
        return (self.answer,)


@pytest.mark.parametrize("keeps_sessions", [True, False])
def test_a_pooler_is_known_by_what_it_does(keeps_sessions: bool) -> None:
    pooler = FakePooler(keeps_sessions=keeps_sessions)
    one: Any = pooler.connection()
    other: Any = pooler.connection()
    assert keeps_sessions_of(one, other) == keeps_sessions
