"""Who may ask for what: looked at before anything else is done with a request."""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.broker_address import is_loopback
from config.setting_values import ANY_HOST
from config.text import printable, shortened
from scheduler_app.web.answers import as_text

# What every answer says to the browser: nothing is loaded from elsewhere, nothing runs that is not a file
# of ours, and only pages of the same origin, such as Home Assistant's, may show it in a frame.
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
# They tell nothing but whether all is well, and are asked by programs that know no token.
OPEN = ("/healthz", "/readyz")
# Bytes of an address with its parameters, and of the whole head of a request.
LONGEST_ADDRESS = 8192
LARGEST_HEAD = 16_384
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::\d{1,5})?")
_SHOWN = 60
# Bytes around the name and the value of a header: a colon, a space and a line end.
_AROUND = 4
_CLOSE = {"connection": "close"}


class Guard:
    """Passes on the requests that are allowed, and answers the others in one line."""

    def __init__(self, app: ASGIApp, token: str | None, hosts: Iterable[str]) -> None:
        """`hosts`: the names, beside those of loopback, under which we may be asked without a token."""
        self._app = app
        self._token = None if token is None else token.encode()
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        headers = Headers(scope=scope)
        refusal = _wrong_form(scope, headers) or self._no_access(scope, headers)
        await (self._app if refusal is None else refusal)(scope, receive, send_guarded)

    def _no_access(self, scope: Scope, headers: Headers) -> Response | None:
        """Return what is answered to somebody who may not ask for this, None if they may."""
        if scope["path"] in OPEN:
            return None
        # a page elsewhere whose name was made to point to this machine knows no token
        if self._token is None and not self._is_ours(headers.get("host", "")):
            name = shortened(printable(headers.get("host", "")), _SHOWN)
            return as_text(
                f"'{name}' is no name of this server: set WEB_ALLOWED_HOSTS to the names that a proxy or a "
                "program asks for, or set WEB_TOKEN\n",
                421,
            )
        if headers.get("sec-fetch-site") == "cross-site" and not _follows_a_link(scope, headers):
            return as_text("a page of another site may not ask for this\n", 403)
        if self._token is not None and not self._knows_token(headers.get("authorization", "")):
            return as_text(
                "this needs the token that WEB_TOKEN was set to, as the password or as a bearer token\n",
                401,
                headers={"www-authenticate": 'Basic realm="rolling averages", charset="UTF-8"'},
            )
        return None

    def _is_ours(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match[1].strip("[]").lower()
        return is_loopback(name) or not self._hosts.isdisjoint((name.removesuffix("."), ANY_HOST))

    def _knows_token(self, authorization: str) -> bool:
        assert self._token is not None
        scheme, _, given = authorization.partition(" ")
        given = given.strip()
        if scheme.lower() == "bearer":
            # latin-1 gives the bytes of the header back as they came
            return hmac.compare_digest(given.encode("latin-1", "replace"), self._token)
        if scheme.lower() == "basic":
            try:
                _, _, password = base64.b64decode(given, validate=True).partition(b":")
            except (binascii.Error, ValueError):
                return False
            return hmac.compare_digest(password, self._token)
        return False


def _wrong_form(scope: Scope, headers: Headers) -> Response | None:
    """Return what is answered to a request of a kind that nobody may make, None if it is of another."""
    if scope["method"] not in ("GET", "HEAD"):
        return as_text("this can only be read\n", 405, headers={"allow": "GET, HEAD", **_CLOSE})
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        return as_text("a request has no body here\n", 413, headers=_CLOSE)
    address = len(scope["raw_path"]) + len(scope["query_string"])
    if address > LONGEST_ADDRESS:
        return as_text(f"an address may have {LONGEST_ADDRESS} bytes\n", 414, headers=_CLOSE)
    # the server itself looks only at a head that does not come in one piece
    if address + sum(len(name) + len(value) + _AROUND for name, value in headers.raw) > LARGEST_HEAD:
        return as_text(f"the head of a request may have {LARGEST_HEAD} bytes\n", 431, headers=_CLOSE)
    return None


def _follows_a_link(scope: Scope, headers: Headers) -> bool:
    """Whether somebody has clicked on a link to the page itself, which is shown in a tab of its own."""
    return (
        scope["path"] == "/"
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )
