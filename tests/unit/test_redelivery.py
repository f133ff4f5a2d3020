from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.intake.ingest import MAX_BATCH, WORTH_A_PROOF
from scheduler_app.intake.redelivery import MOST_UNPROVEN, REMEMBERED, Redeliveries
from scheduler_app.mqtt.message import Message
from scheduler_app.mqtt.numbering import Numbering
from tests.unit.messages import message

PACKET_IDS = 65_535

# Few packet ids and contents, so that ids come round again, with the same content and with another.
MESSAGES = st.builds(
    message,
    st.sampled_from([b"21.5", b"22"]),
    st.sampled_from(["a", "b"]),
    duplicate=st.booleans(),
    packet_id=st.integers(1, 8),
)
DELIVERIES = st.lists(st.lists(MESSAGES, max_size=5), max_size=15)


class Ledger:
    """What the writer does with redeliveries, and a table as the database keeps it."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self.table: dict[int, bytes] = {}
        self._remembered = remembered
        self.start_again()

    def start_again(self) -> None:
        self.redeliveries = Redeliveries(sorted(self.table.items()), self._remembered)

    def deliver(self, *messages: Message) -> set[int]:
        """Store and acknowledge messages; return the places of those that came before."""
        arrival = self.redeliveries.look_at(messages)
        rows = self.redeliveries.rows(arrival)
        self._change(rows.written, rows.deleted)
        self.redeliveries.record(arrival, rows)
        return arrival.repeated

    def prove(self) -> None:
        self.redeliveries.ask()
        self.redeliveries.prove()

    def tidy(self) -> None:
        """Have the table forget, without a delivery."""
        rows = self.redeliveries.forgotten()
        self._change(rows.written, rows.deleted)
        self.redeliveries.forget(rows)

    def knows(self, message: Message) -> bool:
        return self.redeliveries.look_at([again(message)]).repeated == {0}

    def known_after_a_restart(self, message: Message) -> bool:
        redeliveries = Redeliveries(sorted(self.table.items()), self._remembered)
        return redeliveries.look_at([again(message)]).repeated == {0}

    def _change(self, written: Sequence[tuple[int, bytes]], deleted: Sequence[int]) -> None:
        for number, packets in written:
            assert len(packets) < len(self.table.get(number, packets + b"-"))
            self.table[number] = packets
        for number in deleted:
            del self.table[number]


def again(message: Message) -> Message:
    """Return `message` as the broker sends it a second time."""
    return message._replace(duplicate=True)


def numbered(first: int, last: int) -> list[Message]:
    """Return messages with these packet ids that are else the same."""
    return [message(b"1", packet_id=packet_id) for packet_id in range(first, last + 1)]


def holding(*messages: Message, remembered: int = REMEMBERED) -> Ledger:
    ledger = Ledger(remembered)
    ledger.deliver(*messages)
    return ledger


def all_messages() -> list[Message]:
    return [
        message(payload, topic, packet_id=packet_id)
        for payload in (b"21.5", b"22")
        for topic in "ab"
        for packet_id in range(1, 9)
    ]


def test_the_bounds_leave_room_for_each_other() -> None:
    """What may be sent again is remembered, and forgotten long before its packet id comes again."""
    assert WORTH_A_PROOF < MOST_UNPROVEN
    assert MOST_UNPROVEN + MAX_BATCH < REMEMBERED
    assert REMEMBERED + 2 * MAX_BATCH < PACKET_IDS


def test_a_message_that_was_recorded_is_known_when_it_comes_again() -> None:
    first = message(b"21.5", packet_id=7)
    ledger = Ledger()
    assert not ledger.knows(first)
    ledger.deliver(first)
    assert ledger.knows(first)
    assert ledger.known_after_a_restart(first)


@pytest.mark.parametrize(
    "other",
    [
        message(b"21.5", packet_id=7),
        message(b"21.5", duplicate=True, packet_id=8),
        message(b"21.6", duplicate=True, packet_id=7),
        message(b"21.5", "DATA2", duplicate=True, packet_id=7),
        message(b"21.5", duplicate=True, packet_id=7, qos=0),
    ],
    ids=["no flag", "packet id", "payload", "topic", "QoS"],
)
def test_whatever_else_differs_it_is_another_message(other: Message) -> None:
    assert holding(message(b"21.5", packet_id=7)).deliver(other) == set()


def test_topic_and_payload_are_kept_apart() -> None:
    """Or a reading `1` on `a` would be one with `:1` on another topic."""
    ledger = holding(message(b"b", "a", packet_id=7))
    assert not ledger.knows(message(b"", "ab", packet_id=7))
    assert not ledger.knows(message(b"ab", "", packet_id=7))


def test_messages_without_a_packet_id_are_not_recorded() -> None:
    ledger = holding(message(b"1", qos=0, packet_id=0))
    assert ledger.table == {}
    assert ledger.redeliveries.unproven == 0


@pytest.mark.parametrize("packet_id", [1, 255, 256, 65535])
def test_every_packet_id_can_be_recorded(packet_id: int) -> None:
    first = message(b"\xff\x00", "\udc80/ä", packet_id=packet_id)
    ledger = holding(first)
    assert ledger.knows(first)
    assert ledger.known_after_a_restart(first)


def test_what_an_earlier_version_has_stored_is_known() -> None:
    """It gave its deliveries the numbers 1, 2, 3; the digest is that of then."""
    first = message(b"21.5", packet_id=7)
    entry = b"\x00\x07" + bytes.fromhex("3d1d89750dc372d9")
    redeliveries = Redeliveries([(1, entry), (2, b""), (3, b"\x00\x08" + entry[2:])])
    assert redeliveries.look_at([again(first), again(first._replace(packet_id=8))]).repeated == {0, 1}
    arrival = redeliveries.look_at(numbered(1, 1))
    [(number, _)] = redeliveries.rows(arrival).written
    assert number == 4


def test_more_topics_than_are_remembered_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler_app.intake.redelivery._REMEMBERED_TOPICS", 2)
    sent = [message(b"1", f"topic-{number}", packet_id=number) for number in range(1, 6)]
    ledger = holding(*sent)
    assert all(ledger.knows(one) for one in sent)
    assert len(ledger.redeliveries._beginnings) <= 2


# Within a batch


def test_a_message_that_comes_twice_in_a_batch_is_known_the_second_time() -> None:
    first = message(b"21.5", packet_id=7)
    ledger = Ledger()
    assert ledger.deliver(first, message(b"21.5", packet_id=8), again(first)) == {2}
    assert ledger.deliver(again(first)) == {0}


def test_two_messages_of_a_batch_with_one_packet_id_are_two_without_the_flag_or_with_other_content() -> None:
    first = message(b"21.5", packet_id=7)
    assert Ledger().deliver(first, first) == set()
    assert Ledger().deliver(first, again(first._replace(payload=b"22"))) == set()


def test_what_an_earlier_message_of_the_batch_has_taken_the_packet_id_of_is_not_known() -> None:
    first, other = message(b"21.5", packet_id=7), message(b"22", packet_id=7)
    assert holding(first).deliver(other, again(first)) == set()


# How long a message is remembered


def test_it_is_forgotten_when_another_one_has_its_packet_id() -> None:
    first, other = message(b"21.5", packet_id=7), message(b"22", packet_id=7)
    ledger = holding(first)
    ledger.deliver(other)
    assert not ledger.knows(first)
    assert ledger.knows(other)
    assert len(ledger.table) == 2
    ledger.deliver(message(b"1", packet_id=8))
    assert len(ledger.table) == 2  # that of the first is gone


@pytest.mark.parametrize(("later", "known"), [(3, True), (4, False)])
def test_it_is_forgotten_when_so_many_new_ones_have_come_after_it(later: int, known: bool) -> None:
    [first] = numbered(1, 1)
    ledger = holding(first, remembered=4)
    for packet_id in range(2, 2 + later):
        ledger.deliver(message(b"1", packet_id=packet_id))
    assert ledger.knows(first) == known
    assert ledger.known_after_a_restart(first) == known
    assert len(ledger.table) == 4


@pytest.mark.parametrize("rounds", [1, 100])
def test_what_is_sent_again_and_again_makes_nothing_older(rounds: int) -> None:
    """Whoever is killed during each redelivery stores the same messages again and again."""
    sent = numbered(1, 4)
    ledger = holding(*sent, remembered=4)
    ledger.deliver(*numbered(5, 7))
    for _ in range(rounds):
        ledger.redeliveries.begin_connection()
        assert ledger.deliver(*map(again, sent)) == {0, 1, 2, 3}
    assert ledger.redeliveries.position == 7
    ledger.deliver(*numbered(8, 8))
    assert not any(map(ledger.knows, sent))


def test_packet_ids_that_are_used_again_at_once_do_not_fill_the_table() -> None:
    ledger = Ledger()
    for number in range(200):
        ledger.deliver(message(b"%d" % number, packet_id=number % 20 + 1))
    assert len(ledger.table) <= 21


def test_what_nothing_is_stored_of_uses_up_packet_ids_too() -> None:
    [first, second] = numbered(1, 2)
    ledger = holding(first, second, remembered=3)
    redeliveries = ledger.redeliveries
    redeliveries.pass_by(redeliveries.look_at([message(b"x", packet_id=1)]))
    assert not ledger.knows(first)
    assert ledger.knows(second)
    assert redeliveries.unproven == 3
    redeliveries.pass_by(redeliveries.look_at(numbered(3, 4)))
    assert not ledger.knows(second)
    ledger.tidy()
    assert ledger.table == {}


# Proof


def test_a_proof_is_of_what_was_acknowledged_when_it_was_asked_for() -> None:
    first, second, third = numbered(1, 3)
    ledger = holding(first)
    ledger.deliver(second)
    ledger.redeliveries.ask()
    ledger.deliver(third)
    assert ledger.redeliveries.unproven == 3
    ledger.redeliveries.prove()
    assert ledger.redeliveries.unproven == 1
    assert [ledger.knows(one) for one in (first, second, third)] == [False, False, True]
    ledger.deliver(message(b"1", packet_id=4))
    assert [ledger.known_after_a_restart(one) for one in (first, second, third)] == [False, False, True]


def test_a_proof_says_nothing_of_an_earlier_connection() -> None:
    """The acknowledgements of it may be lost, and its messages sent again much later."""
    old, new = numbered(1, 5), numbered(6, 10)
    ledger = holding(*old)
    ledger.redeliveries.begin_connection()
    assert ledger.redeliveries.unproven == 0
    ledger.deliver(*new)
    ledger.prove()
    ledger.tidy()
    assert all(map(ledger.knows, old))
    assert not any(map(ledger.knows, new))
    ledger.start_again()
    assert all(map(ledger.knows, old))
    assert not any(map(ledger.knows, new))


def test_a_request_for_proof_ends_with_its_connection() -> None:
    [first, second] = numbered(1, 2)
    ledger = holding(first)
    ledger.redeliveries.ask()
    ledger.redeliveries.begin_connection()
    ledger.deliver(second)
    ledger.redeliveries.prove()
    assert ledger.knows(first)
    assert ledger.knows(second)


def test_what_was_sent_again_and_acknowledged_again_is_proven_by_that() -> None:
    sent = numbered(1, 4)
    ledger = holding(*sent)
    ledger.redeliveries.begin_connection()
    ledger.deliver(*map(again, sent[:3]))
    assert ledger.redeliveries.unproven == 3
    ledger.prove()
    assert [ledger.knows(one) for one in sent] == [False, False, False, True]
    ledger.deliver(*map(again, sent[3:]))
    ledger.prove()
    ledger.tidy()
    assert not any(map(ledger.knows, sent))
    assert ledger.table == {}


def test_a_proof_does_not_forget_what_has_taken_the_packet_id_since() -> None:
    first = message(b"21.5", packet_id=7)
    ledger = holding(first)
    ledger.redeliveries.begin_connection()
    ledger.deliver(again(first))
    ledger.redeliveries.ask()
    ledger.deliver(first)  # a new one
    ledger.redeliveries.prove()
    assert ledger.knows(first)


def test_how_many_have_come_after_is_known_after_a_restart_though_their_rows_are_gone() -> None:
    """Or what is left of an earlier connection would be remembered until its packet id comes again."""
    [old] = numbered(1, 1)
    ledger = holding(old, remembered=10)
    for first in (2, 5, 8):
        ledger.start_again()
        ledger.redeliveries.begin_connection()
        ledger.deliver(*numbered(first, first + 2))
        assert ledger.knows(old)
        ledger.prove()
        ledger.tidy()
        assert ledger.redeliveries.anything_to_delete is False
        assert len(ledger.table) == 2
        ledger.tidy()
    assert ledger.redeliveries.position == 10
    ledger.start_again()
    assert ledger.knows(old)
    ledger.deliver(*numbered(11, 11))
    assert not ledger.knows(old)
    ledger.prove()
    ledger.tidy()
    assert ledger.table == {}


def test_everything_is_forgotten_with_the_session() -> None:
    sent = numbered(1, 3)
    ledger = holding(*sent)
    ledger.redeliveries.begin_connection()
    ledger.deliver(*numbered(4, 5))
    ledger.prove()
    ledger.deliver(*numbered(6, 6))
    assert sorted(ledger.redeliveries.all_rows()) == sorted(ledger.table)
    ledger.redeliveries.forget_everything()
    ledger.table.clear()
    assert not any(map(ledger.knows, sent))
    assert not ledger.redeliveries.anything_to_delete
    ledger.deliver(*sent)
    assert all(map(ledger.knows, sent))
    ledger.start_again()
    assert all(map(ledger.knows, sent))


# What a plain model knows of each packet id: number of the delivery, content, and whether it was
# acknowledged on this connection.
Model = dict[int, tuple[int, tuple[str, bytes], bool]]


def happen(event: str, ledger: Ledger, model: Model) -> Model:
    """Have `event` happen; return what the model knows after it."""
    if event == "connect":
        ledger.redeliveries.begin_connection()
        return {packet_id: (*entry[:2], False) for packet_id, entry in model.items()}
    if event == "go on":
        return model
    ledger.prove()
    if event != "prove":
        ledger.tidy()
    if event == "restart":
        ledger.start_again()
    return {packet_id: entry for packet_id, entry in model.items() if not entry[2]}


@given(DELIVERIES, st.integers(5, 30), st.data())
def test_known_is_the_latest_content_of_each_packet_id_that_is_not_forgotten(
    deliveries: list[list[Message]], remembered: int, data: st.DataObject
) -> None:
    """A plain model of the rules: what is known, what is proven, what a restart changes."""
    ledger = Ledger(remembered)
    model: Model = {}
    position = 0
    for messages in deliveries:
        repeated = set()
        mine: dict[int, tuple[str, bytes]] = {}
        for place, one in enumerate(messages):
            content = one.topic, one.payload
            packet_id = one.packet_id
            if one.duplicate and packet_id in mine:
                known = mine[packet_id] == content
            else:
                known = one.duplicate and packet_id in model and model[packet_id][1] == content
                if known:
                    model[packet_id] = (*model[packet_id][:2], True)
            if known:
                repeated.add(place)
            else:
                mine[packet_id] = content
        assert ledger.deliver(*messages) == repeated
        position += len(messages) - len(repeated)
        model |= {packet_id: (position, content, True) for packet_id, content in mine.items()}
        event = data.draw(st.sampled_from(["go on", "go on", "prove", "tidy", "connect", "restart"]))
        model = happen(event, ledger, model)
        model = {packet_id: entry for packet_id, entry in model.items() if position - entry[0] < remembered}
        known_ones = {(one.packet_id, one.topic, one.payload) for one in all_messages() if ledger.knows(one)}
        remembered_ones = {(packet_id, *content) for packet_id, (_, content, _) in model.items()}
        if event == "restart":  # a row that is forgotten in part is whole again; it is as old as it was
            assert known_ones >= remembered_ones
            return
        assert known_ones == remembered_ones
        assert not model or max(ledger.table) == ledger.redeliveries.position


def test_a_packet_id_that_another_message_has_taken_over_stays_forgotten_after_a_restart() -> None:
    """Its first delivery's row still holds it when the row of the other one goes."""
    ledger = Ledger()
    first, other = message(b"21.5", packet_id=1), message(b"21.5", packet_id=2)
    ledger.deliver(first, other)
    ledger.redeliveries.begin_connection()
    ledger.deliver(first)  # without the flag: a new reading
    ledger.prove()
    ledger.tidy()
    assert not ledger.known_after_a_restart(first)
    assert ledger.known_after_a_restart(other)


