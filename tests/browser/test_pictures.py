"""The pictures of the page that the README and the documents show.

They are drawn anew into the folder that PICTURES names:
`PICTURES=docs/pictures .venv/bin/pytest -m browser tests/browser/test_pictures.py`
"""

import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from docs.pictures.draw import FOLDER, HISTORY, SENSORS, House
from tests.browser.conftest import Look
from tests.browser.driver import Page, expect
from tests.browser.service import Service, running
from tests.browser.visit import PHONE
from tests.support.web import events

pytestmark = pytest.mark.browser

LARGEST = 150_000  # bytes
WIDE = {"width": 1000, "height": 366}
NARROW = {**PHONE, "height": 600}
TICKS = 40  # so many are waited for: the trends in the list are those of the last ones
TALL = {"width": 1000, "height": 760}


@pytest.fixture(scope="module")
def live_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Have the service run for a house of which each sensor has just been heard."""
    with running(tmp_path_factory.mktemp("pictures")) as service:
        now = time.time()
        house = House(Random(7))
        service.publish(house.readings(now - HISTORY, now))
        with events(service.port) as told:
            for _ in range(TICKS):
                next(told)
                before, now = now, time.time()
                service.publish(house.readings(before, now))
        service.wait_for_series(len(SENSORS))
        yield service


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where the pictures are drawn."""
    return Path(os.environ.get("PICTURES", tmp_path))


def take(page: Page, path: Path) -> None:
    """Draw what the window shows; fail if it is large, or of another size than the one in the documents."""
    page.screenshot(path=path, animations="disabled")
    drawn, told = path.read_bytes(), (FOLDER / path.name).read_bytes()
    assert len(drawn) <= LARGEST
    assert size(drawn) == size(told)
    assert len(told) <= LARGEST


def size(picture: bytes) -> tuple[int, int]:
    """Return width and height of a PNG (RFC 2083, 4.1.1)."""
    assert picture.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


def test_the_list_in_daylight(live_house: Service, look: Look, folder: Path) -> None:
    page = look(live_house.address, viewport=WIDE, color_scheme="light").go()
    expect(page.locator("#rows .last:not(:empty)")).to_have_count(len(SENSORS))
    expect(page.locator("#trust")).to_have_text("All is well")
    take(page, folder / "page-list.png")


def test_a_series_in_the_dark(live_house: Service, look: Look, folder: Path) -> None:
    page = look(live_house.address, viewport=TALL, color_scheme="dark").go("?series=house/power")
    expect(page.locator("#told")).to_contain_text("readings. Kept for 35 min.")
    expect(page.locator("#trust")).to_have_text("All is well")
    take(page, folder / "page-series.png")


def test_a_phone(live_house: Service, look: Look, folder: Path) -> None:
    page = look(
        live_house.address, viewport=NARROW, color_scheme="light", is_mobile=True, has_touch=True
    ).go()
    expect(page.locator("#rows .last:not(:empty)")).to_have_count(len(SENSORS))
    expect(page.locator("#trust")).to_have_text("All is well")
    take(page, folder / "page-phone.png")
