import pytest

from config.broker_address import BrokerAddress
from scheduler_app.mqtt.reconnecting import Backoff, OutageLog

ADDRESS = BrokerAddress.parse("mqtt://user:secret@host:1884")
AWAY = "no broker answers at host:1884: Connection refused"


@pytest.fixture
def outage() -> OutageLog:
    return OutageLog(ADDRESS)


def test_there_is_no_pause_before_the_first_try_and_ever_longer_ones_after_it() -> None:
    for _ in range(50):
        backoff = Backoff()
        assert backoff.next() == 0
        for longest in (1, 2, 4, 8, 16, 30, 30, 30):
            assert longest / 2 <= backoff.next() <= longest


def test_pauses_differ_so_that_many_clients_do_not_come_back_at_once() -> None:
    backoffs = [Backoff() for _ in range(10)]
    assert {backoff.next() for backoff in backoffs} == {0}
    assert len({backoff.next() for backoff in backoffs}) > 1


def test_after_a_success_there_is_one_short_pause_again() -> None:
    backoff = Backoff()
    for _ in range(9):
        backoff.next()
    backoff.reset()
    assert 0.5 <= backoff.next() <= 1
    assert 1 <= backoff.next() <= 2


def test_an_outage_is_one_line_and_its_end_another(outage: OutageLog, log_lines: list[str]) -> None:
    assert outage.trouble is None
    for _ in range(3):
        outage.away(AWAY)
        assert outage.trouble == "no broker answers at host:1884: Connection refused"
    outage.lost("Keep alive timeout")
    outage.over()
    assert outage.trouble is None
    assert log_lines == [
        "WARNING: no broker answers at host:1884: Connection refused; trying again until it works",
        "INFO: connected to the broker at host:1884",
    ]


def test_the_next_outage_is_told_anew(outage: OutageLog, log_lines: list[str]) -> None:
    for _ in range(2):
        outage.lost("Keep alive timeout")
        outage.over()
    assert [line.partition(":")[0] for line in log_lines] == ["WARNING", "INFO"] * 2
    assert log_lines[0] == (
        "WARNING: lost the connection to the broker at host:1884: Keep alive timeout; "
        "trying again until it works"
    )


def test_what_is_wrong_now_is_known_though_it_is_not_logged_again(
    outage: OutageLog, log_lines: list[str]
) -> None:
    outage.lost("Unspecified error")
    assert outage.trouble == "lost the connection to the broker at host:1884"
    outage.away("no broker answers at host:1884: timed out")
    assert outage.trouble == "no broker answers at host:1884: timed out"
    assert len(log_lines) == 1


def test_a_refusal_is_an_error_and_stays_the_trouble_until_it_is_over(
    outage: OutageLog, log_lines: list[str]
) -> None:
    """The broker hangs up after it, and that says less."""
    outage.away(AWAY)
    outage.refused("Not authorized")
    outage.lost("Unspecified error")
    outage.away(AWAY)
    assert outage.trouble == "the broker at host:1884 refuses us: Not authorized"
    assert log_lines[1:] == [
        "ERROR: the broker at host:1884 refuses us: Not authorized; trying again until it works"
    ]
    outage.over()
    outage.away(AWAY)
    assert outage.trouble == "no broker answers at host:1884: Connection refused"
    assert len(log_lines) == 4


def test_a_second_connection_tells_all_of_it_at_debug_only(log_lines: list[str]) -> None:
    outage = OutageLog(ADDRESS, quiet=True)
    outage.away(AWAY)
    outage.refused("Not authorized")
    outage.over()
    assert [line.partition(":")[0] for line in log_lines] == ["DEBUG"] * 3


def test_what_a_broker_says_cannot_break_the_log(outage: OutageLog, log_lines: list[str]) -> None:
    outage.refused("{nonsense} {}")
    assert "{nonsense} {}" in log_lines[0]
    assert "secret" not in log_lines[0]
