"""What a broker does with packet ids is found out before the first reading is taken in."""

import pytest

from config.settings import load_settings
from scheduler_app.mqtt.holding import LatestHeld
from scheduler_app.mqtt.numbering import Numbering, find_out_numbering, latest_packet_id
from tests.support.ports import free_port
from tests.unit.messages import message
from tests.unit.numbering_broker import NumberingBroker


def found_at(address: str, *, stopped: bool = False) -> Numbering | None:
    settings = load_settings({"broker": address, "mqtt_version": "3.1.1"})
    return find_out_numbering(settings, "STATS/$check/me", lambda: stopped)


@pytest.mark.parametrize("numbering", Numbering)
def test_the_numbering_of_a_broker_is_found_out(numbering: Numbering) -> None:
    with NumberingBroker(numbering) as broker:
        assert found_at(broker.address) is numbering


def test_nothing_is_left_behind_at_the_broker() -> None:
    """The last connection asks it to forget the session."""
    with NumberingBroker(Numbering.IN_TURN) as broker:
        found_at(broker.address)
    assert broker.clean == [False, False, True]


def test_a_broker_that_sends_again_much_later_is_taken_for_one_that_follows_the_rules() -> None:
    with NumberingBroker(Numbering.IN_TURN, sends_again=False) as broker:
        assert found_at(broker.address) is Numbering.IN_TURN


def test_where_we_may_not_subscribe_it_is_not_known() -> None:
    with NumberingBroker(Numbering.IN_TURN, grants=0x80) as broker:
        assert found_at(broker.address) is None


def test_where_nobody_answers_it_is_not_known() -> None:
    assert found_at(f"mqtt://127.0.0.1:{free_port()}") is None


def test_it_ends_at_once_when_we_are_stopped() -> None:
    with NumberingBroker(Numbering.IN_TURN) as broker:
        assert found_at(broker.address, stopped=True) is None


def test_all_but_the_usual_are_told_in_one_line() -> None:
    assert [numbering.name for numbering in Numbering if not numbering.value] == ["IN_TURN"]
    assert not any("\n" in numbering.value for numbering in Numbering)


def test_the_latest_packet_id_is_that_of_the_last_message_to_be_acknowledged() -> None:
    batch = [message(b"1", packet_id=3), message(b"2", packet_id=9), message(b"3", qos=0, packet_id=0)]
    assert latest_packet_id(batch) == 9
    assert latest_packet_id(batch[2:]) is None


def test_the_latest_message_is_acknowledged_when_another_has_come() -> None:
    latest = LatestHeld()
    assert latest.take([1, 2, 3]) == [1, 2]
    assert latest.take([]) == []
    assert latest.take([4]) == [3]
    assert latest.packet_id == 4


def test_one_that_comes_again_is_still_held() -> None:
    latest = LatestHeld()
    assert latest.take([1]) == []
    assert latest.take([1]) == []
    assert latest.take([1, 2, 1]) == [2]


def test_another_connection_holds_nothing() -> None:
    latest = LatestHeld()
    latest.take([1])
    latest.begin_connection()
    assert latest.take([7, 8]) == [7]