def test_what_is_proven_to_be_acknowledged_again_stays_forgotten_after_a_restart() -> None:
    ledger = Ledger()
    first, other, third = (message(b"21.5", packet_id=packet_id) for packet_id in (1, 2, 3))
    ledger.deliver(first, other)
    ledger.redeliveries.begin_connection()
    assert ledger.deliver(again(first), third) == {0}
    ledger.prove()
    ledger.tidy()
    assert not ledger.known_after_a_restart(first)
    assert ledger.known_after_a_restart(other)


def test_so_it_does_where_nothing_new_has_come_since() -> None:
    ledger = Ledger()
    first, other = message(b"21.5", packet_id=1), message(b"21.5", packet_id=2)
    ledger.deliver(first, other)
    ledger.redeliveries.begin_connection()
    assert ledger.deliver(again(first)) == {0}
    ledger.prove()
    assert ledger.redeliveries.anything_to_delete
    ledger.tidy()
    assert not ledger.redeliveries.anything_to_delete
    assert not ledger.known_after_a_restart(first)
    assert ledger.known_after_a_restart(other)


def held_ledger() -> Ledger:
    """Return one at a broker where the latest message is acknowledged with the next."""
    ledger = Ledger()
    ledger.redeliveries.set_numbering(Numbering.REUSED)
    return ledger


