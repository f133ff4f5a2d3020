"""A small web server before the page, as nginx is one: it takes a prefix off each address."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.ports import HOST


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Serve while inside; yields the port."""
    server = ThreadingHTTPServer((HOST, 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def prefixed(prefix: str, port: int) -> type[BaseHTTPRequestHandler]:
    """Return what passes requests below a prefix on to the server at a port, and answers no others."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith(prefix):
                self.send_error(404)
                return
            with closing(http.client.HTTPConnection(HOST, port)) as connection:
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                connection.request("GET", self.path.removeprefix(prefix.rstrip("/")), headers=headers)
                response = connection.getresponse()
                self.send_response(response.status)
                for name, value in response.getheaders():
                    if name.lower() not in ("connection", "transfer-encoding", "date", "server"):
                        self.send_header(name, value)
                self.end_headers()
                try:
                    while part := response.read1():
                        self.wfile.write(part)
                        self.wfile.flush()
                except OSError:  # the browser has closed its side
                    pass

        def log_message(self, *arguments: object) -> None: ...

    return Handler


def showing(content: str) -> type[BaseHTTPRequestHandler]:
    """Return what answers every request with a page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = content.encode()
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None: ...

    return Handler
