"""Somebody who looks at the page with a browser, and sees what the browser complains of."""

from typing import Any

from tests.browser.driver import Browser, ConsoleMessage, Dialog, Page, Request, Response
from tests.support.waiting import TIMEOUT

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}


class Visit:
    """One window of the browser, on the page at `address`."""

    def __init__(self, browser: Browser, address: str, **options: Any) -> None:
        """`options` are those of a browser context of Playwright."""
        given = {"viewport": DESKTOP, "locale": "en-GB", "timezone_id": "Europe/Berlin", **options}
        self.address = address
        # What should never be: scripts that fail, a policy that is violated, requests to other servers.
        self.complaints: list[str] = []
        # Answers that say that something was wrong with a request.
        self.refused: list[str] = []
        self.requests: list[str] = []
        self.context = browser.new_context(**given)
        self.page = self.context.new_page()
        self.page.set_default_timeout(TIMEOUT * 1000)
        self._listen(self.page)

    def go(self, query: str = "") -> Page:
        """Open the page."""
        self.page.goto(self.address + query)
        return self.page

    def names(self) -> list[str]:
        """Return the names of the rows that are there, from the top."""
        found: list[str] = self.page.evaluate(
            """() => [...document.querySelectorAll("#rows .row")]
                .sort((one, other) => one.getAttribute("aria-rowindex") - other.getAttribute("aria-rowindex"))
                .map((row) => row.querySelector("a").textContent)"""
        )
        return found

    def overflow(self) -> int:
        """Return how many pixels of the page are out of sight at the side; tables have bars of their own."""
        found: int = self.page.evaluate(
            """() => Math.max(...[...document.querySelectorAll(":root, main > section")].map(
                (element) => element.scrollWidth - element.clientWidth))"""
        )
        return found

    def focused(self) -> str:
        """Return the text of what has the focus, or its label."""
        found: str = self.page.evaluate(
            "() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
        )
        return found

    def close(self) -> None:
        self.context.close()

    def _listen(self, page: Page) -> None:
        page.on("console", self._take_console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._take_dialog)
        page.on("request", self._take_request)
        page.on("response", self._take_response)

    def _take_dialog(self, dialog: Dialog) -> None:
        self.complaints.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _take_console(self, message: ConsoleMessage) -> None:
        # answers are looked at by themselves
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.complaints.append(message.text)

    def _take_request(self, request: Request) -> None:
        self.requests.append(request.url)
        if not request.url.startswith((self.address, "blob:", "data:")):
            self.complaints.append(f"a request for {request.url}")

    def _take_response(self, response: Response) -> None:
        if response.status >= 400:
            self.refused.append(f"{response.status} {response.url}")
