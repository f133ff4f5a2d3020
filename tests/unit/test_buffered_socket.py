import select
import socket
import sys
from collections.abc import Iterator

import pytest
from paho.mqtt.client import _WebsocketWrapper

from scheduler_app.mqtt import buffered_socket
from scheduler_app.mqtt.buffered_socket import BufferedSocket
from tests.support.certificates import Certificates
from tests.support.ports import HOST
from tests.support.waiting import TIMEOUT
from tests.unit.transports import connected_pair

ROOM = 100


@pytest.fixture(params=["TCP", "TLS"])
def ends(request: pytest.FixtureRequest) -> Iterator[tuple[BufferedSocket, socket.socket]]:
    """Our end of a connection, and the other one."""
    certificates: Certificates | None = (
        request.getfixturevalue("certificates") if request.param == "TLS" else None
    )
    with connected_pair(certificates) as (ours, theirs):
        sock = BufferedSocket(ours, reads_ahead=True)
        sock.setblocking(False)
        theirs.settimeout(TIMEOUT)
        yield sock, theirs


def await_bytes(sock: BufferedSocket) -> None:
    assert select.select([sock], [], [], TIMEOUT)[0]


def test_what_has_come_is_read_ahead(ends: tuple[BufferedSocket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(b"abcdef")
    await_bytes(ours)
    assert ours.recv(1) == b"a"
    assert ours.peek() == b"bcdef"
    assert ours.pending() == 5
    ours.skip(2)
    assert ours.recv(2) == b"de"
    assert ours.recv(9) == b"f"
    assert ours.pending() == 0


def test_many_pieces_are_read_at_once(ends: tuple[BufferedSocket, socket.socket]) -> None:
    """Over TLS each is a record, which is handed out by itself."""
    ours, theirs = ends
    for _ in range(50):
        theirs.sendall(b"ab")
    await_bytes(ours)
    ours.fill()
    assert ours.peek() == 50 * b"ab"


def test_what_comes_later_is_behind_what_is_kept(ends: tuple[BufferedSocket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(b"abc")
    await_bytes(ours)
    ours.fill()
    ours.skip(1)
    theirs.sendall(b"def")
    await_bytes(ours)
    ours.fill()
    assert ours.peek() == b"bcdef"


def test_it_is_known_when_no_more_had_come(ends: tuple[BufferedSocket, socket.socket]) -> None:
    """So that nobody looks once more for nothing."""
    ours, theirs = ends
    assert not ours.exhausted
    theirs.sendall(b"ab")
    await_bytes(ours)
    ours.fill()
    assert not ours.exhausted  # before all of it is handed out
    ours.skip(1)
    assert not ours.exhausted
    ours.skip(1)
    assert ours.exhausted


@pytest.mark.parametrize(("size", "exhausted"), [(ROOM - 1, True), (ROOM, False)])
def test_more_may_have_come_than_there_was_room_for(
    ends: tuple[BufferedSocket, socket.socket], monkeypatch: pytest.MonkeyPatch, size: int, exhausted: bool
) -> None:
    monkeypatch.setattr(buffered_socket, "READ_SIZE", ROOM)
    ours, theirs = ends
    theirs.sendall(bytes(size))
    await_bytes(ours)
    ours.fill()
    ours.skip(size)
    assert ours.exhausted == exhausted
    with pytest.raises(BlockingIOError):
        ours.fill()
    assert ours.exhausted


@pytest.mark.parametrize("more", [0, 1])
def test_no_more_is_read_ahead_than_there_is_room_for(
    ends: tuple[BufferedSocket, socket.socket], monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    monkeypatch.setattr(buffered_socket, "READ_SIZE", ROOM)
    ours, theirs = ends
    theirs.sendall(bytes(ROOM + more))
    await_bytes(ours)
    ours.fill()
    assert len(ours.peek()) == ROOM
    ours.fill()
    assert len(ours.peek()) == ROOM
    ours.skip(ROOM)
    if more:
        assert ours.recv(ROOM) == b"\0"
    with pytest.raises(BlockingIOError):
        ours.fill()


def test_nothing_that_has_come_is_told_and_keeps_what_is_there(
    ends: tuple[BufferedSocket, socket.socket],
) -> None:
    ours, theirs = ends
    for read in (ours.fill, lambda: ours.recv(1)):
        with pytest.raises(BlockingIOError):
            read()
    theirs.sendall(b"ab")
    await_bytes(ours)
    assert ours.recv(1) == b"a"
    with pytest.raises(BlockingIOError):
        ours.fill()
    assert ours.recv(1) == b"b"


def test_the_end_comes_after_all_that_was_sent(ends: tuple[BufferedSocket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(b"ab")
    theirs.shutdown(socket.SHUT_WR)
    await_bytes(ours)
    ours.fill()
    ours.fill()
    assert ours.peek() == b"ab"
    assert ours.recv(9) == b"ab"
    assert ours.recv(9) == b""
    assert ours.recv(9) == b""


def test_what_is_not_to_be_read_ahead_is_not() -> None:
    with connected_pair() as (inner, theirs):
        ours = BufferedSocket(inner, reads_ahead=False)
        theirs.sendall(b"abc")
        assert ours.recv(1) == b"a"
        assert ours.pending() == 0
        assert inner.recv(9) == b"bc"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can be asked to")
def test_what_comes_can_be_confirmed_at_once_though_we_answer() -> None:
    """Or a broker would keep the next message until then."""

    def confirms_at_once() -> bool:
        return bool(inner.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK))

    with (
        socket.create_server((HOST, 0)) as server,
        socket.create_connection(server.getsockname()) as inner,
        server.accept()[0] as theirs,
    ):
        ours = BufferedSocket(inner, reads_ahead=True)
        ours.send(b"question")
        theirs.sendall(b"answer")
        await_bytes(ours)
        assert ours.recv(9) == b"answer"
        ours.send(b"another")
        assert not confirms_at_once()
        ours.confirm_at_once()
        assert confirms_at_once()


def test_where_that_cannot_be_asked_for_messages_come_all_the_same() -> None:
    """A socket of the system that is no TCP, and paho's for WebSockets, which has no options."""
    with connected_pair() as (inner, theirs):
        ours = BufferedSocket(inner, reads_ahead=True)
        ours.confirm_at_once()
        theirs.sendall(b"abc")
        assert ours.recv(3) == b"abc"
    websocket = _WebsocketWrapper.__new__(_WebsocketWrapper)  # without its handshake
    assert not hasattr(websocket, "setsockopt")
    BufferedSocket(websocket, reads_ahead=False).confirm_at_once()


def test_all_is_sent_in_order_however_little_is_taken(ends: tuple[BufferedSocket, socket.socket]) -> None:
    ours, theirs = ends
    data = bytes(number % 251 for number in range(3_000_000))
    half = len(data) // 2
    assert ours.send(data[:half]) == half
    assert ours.wants_write
    assert ours.send(data[half:]) == len(data) - half
    received = bytearray()
    while len(received) < len(data):
        received += theirs.recv(10_000)
        ours.flush()
    assert received == data
    assert not ours.wants_write


def test_sending_on_a_broken_connection_is_told_by_reading(
    ends: tuple[BufferedSocket, socket.socket],
) -> None:
    ours, theirs = ends
    theirs.close()
    for _ in range(3):
        assert ours.send(b"abc") == 3
    assert ours.recv(1) == b""


def test_what_is_closed_sends_first_what_waits(ends: tuple[BufferedSocket, socket.socket]) -> None:
    ours, theirs = ends
    ours._unsent += b"goodbye"
    ours.close()
    assert theirs.recv(100) == b"goodbye"
