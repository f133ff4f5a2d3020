"""The application: its addresses, and the guard before them."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from config.settings import Settings
from scheduler_app.web.addresses import Address
from scheduler_app.web.answers import not_found, wrong_request
from scheduler_app.web.api import Api
from scheduler_app.web.guard import Guard
from scheduler_app.web.parameters import WrongRequest

STATIC = Path(__file__).parent / "static"
# A browser asks each time whether what it has is still the newest.
_ASK_AGAIN = {"cache-control": "no-cache"}


class Files(StaticFiles):
    """The files of the page."""

    def file_response(self, *arguments: object, **named: object) -> Response:
        response: Response = super().file_response(*arguments, **named)  # type: ignore[arg-type]
        response.headers.update(_ASK_AGAIN)
        return response


def make_app(settings: Settings, api: Api, others: list[BaseRoute]) -> Starlette:
    """Return the application. `others` are the addresses that watch the service."""
    app = Starlette(
        routes=[
            Address("/", page),
            *api.routes(),
            Mount("/static", Files(directory=STATIC)),
            *others,
        ],
        middleware=[Middleware(Guard, settings.web_token, settings.web_allowed_hosts or ())],
        exception_handlers={WrongRequest: wrong_request, HTTPException: not_found},
    )
    # nobody is sent elsewhere: that would name our own address, which is none behind a proxy
    app.router.redirect_slashes = False
    return app


async def page(request: Request) -> Response:
    """Answer with the page itself."""
    return FileResponse(STATIC / "index.html", headers=_ASK_AGAIN)
