"""Recognises a message that the broker sends a second time.

A broker sends what was not acknowledged again when the session goes on: with the DUP flag, and
under its old packet id (MQTT 3.1.1 section 4.4, MQTT 5 section 4.4). The flag alone says little,
since the first try may have been lost on the way; the content alone says nothing, since a sensor
may honestly send `21.5` a hundred times. But a message with the flag that has packet id, topic and
payload of one that was stored in this session is that one, as long as the packet id cannot have
been given to another message since.

Why nothing is stored twice and nothing is left out
---------------------------------------------------
A broker gives out packet ids in turn, 1 to 65,535 and then 1 again: a lap. Count the messages of a
session in the order in which they come for the first time. Messages with the same packet id are
then a lap apart, or somewhat less if the broker has given some ids to messages that expired. Two
things must hold whenever a message with the flag is looked at:

- If it is one that was stored, it must be remembered still. A broker begins each connection with
  the oldest message whose acknowledgement it has not worked off, and goes on from there in order.
  So what it may send again are the latest that were stored, no more than were taken in on one
  connection since the last proof that acknowledgements had arrived. The loop that receives stops at
  MOST_UNPROVEN of them until there is proof (see ingest.py), and REMEMBERED is more than that, with
  one more batch. It does not matter how often the broker sends them again: only messages that are
  new count.
- If it is one that was never stored, nothing that is remembered may have its packet id and content.
  That could only be a message a lap before it, and REMEMBERED is less than a lap. The rest is room
  for two batches and for ids of messages that expired.

None of this depends on how much waits at the broker, or on how far it is behind: Mosquitto 2.0.11
sends a thousand more for each acknowledgement it works off, whatever was asked of it, and has soon
sent all that waits, each packet id several times.

So a message is remembered until
- there is proof that its acknowledgement has arrived: the answer to a packet that was sent after
  the acknowledgement, on the same connection. It says nothing of acknowledgements that went out on
  an earlier connection: those may be lost, and the broker may send their messages again much later;
- another message comes under its packet id;
- REMEMBERED new messages have come after it.

A delivery is what one transaction has stored. Its number is the number of its last message in the
count above. So the numbers tell, after a restart too and whatever has been forgotten in between,
how many messages have come after a delivery. For that the latest number is never lost while
anything older is remembered. A row stays as it was written until nothing of it is remembered, so a
restart may bring back a part of it that was forgotten; it is as old as it was, so no harm comes of
it at a broker that gives out its packet ids in turn.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from models.catalog import LONGEST_NAME
from scheduler_app.intake.deliveries import DIGEST_SIZE, ENTRY, Acknowledged, Arrival, Delivery, Known, Rows
from scheduler_app.mqtt.message import Message
from scheduler_app.mqtt.numbering import Numbering, latest_packet_id

# So many new messages later, a message is forgotten at the latest: fewer than there are packet ids.
REMEMBERED = 60_000
# So many messages may be taken in on a connection without proof that the broker has worked off
# their acknowledgements. With one more batch (ingest.MAX_BATCH) it is fewer than REMEMBERED. As many
# as can be, since beyond them we are as slow as a broker that saves all that waits at each of them.
MOST_UNPROVEN = 58_000

# Of so many topics the beginning of what is digested is remembered; not if too long for a series.
_REMEMBERED_TOPICS = 10_000


class Redeliveries:
    """Remembers the deliveries of the session whose messages the broker may send again."""

    def __init__(self, stored: Iterable[tuple[int, bytes]] = (), remembered: int = REMEMBERED) -> None:
        """Begin with `stored`: the rows of earlier deliveries, in the order of their numbers."""
        self._remembered = remembered
        # How many new messages there have been.
        self._position = 0
        # The latest number in the table, 0 if it is empty.
        self._latest = 0
        # packet id -> the delivery that remembers it: always one whose `packets` hold it
        self._owners: dict[int, Delivery] = {}
        # In order, to be looked at when they are old; some may hold nothing any more.
        self._deliveries: deque[Delivery] = deque()
        # The numbers of deliveries of which nothing is remembered, but whose rows are in the table.
        self._empty: list[int] = []
        # By number: those whose rows hold packet ids that they have lost.
        self._outdated: dict[int, Delivery] = {}
        # The number of a row that was emptied, and kept because it is the latest; 0 if there is none.
        self._kept = 0
        # What has been acknowledged on this connection since the latest proof, and how many messages.
        self._acknowledged: deque[Acknowledged] = deque()
        self.unproven = 0
        # How many of these batches there were when the proof was asked for.
        self._asked = 0
        self._beginnings: dict[str, bytes] = {}
        # Whether a message that the broker flags may be told by its packet id.
        self._keeps_packet_ids = True
        # Whether the latest message is acknowledged with the next batch only, and which that is.
        self._one_is_held = False
        self._held: Known | None = None
        # Whether no message has come on this connection yet.
        self._connection_begins = True
        # The one that was held when the proof was asked for.
        self._held_when_asked: Known | None = None
        for number, packets in stored:
            self._load(number, packets)

    @property
    def position(self) -> int:
        """How many new messages there have been; grows only."""
        return self._position

    def set_numbering(self, numbering: Numbering) -> None:
        """Take note of what the broker does with packet ids: before the first message of a connection."""
        self._keeps_packet_ids = numbering is not Numbering.RENUMBERED
        self._one_is_held = numbering.one_is_held

    def look_at(self, messages: Sequence[Message]) -> Arrival:
        """Find out which of `messages`, that are to share a transaction, have come before."""
        if self._one_is_held and self._connection_begins:
            self._begin_numbering(messages)
        owners, beginnings, keeps_packet_ids = self._owners, self._beginnings, self._keeps_packet_ids
        repeated: set[int] = set()
        packets: dict[int, bytes] = {}
        known: list[tuple[int, Delivery]] = []
        acknowledged = 0
        for place, (topic, payload, qos, _, duplicate, packet_id, _) in enumerate(messages):
            if qos != 1:
                continue
            acknowledged += 1
            beginning = beginnings.get(topic) or self._beginning(topic)
            digest = blake2b(beginning + payload, digest_size=DIGEST_SIZE).digest()
            if duplicate and keeps_packet_ids:
                if packet_id in packets:
                    if packets[packet_id] == digest:
                        repeated.add(place)
                        continue
                elif packet_id in owners and owners[packet_id].packets[packet_id] == digest:
                    repeated.add(place)
                    known.append((packet_id, owners[packet_id]))
                    continue
            packets[packet_id] = digest
        latest = latest_packet_id(messages) if self._one_is_held else None
        return Arrival(repeated, acknowledged, acknowledged - len(repeated), packets, known, latest)

    def rows(self, arrival: Arrival) -> Rows:
        """Return what to write of `arrival` in its transaction, and what to delete in it."""
        if not arrival.new:
            return self.forgotten()
        position = self._position + arrival.new
        self._forget_old(position)
        deleted = self._deletable()
        return Rows([*self._rewritten(), Delivery(position, position, arrival.packets).row()], deleted)

    def record(self, arrival: Arrival, rows: Rows) -> None:
        """Remember `arrival`, which has been stored, and whose `rows` have."""
        delivery = None
        if arrival.new:
            self._position += arrival.new
            self._latest = self._position
            self._empty.clear()
            self._kept = 0
            self._note_rewritten(rows)
            delivery = Delivery(self._position, self._position, arrival.packets)
            self._remember(delivery)
        else:
            self.forget(rows)
        self._acknowledge(arrival, delivery)

    def pass_by(self, arrival: Arrival) -> None:
        """Take note of `arrival`, of which nothing has to be stored: it uses up packet ids all the same."""
        for packet_id in self._owners.keys() & arrival.packets.keys():
            self._forget(packet_id)
        self._position += arrival.new
        self._forget_old(self._position)
        self._acknowledge(arrival, None)

    def begin_connection(self) -> None:
        """Take note that from now on messages come, and are acknowledged, on another connection."""
        self._acknowledged.clear()
        self.unproven = self._asked = 0
        self._held = self._held_when_asked = None
        self._connection_begins = True

    def ask(self) -> None:
        """Take note that proof is asked for that what was acknowledged so far has arrived."""
        self._asked = len(self._acknowledged)
        self._held_when_asked = self._held

    def prove(self) -> None:
        """Forget what had been acknowledged when proof was asked for, since it has come."""
        for _ in range(self._asked):
            messages, delivery, known = self._acknowledged.popleft()
            self.unproven -= messages
            if delivery is not None:
                self._forget_acknowledged(delivery)
            for packet_id, owner in known:
                if self._owners.get(packet_id) is owner and (packet_id, owner) != self._held_when_asked:
                    self._forget(packet_id)
        self._asked = 0

    @property
    def anything_to_delete(self) -> bool:
        """Whether the table holds what is forgotten."""
        return bool(self._empty or self._outdated or (self._kept and not self._owners))

    def forgotten(self) -> Rows:
        """Return what to change in the table for what is forgotten, if nothing new is written."""
        if self._owners and self._latest in self._empty:
            # those that are remembered are counted from it
            deleted = [number for number in self._empty if number != self._latest]
            return Rows([*self._rewritten(), (self._latest, b"")], deleted)
        deleted = list(self._empty) if self._owners else self._deletable()
        return Rows(self._rewritten(), deleted)

    def forget(self, rows: Rows) -> None:
        """Take note that `rows`, as `forgotten` returned them, have been changed."""
        emptied = [number for number, packets in rows.written if not packets]
        if emptied:
            [self._kept] = emptied
        elif self._kept in rows.deleted:
            self._kept = 0
        self._note_rewritten(rows)
        gone = {*rows.deleted, self._kept}
        self._empty = [number for number in self._empty if number not in gone]

    def all_rows(self) -> list[int]:
        """Return the numbers of all deliveries in the table."""
        return self._deletable() + [one.number for one in self._deliveries if one.packets]

    def forget_everything(self) -> None:
        """Forget all, since the session has ended, and `all_rows` are deleted."""
        self.begin_connection()
        self._owners.clear()
        self._deliveries.clear()
        self._empty.clear()
        self._outdated.clear()
        self._latest = self._kept = 0

    def _load(self, number: int, packets: bytes) -> None:
        entries = dict(ENTRY.iter_unpack(packets[: len(packets) // ENTRY.size * ENTRY.size]))
        self._position = max(number, self._position + len(entries))
        self._latest = number
        if entries:
            self._remember(Delivery(number, self._position, entries))
        else:
            self._empty = self._deletable()
            self._kept = number
        self._forget_old(self._position)

    def _remember(self, delivery: Delivery) -> None:
        packets = delivery.packets
        for packet_id in self._owners.keys() & packets.keys():
            self._forget(packet_id)
        self._owners.update(dict.fromkeys(packets, delivery))
        self._deliveries.append(delivery)

    def _acknowledge(self, arrival: Arrival, delivery: Delivery | None) -> None:
        if not arrival.acknowledged:
            return
        known = arrival.known
        if self._one_is_held and arrival.latest is not None:
            if self._held is not None:
                known = [*known, self._held]  # it is acknowledged with these
            owner = self._owners.get(arrival.latest)
            self._held = None if owner is None else (arrival.latest, owner)
        self._acknowledged.append(Acknowledged(arrival.acknowledged, delivery, known))
        self.unproven += arrival.acknowledged

    def _rewritten(self) -> list[tuple[int, bytes]]:
        """Return the rows that are to be written anew.

        A packet id that a delivery has lost is still in its row. While the row of the delivery that has it
        now is there too that does no harm; without it, the id would be remembered again after a restart.
        """
        return [delivery.row() for delivery in self._outdated.values()]

    def _note_rewritten(self, rows: Rows) -> None:
        for number, _ in rows.written:
            if (delivery := self._outdated.pop(number, None)) is not None:
                delivery.outdated = False

    def _deletable(self) -> list[int]:
        return [*self._empty, self._kept] if self._kept else list(self._empty)

    def _forget_old(self, position: int) -> None:
        """Forget what is too old when there have been `position` new messages."""
        oldest = position - self._remembered
        while self._deliveries:
            delivery = self._deliveries[0]
            if delivery.packets and delivery.position > oldest:
                break
            self._deliveries.popleft()
            self._forget_all(delivery)

    def _begin_numbering(self, messages: Sequence[Message]) -> None:
        """Forget what came before if a broker that always waits for one message begins with 1 again.

        Then it was restarted, and has given new packet ids to all that waits.
        """
        first = next((message for message in messages if message.qos == 1), None)
        if first is None:
            return
        self._connection_begins = False
        if first.packet_id == 1:
            for delivery in self._deliveries:
                self._forget_all(delivery)

    def _forget_acknowledged(self, delivery: Delivery) -> None:
        """Forget a delivery, but for the message that was held when the proof was asked for."""
        held, owner = self._held_when_asked or (None, None)
        if owner is not delivery:
            self._forget_all(delivery)
            return
        for packet_id in [one for one in delivery.packets if one != held]:
            self._forget(packet_id)

    def _forget_all(self, delivery: Delivery) -> None:
        if delivery.packets:
            for packet_id in delivery.packets:
                del self._owners[packet_id]
            delivery.packets.clear()
            self._empty.append(delivery.number)
            self._outdated.pop(delivery.number, None)

    def _forget(self, packet_id: int) -> None:
        delivery = self._owners.pop(packet_id)
        del delivery.packets[packet_id]
        if not delivery.packets:
            self._empty.append(delivery.number)
            self._outdated.pop(delivery.number, None)
        elif not delivery.outdated:
            delivery.outdated = True
            self._outdated[delivery.number] = delivery

    def _beginning(self, topic: str) -> bytes:
        """Return what stands before the payload in what is digested; its length keeps the two apart."""
        encoded = topic.encode(errors="surrogatepass")
        if len(self._beginnings) >= _REMEMBERED_TOPICS:
            self._beginnings.clear()
        beginning = b"%d:%b" % (len(encoded), encoded)
        if len(topic) <= LONGEST_NAME:
            self._beginnings[topic] = beginning
        return beginning
