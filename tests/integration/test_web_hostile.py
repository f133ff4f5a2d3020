"""Clients of the page that are slow, rude or many, on real connections."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from uvicorn import Server

from scheduler_app.web import bounded_http
from scheduler_app.web.guard import LARGEST_HEAD, Guard
from scheduler_app.web.role import server_config
from tests.support.ports import HOST
from tests.support.waiting import wait_for

LARGE = b"x" * 50_000_000
REQUEST = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def small(request: Request) -> Response:
    return PlainTextResponse("small")


async def large(request: Request) -> Response:
    return Response(LARGE)


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "REQUEST_TIMEOUT", 0.4)
    monkeypatch.setattr(bounded_http, "READING_TIMEOUT", 0.6)


@pytest.fixture
def port() -> Iterator[int]:
    """Have a server listen as the role's does, with an application of its own."""
    app = Guard(Starlette(routes=[Route("/small", small), Route("/large", large)]), None, ())
    listener = socket.create_server((HOST, 0))
    server = Server(server_config(app))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        wait_for(lambda: server.started, "the server")
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def connect(port: int, *sent: bytes) -> socket.socket:
    connection = socket.create_connection((HOST, port), timeout=20)
    for part in sent:
        connection.sendall(part)
    return connection


def answer(connection: socket.socket) -> bytes:
    """Return what comes until the connection is closed."""
    found = b""
    with connection, suppress(ConnectionError):
        while part := connection.recv(65536):
            found += part
    return found


def is_answered(port: int) -> bool:
    with connect(port, REQUEST % b"small") as connection:
        return connection.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /small HT", REQUEST % b"small" + b"GET /sm"],
    ids=["nothing", "a part", "one, and a part of another"],
)
def test_a_request_that_does_not_come_to_its_end_ends_the_connection(port: int, sent: bytes) -> None:
    assert answer(connect(port, sent)).count(b"200 OK") == sent.count(b"\r\n\r\n")
    assert is_answered(port)


@pytest.mark.usefixtures("short_timeouts")
def test_a_client_that_sends_a_byte_now_and_then_is_not_waited_for(port: int) -> None:
    connection = connect(port, b"GET /small HTTP/1.1\r\n")

    def sends_on() -> bool:
        connection.sendall(b"X")
        time.sleep(0.05)
        return True

    def ended() -> bool:
        try:
            return not sends_on()
        except ConnectionError:
            return True

    wait_for(ended, "the end of the connection", timeout=20)
    connection.close()


@pytest.mark.usefixtures("short_timeouts")
def test_an_answer_that_nobody_reads_ends_the_connection(port: int) -> None:
    connection = connect(port, REQUEST % b"large")
    connection.recv(1)
    # the rest lies here and there in buffers; what comes after a pause is what was in them
    time.sleep(2.0)
    assert len(answer(connection)) < len(LARGE)
    assert is_answered(port)


def test_an_answer_that_is_read_slowly_comes_to_its_end(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    timeout = 1.5  # longer than a busy machine keeps us from reading
    monkeypatch.setattr(bounded_http, "REQUEST_TIMEOUT", timeout)
    monkeypatch.setattr(bounded_http, "READING_TIMEOUT", timeout)
    connection = connect(port, REQUEST % b"large")
    length, started = 0, time.monotonic()
    while length < len(LARGE):
        part = connection.recv(1_000_000)
        assert part, f"closed after {length} bytes and {time.monotonic() - started:.1f} s"
        length += len(part)
        time.sleep(2 * timeout * len(part) / len(LARGE))
    connection.close()
    assert time.monotonic() - started > 2 * timeout


def test_a_head_that_is_too_large_is_refused(port: int) -> None:
    head = b"GET /small HTTP/1.1\r\nHost: localhost\r\nX: "
    room = LARGEST_HEAD - len(head) - 4
    assert answer(connect(port, head, b"a" * (room + 5000))).startswith(b"HTTP/1.1 400")
    with connect(port, head + b"a" * (room - 1000) + b"\r\n\r\n") as connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01", b"rubbish\r\n\r\n", b"\x00" * 100])
def test_what_is_no_http_is_refused(port: int, sent: bytes) -> None:
    assert answer(connect(port, sent, b"\r\n\r\n")).startswith(b"HTTP/1.1 400")
    assert is_answered(port)


def test_a_body_is_not_waited_for(port: int) -> None:
    head = b"GET /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n"
    assert answer(connect(port, head)).startswith(b"HTTP/1.1 413")


def test_only_so_many_connections_are_answered(port: int) -> None:
    with ExitStack() as stack:

        def open_some(number: int) -> None:
            for _ in range(number):
                stack.enter_context(connect(port))

        open_some(bounded_http.MOST_CONNECTIONS - 1)
        assert answer(connect(port, REQUEST % b"small")).startswith(b"HTTP/1.1 503")
        open_some(100)
        assert answer(connect(port, REQUEST % b"small")) == b""
    wait_for(lambda: is_answered(port), "an answer when there is room again")
