"""What a client asks the page, over a real connection."""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

from tests.support.ports import HOST


class Answer(NamedTuple):
    """What came back. The names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def content(self) -> Any:
        return json.loads(self.text)


def ask(port: int, address: str, headers: Mapping[str, str] | None = None, *, host: str = HOST) -> Answer:
    """Return the answer to a request on a connection of its own."""
    with closing(http.client.HTTPConnection(host, port, timeout=30)) as connection:
        connection.request("GET", address, headers=dict(headers or {}))
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read().decode())


@contextmanager
def events(port: int) -> Iterator[Iterator[dict[str, Any]]]:
    """Have a stream of events while inside: what each tells."""
    with closing(http.client.HTTPConnection(HOST, port, timeout=30)) as connection:
        connection.request("GET", "/api/v1/events")
        response = connection.getresponse()
        assert response.status == 200
        assert response.getheader("content-type", "").startswith("text/event-stream")
        yield (json.loads(line.removeprefix(b"data: ")) for line in response if line.startswith(b"data: "))
