"""A real Chromium, and the service that it looks at."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Protocol

import pytest

from docs.pictures.draw import HISTORY, SENSORS, House
from tests.browser.driver import INSTALLED, Browser, sync_playwright
from tests.browser.service import Service, running
from tests.browser.visit import Visit
from tests.support.brokers import missing, program_path

# Names as devices have them, and as somebody has who means harm.
NAMES = (
    "home/<img src=x onerror=alert(1)>",
    "home/<script>alert(2)</script>",
    "home/\u202edesrever",
    "home/\U0001f321\ufe0f/temperature",
    "home/a b/c?d=e&f=%2F",
    "home//doubled",
    "home/../up",
    "..",
    ".",
    f"home/{'long' * 61}/",
)


class Look(Protocol):
    """Opens a window of the browser on the page. Options are those of a browser context."""

    def __call__(self, address: str, **options: Any) -> Visit: ...


@pytest.fixture(scope="package", autouse=True)
def chromium() -> Iterator[Browser]:
    """Have Chromium, of the system or at the path in CHROMIUM, driven by Playwright.

    Every test here needs it: without it none starts a service.
    """
    if not INSTALLED:
        missing("requirements-browser.txt is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(program_path, names)), None)
    if path is None:
        missing("Chromium is not installed; CHROMIUM may be its path")
    arguments = [
        # no name is looked up elsewhere; these two lead here
        "--host-resolver-rules=MAP evil.example 127.0.0.1, MAP averages.example 127.0.0.1",
        # root may not have one
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def look(chromium: Browser) -> Iterator[Look]:
    """Open windows of the browser; when the test is over, none may have had anything to complain of."""
    visits: list[Visit] = []

    def open_window(address: str, **options: Any) -> Visit:
        visits.append(Visit(chromium, address, **options))
        return visits[-1]

    yield open_window
    for visit in visits:
        visit.close()
    for visit in visits:
        assert visit.complaints == []
        assert visit.refused == []


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Have the service run for a house: half an hour of readings, and `NAMES`. Tests leave it as it is."""
    with running(tmp_path_factory.mktemp("house")) as service:
        now = time.time()
        service.publish(House(Random(7)).readings(now - HISTORY, now))
        service.publish((name, "21.5") for name in NAMES)
        service.wait_for_series(len(SENSORS) + len(NAMES))
        yield service


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Have a service of the test's own, with no series yet."""
    with running(tmp_path) as found:
        yield found
