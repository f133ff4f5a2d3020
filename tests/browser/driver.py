"""Playwright, where it is installed: tests are collected without it too, then skipped, or fail in CI."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

INSTALLED = find_spec("playwright") is not None and find_spec("axe_playwright_python") is not None

if TYPE_CHECKING or INSTALLED:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import (
        Browser,
        BrowserContext,
        ConsoleMessage,
        Dialog,
        Error,
        Page,
        Request,
        Response,
        expect,
        sync_playwright,
    )
else:
    Axe = Browser = BrowserContext = ConsoleMessage = Dialog = Error = Page = Request = Response = expect = (
        None
    )
    sync_playwright = None

__all__ = [
    "Axe",
    "Browser",
    "BrowserContext",
    "ConsoleMessage",
    "Dialog",
    "Error",
    "Page",
    "Request",
    "Response",
    "expect",
    "sync_playwright",
]
