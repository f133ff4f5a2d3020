import base64

import pytest

from scheduler_app.web.guard import HEADERS, LARGEST_HEAD, LONGEST_ADDRESS, OPEN
from tests.unit.web_pages import Pages, pages

TOKEN = "a-secret-word:?0"
ADDRESS = "/api/v1/series"


@pytest.fixture
def open_pages() -> Pages:
    return pages()


@pytest.fixture
def guarded() -> Pages:
    return pages(web_token=TOKEN)


def basic(password: str, user: str = "anybody") -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.mark.parametrize(
    "address", ["/", ADDRESS, "/api/v1/nothing", "/healthz", "/static/nothing", "/nothing"]
)
def test_every_answer_tells_browsers_to_load_nothing_from_elsewhere(open_pages: Pages, address: str) -> None:
    headers = open_pages.client.get(address).headers
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "access-control-allow-origin" not in headers


def test_refusals_have_these_headers_too(guarded: Pages) -> None:
    headers = guarded.client.get(ADDRESS).headers
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8080", "localhost:9", "LOCALHOST", "[::1]:8080", "127.3.2.1", "a.localhost:80"],
)
def test_the_names_of_this_machine_are_answered(open_pages: Pages, host: str) -> None:
    assert open_pages.client.get(ADDRESS, headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "evil.example:8080",
            "192.168.1.5:8080",
            "localhost.evil.example",
            "127.0.0.1.evil",
        ),
        *("", "[::2]", "127.0.0.1:80:80", "localhost/evil", "a@localhost", "localhost:123456"),
    ],
)
def test_other_names_are_refused_without_a_token(open_pages: Pages, host: str) -> None:
    """A page elsewhere could have its own name point to this machine."""
    answer = open_pages.client.get(ADDRESS, headers={"host": host})
    assert answer.status_code == 421
    assert "WEB_ALLOWED_HOSTS" in answer.text


def test_names_that_were_allowed_are_answered() -> None:
    found = pages(web_allowed_hosts="averages.example, 192.168.1.5,[2001:db8::1]")
    for host in (
        "averages.example",
        "Averages.Example:443",
        "averages.example.",
        "192.168.1.5",
        "[2001:db8::1]:1",
    ):
        assert found.client.get(ADDRESS, headers={"host": host}).status_code == 200
    assert found.client.get(ADDRESS, headers={"host": "example"}).status_code == 421


@pytest.mark.parametrize("given", [basic(TOKEN), basic(TOKEN, ""), f"Bearer {TOKEN}", f"bearer  {TOKEN} "])
def test_who_knows_the_token_is_answered_under_every_name(guarded: Pages, given: str) -> None:
    for host in ("127.0.0.1", "averages.example"):
        answer = guarded.client.get(ADDRESS, headers={"host": host, "authorization": given})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        *(
            "",
            "Bearer",
            f"Bearer {TOKEN}x",
            f"Bearer {TOKEN[:-1]}",
            f"Digest {TOKEN}",
            TOKEN,
            basic(TOKEN + "x"),
        ),
        *("Basic %%%", "Basic " + base64.b64encode(TOKEN.encode()).decode(), basic(""), "Bearer \xff"),
    ],
)
def test_who_does_not_know_the_token_is_asked_for_it(guarded: Pages, given: str) -> None:
    for address in ("/", ADDRESS, "/metrics", "/static/index.html", "/api/v1/events"):
        answer = guarded.client.get(address, headers={b"authorization": given.encode("latin-1")})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert TOKEN not in answer.text


@pytest.mark.parametrize("address", OPEN)
def test_whether_all_is_well_is_told_to_everybody(guarded: Pages, address: str) -> None:
    assert guarded.client.get(address, headers={"host": "10.0.0.7"}).status_code in (200, 503)


def test_pages_of_other_sites_get_nothing(open_pages: Pages) -> None:
    for address in ("/", ADDRESS, "/metrics"):
        answer = open_pages.client.get(address, headers={"sec-fetch-site": "cross-site"})
        assert answer.status_code == 403
    for site in ("same-origin", "same-site", "none"):
        assert open_pages.client.get(ADDRESS, headers={"sec-fetch-site": site}).status_code == 200


def test_a_link_elsewhere_leads_to_the_page_and_to_nothing_else(open_pages: Pages) -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert open_pages.client.get("/", headers=link).status_code == 200
    assert open_pages.client.get(ADDRESS, headers=link).status_code == 403
    assert open_pages.client.get("/", headers={**link, "sec-fetch-dest": "iframe"}).status_code == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_written(open_pages: Pages, method: str) -> None:
    for address in ("/", ADDRESS, "/healthz"):
        answer = open_pages.client.request(method, address)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, HEAD"


def test_all_names_can_be_allowed_where_a_proxy_decides_who_may_see_the_page() -> None:
    found = pages(web_allowed_hosts=" * ")
    assert found.client.get(ADDRESS, headers={"host": "any.example:8123"}).status_code == 200
    assert found.client.get(ADDRESS, headers={"host": "a:b:c"}).status_code == 421


def test_the_head_of_an_answer_can_be_asked_for(open_pages: Pages) -> None:
    answer = open_pages.client.head(ADDRESS)
    assert answer.status_code == 200
    assert answer.content == b""
    assert open_pages.client.head("/api/v1/events").status_code == 200


@pytest.mark.parametrize("headers", [{"content-length": "1"}, {"transfer-encoding": "chunked"}])
def test_a_request_with_a_body_is_refused_and_its_connection_closed(
    open_pages: Pages, headers: dict[str, str]
) -> None:
    answer = open_pages.client.get(ADDRESS, headers=headers)
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert open_pages.client.get(ADDRESS, headers={"content-length": "0"}).status_code == 200


def test_a_large_head_is_refused_also_if_it_comes_in_one_piece(open_pages: Pages) -> None:
    own = [("accept", "*/*"), ("accept-encoding", ""), ("connection", "close"), ("user-agent", "")]
    used = len("/healthz") + sum(len(name) + len(value) + 4 for name, value in own)
    used += len("host") + len("127.0.0.1:8080") + 4
    for number in (1, 100):  # of headers
        left = LARGEST_HEAD - used - number * (len("x") + 4)
        first = left - (number - 1) * 10
        more = [("x", "a" * 10)] * (number - 1)
        for length, status in ((first, 200), (first + 1, 431)):
            headers = [*own, ("x", "a" * length), *more]
            answer = open_pages.client.get("/healthz", headers=headers)
            assert answer.status_code == status
    assert answer.text == "the head of a request may have 16384 bytes\n"


def test_a_long_address_is_refused(open_pages: Pages) -> None:
    room = LONGEST_ADDRESS - len("/nothing")
    assert open_pages.client.get(f"/nothing?{'a' * room}").status_code == 404
    assert open_pages.client.get(f"/nothing?{'a' * (room + 1)}").status_code == 414