def test_a_proof_says_nothing_of_the_message_that_is_held() -> None:
    ledger = held_ledger()
    first, latest = numbered(2, 3)
    ledger.deliver(first, latest)
    ledger.prove()
    assert not ledger.knows(first)
    assert ledger.knows(latest)
    ledger.tidy()
    assert ledger.known_after_a_restart(latest)
    assert not ledger.known_after_a_restart(first)
    assert ledger.redeliveries.unproven == 0


def test_what_was_held_is_proven_when_the_next_batch_is() -> None:
    ledger = held_ledger()
    first, second = numbered(2, 3)
    ledger.deliver(first)
    ledger.prove()
    ledger.deliver(second)
    ledger.prove()
    assert not ledger.knows(first)
    assert ledger.knows(second)


def test_a_proof_that_was_asked_for_before_it_was_acknowledged_does_not_cover_it() -> None:
    ledger = held_ledger()
    first, second = numbered(2, 3)
    ledger.deliver(first)
    ledger.redeliveries.ask()
    ledger.deliver(second)
    ledger.redeliveries.prove()
    assert ledger.knows(first)
    assert ledger.knows(second)


def test_one_that_is_held_and_comes_again_and_again_is_recognised_each_time() -> None:
    ledger = held_ledger()
    [one] = numbered(2, 2)
    ledger.deliver(one)
    for _ in range(3):
        assert ledger.deliver(again(one)) == {0}
        ledger.prove()
        ledger.tidy()


