"""A broker of one client that numbers its packets in a given way, in a thread of its own."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from scheduler_app.mqtt.numbering import Numbering
from tests.support.ports import HOST


class NumberingBroker:
    """Speaks as much of MQTT 3.1.1 as is needed to find out its numbering. Listens while entered."""

    def __init__(self, numbering: Numbering, *, grants: int = 1, sends_again: bool = True) -> None:
        """`grants`: the code of its SUBACK."""
        self._numbering = numbering
        self._grants = grants
        self._sends_again = sends_again
        self._latest_id = 0
        # By packet id, the bodies of what is not acknowledged behind it.
        self._waiting: dict[int, tuple[bytes, bytes]] = {}
        # Whether each CONNECT asked for a clean session.
        self.clean: list[bool] = []
        self._listener = socket.create_server((HOST, 0))
        self._thread = threading.Thread(target=self._serve)

    @property
    def address(self) -> str:
        return f"mqtt://{HOST}:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection, suppress(ConnectionError), connection.makefile("rb") as stream:
                    while first := stream.read(1):
                        body = stream.read(stream.read(1)[0])
                        if not self._answer(connection, first[0], body):
                            break

    def _answer(self, connection: socket.socket, first: int, body: bytes) -> bool:
        match first >> 4:
            case 1:
                clean = bool(body[7] & 2)
                self.clean.append(clean)
                connection.sendall(bytes([0x20, 2, not clean, 0]))
                self._begin(connection)
            case 8:
                connection.sendall(bytes([0x90, 3]) + body[:2] + bytes([self._grants]))
            case 3:
                end = 2 + int.from_bytes(body[:2])
                connection.sendall(bytes([0x40, 2]) + body[end : end + 2])
                self._send(connection, (body[:end], body[end + 2 :]))
            case 4:
                del self._waiting[int.from_bytes(body)]
                if self._numbering is Numbering.REUSED and not self._waiting:
                    self._latest_id = 0
            case 14:
                return False
        return True

    def _begin(self, connection: socket.socket) -> None:
        if not self._sends_again:
            return
        again, self._waiting = self._waiting, {}
        if self._numbering in (Numbering.RENUMBERED, Numbering.UNFLAGGED):
            self._latest_id = 0
        for packet_id, message in again.items():
            keeps = self._numbering in (Numbering.IN_TURN, Numbering.REUSED)
            self._send(connection, message, packet_id if keeps else None, again=True)

    def _send(
        self,
        connection: socket.socket,
        message: tuple[bytes, bytes],
        packet_id: int | None = None,
        *,
        again: bool = False,
    ) -> None:
        if packet_id is None:
            self._latest_id += 1
            packet_id = self._latest_id
        self._waiting[packet_id] = message
        flag = 8 if again and self._numbering is not Numbering.UNFLAGGED else 0
        topic, payload = message
        body = topic + packet_id.to_bytes(2) + payload
        connection.sendall(bytes([0x32 | flag, len(body)]) + body)
