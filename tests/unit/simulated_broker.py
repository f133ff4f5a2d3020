"""A broker as bad as Mosquitto 2.0.11 after an outage, in one thread and with few packet ids.

It numbers what it sends as Mosquitto does, or as another broker: see Numbering.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from scheduler_app.mqtt.holding import LatestHeld
from scheduler_app.mqtt.message import Message
from scheduler_app.mqtt.numbering import Numbering
from tests.unit.messages import message


class Killed(Exception):
    """Ends the subscriber at once, as SIGKILL would."""


@dataclass
class Waiting:
    """A message that is not acknowledged."""

    payload: bytes
    # 0: it has none yet.
    packet_id: int = 0
    # Whether it has been handed to the connection, so that the next time it has the DUP flag.
    sent: bool = False


class SimulatedBroker:
    """Keeps one session: hands out packet ids in turn, and sends what is not acknowledged again.

    It works off our packets in order, and now and then only. For each PUBACK it sends up to `window`
    more messages, however many are in flight, and its answers come behind all it has sent.
    """

    def __init__(self, packet_ids: int, window: int, numbering: Numbering = Numbering.IN_TURN) -> None:
        self.numbering = numbering
        self._packet_ids = packet_ids
        self._window = window
        self._latest_id = 0
        # In order: what waits, of which those at the beginning are in flight.
        self._waiting: deque[Waiting] = deque()
        self._in_flight = 0
        # The two directions of the connection; in ours, None is a request for proof.
        self._to_client: deque[Message | None] = deque()
        self._from_client: deque[int | None] = deque()

    @property
    def all_acknowledged(self) -> bool:
        return not self._waiting

    @property
    def in_flight(self) -> int:
        return self._in_flight

    def waits_only_for(self, packet_id: int | None) -> bool:
        """Whether the message with this packet id is all that is not acknowledged."""
        return [one.packet_id for one in self._waiting] == [packet_id]

    def publish(self, payload: bytes) -> None:
        self._waiting.append(Waiting(payload))

    def connect(self) -> None:
        """Begin a connection: all that is in flight first, with DUP if it was sent."""
        self._to_client.clear()
        self._from_client.clear()
        flying, self._in_flight = self._in_flight, 0
        if self.numbering in (Numbering.RENUMBERED, Numbering.UNFLAGGED):
            self._latest_id = 0
            for one in self._waiting:
                one.packet_id = 0
        self._send(max(flying, self._window))

    def send_waiting(self) -> None:
        """Send what has been published, as far as the window allows."""
        self._send(max(0, self._window - self._in_flight))

    def send_again(self) -> None:
        """Send all that is in flight once more on the same connection, as NATS does after a while."""
        self._in_flight, flying = 0, self._in_flight
        self._send(flying)

    def receive(self, packets: Sequence[int | None]) -> None:
        self._from_client += packets

    def work_off(self, count: int) -> None:
        """Work off so many of the client's packets."""
        for _ in range(min(count, len(self._from_client))):
            packet_id = self._from_client.popleft()
            if packet_id is None:
                self._to_client.append(None)
                continue
            if not self._acknowledge(packet_id):
                continue
            self._in_flight -= 1
            if self.numbering is Numbering.REUSED and not self._in_flight:
                self._latest_id = 0
            more = self._window
            if self.numbering is not Numbering.IN_TURN:  # no other is known to send more than fits
                more = max(0, more - self._in_flight)
            self._send(more)

    def work_off_all(self) -> None:
        self.work_off(len(self._from_client))

    def deliver(self, limit: int) -> tuple[list[Message], bool]:
        """Return up to `limit` messages for the client, and whether an answer to a request came with them."""
        messages: list[Message] = []
        answered = False
        while self._to_client and len(messages) < limit:
            packet = self._to_client.popleft()
            if packet is None:
                answered = True
            else:
                messages.append(packet)
        return messages, answered

    def _acknowledge(self, packet_id: int) -> bool:
        """Take a PUBACK; return whether it was that of a message in flight."""
        if self.numbering is Numbering.REUSED:  # one that was sent twice is acknowledged twice
            for place in range(self._in_flight):
                if self._waiting[place].packet_id == packet_id:
                    del self._waiting[place]
                    return True
            return False
        first = self._waiting.popleft()
        assert first.packet_id == packet_id, "acknowledged out of order"
        return True

    def _next_id(self) -> int:
        self._latest_id = self._latest_id % self._packet_ids + 1
        return self._latest_id

    def _send(self, count: int) -> None:
        for place in range(self._in_flight, min(self._in_flight + count, len(self._waiting))):
            one = self._waiting[place]
            one.packet_id = one.packet_id or self._next_id()
            flagged = one.sent and self.numbering is not Numbering.UNFLAGGED
            self._to_client.append(message(one.payload, packet_id=one.packet_id, duplicate=flagged))
            one.sent = True
            self._in_flight += 1


class SimulatedSession:
    """A session of the loop at such a broker, with faults at random: see the Session of the loop."""

    may_connect_at_once = True
    subscribed = True

    def __init__(self, broker: SimulatedBroker, random: Random, most_at_once: int) -> None:
        self._broker = broker
        self._random = random
        self._most_at_once = most_at_once
        self.connected = self.one_is_held = False
        self.faults = True
        self.renewals = 0
        self._asked = self._answered = False
        self.latest = LatestHeld()

    def connect(self) -> bool:
        self.connected = True
        self.latest.begin_connection()
        self._asked = self._answered = False
        self._broker.connect()
        return True

    def receive(self, limit: int, timeout: float) -> list[Message]:
        self._broker.work_off(self._random.choice([0, 0, 1, 1, 3, 10]))
        self._broker.send_waiting()
        if self._broker.numbering is Numbering.REUSED and self._random.random() < 0.02:
            self._broker.send_again()
        if not self.faults:
            self._broker.work_off_all()
        messages, answered = self._broker.deliver(self._random.randint(1, self._most_at_once))
        self._answered = self._answered or answered
        self._may_fail()
        return messages

    def acknowledge(self, batch: Sequence[Message]) -> None:
        self._may_fail()
        if self.connected:
            packet_ids = [one.packet_id for one in batch]
            self._broker.receive(self.latest.take(packet_ids) if self.one_is_held else packet_ids)
            self._may_fail()

    def request_proof(self) -> bool:
        if self._asked or not self.connected:
            return False
        self._broker.receive([None])
        self._asked = True
        return True

    def take_proof(self) -> bool:
        answered, self._answered = self._answered, False
        self._asked = self._asked and not answered
        return answered

    def leave(self) -> bool:
        self.renewals += 1
        self._may_fail()
        if self.connected:
            self._broker.work_off_all()
            self.connected = False
        return True

    def _may_fail(self) -> None:
        """Lose the connection or be killed, and with it what the broker has not worked off."""
        chance = self._random.random() if self.faults else 1.0
        if chance < 0.02:
            self.connected = False
        elif chance < 0.04:
            raise Killed

    def maintain(self) -> None: ...
    def hold(self) -> None: ...
    def take_session_loss(self) -> bool:
        return False

    def subscribe(self) -> None: ...
    def wake(self) -> None: ...
    def sleep(self, timeout: float) -> None: ...
    def gather(self, timeout: float) -> None: ...
    def disconnect(self) -> None: ...