@pytest.mark.parametrize(("first_id", "known"), [(1, False), (2, True)])
def test_a_broker_that_begins_with_1_again_has_been_restarted(first_id: int, *, known: bool) -> None:
    """All that waits there has other packet ids then."""
    ledger = held_ledger()
    old = numbered(4, 6)
    ledger.deliver(*old)
    ledger.redeliveries.begin_connection()
    ledger.deliver(message(b"2", packet_id=first_id))
    assert [ledger.knows(one) for one in old] == [known] * 3
    ledger.deliver(message(b"2", packet_id=7))
    ledger.tidy()
    assert [ledger.known_after_a_restart(one) for one in old] == [known] * 3


def test_where_packet_ids_change_no_flag_is_believed() -> None:
    ledger = Ledger()
    ledger.redeliveries.set_numbering(Numbering.RENUMBERED)
    [one] = numbered(2, 2)
    ledger.deliver(one)
    assert ledger.deliver(again(one)) == set()


def test_where_packet_ids_are_given_out_in_turn_nothing_is_held() -> None:
    ledger = Ledger()
    ledger.redeliveries.set_numbering(Numbering.IN_TURN)
    batch = numbered(1, 3)
    ledger.deliver(*batch)
    ledger.prove()
    assert not any(ledger.knows(one) for one in batch)
