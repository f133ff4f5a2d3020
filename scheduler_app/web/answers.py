"""The forms that answers have: JSON, plain text, and what is wrong with a request."""

import json
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from scheduler_app.web.parameters import WrongRequest


def as_json(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer in JSON. It is new each time, so that nobody keeps it."""
    body = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(
        body.encode(errors="replace"),
        status,
        {"cache-control": "no-store", **(headers or {})},
        "application/json",
    )


def as_text(
    text: str, status: int = 200, kind: str = "text/plain", headers: Mapping[str, str] | None = None
) -> Response:
    """Return an answer in plain text."""
    return Response(
        text.encode(errors="replace"),
        status,
        {"cache-control": "no-store", **(headers or {})},
        f"{kind}; charset=utf-8",
    )


async def wrong_request(request: Request, error: Exception) -> Response:
    """Answer a request that cannot be answered, with the reason."""
    assert isinstance(error, WrongRequest)
    return _refusal(request, str(error), error.status)


async def not_found(request: Request, error: Exception) -> Response:
    """Answer for an address that there is not."""
    assert isinstance(error, HTTPException)
    return _refusal(request, error.detail, error.status_code)


def _refusal(request: Request, reason: str, status: int) -> Response:
    """Return an answer with the reason why there is no other: in JSON for programs."""
    if request.url.path.rpartition("api/v1/")[1]:
        return as_json({"error": reason}, status)
    return as_text(f"{reason}\n", status)
