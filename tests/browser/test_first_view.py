"""Many series: only the rows in sight are asked for and made."""

import re
from collections.abc import Iterator

import pytest

from tests.browser.conftest import Look
from tests.browser.driver import expect
from tests.browser.service import Service, running

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", params=[1000, 10_000])
def crowd(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, int]]:
    """Have a service with so many series, each with a value of its own."""
    count: int = request.param
    with running(tmp_path_factory.mktemp("crowd"), STATS_INTERVAL="2s") as service:
        service.publish((f"room/{number}/temperature", str(number)) for number in range(count))
        service.wait_for_series(count)
        yield service, count


def test_only_the_rows_in_sight_are_made_wherever_one_scrolls(crowd: tuple[Service, int], look: Look) -> None:
    service, count = crowd
    visit = look(service.address)
    page = visit.go()
    expect(page.get_by_role("link", name="room/0/temperature")).to_be_in_viewport()
    expect(page.locator("#found")).to_have_text(f"{count} series")
    expect(page.locator("#table")).to_have_attribute("aria-rowcount", str(count + 1))
    for place in (0.5, 0.25, 1.0):
        page.locator("#table").evaluate(
            "(table, place) => table.scrollTo(0, place * (table.scrollHeight - table.clientHeight))", place
        )
        number = count - 1 if place == 1.0 else int(place * count)
        name = f"room/{number}/temperature"
        row = page.locator("#rows .row", has=page.get_by_role("link", name=name, exact=True))
        expect(row).to_be_in_viewport()
        expect(row.locator(".last")).to_have_text(str(number))
        assert len(visit.names()) < 80
    limits = {int(found[1]) for url in visit.requests if (found := re.search(r"series\?.*limit=(\d+)", url))}
    assert limits
    assert max(limits) < 80


def test_all_of_them_are_searched_and_sorted(crowd: tuple[Service, int], look: Look) -> None:
    service, count = crowd
    visit = look(service.address)
    page = visit.go()
    expect(page.locator("#found")).to_have_text(f"{count} series")
    # numbers in names are in order as numbers
    assert visit.names()[:12] == [f"room/{number}/temperature" for number in range(12)]
    page.get_by_role("columnheader", name="Last").get_by_role("button").click()
    expect(page.locator("#rows .row .last").first).to_have_text(str(count - 1))
    page.locator("#search").fill("temp 77")
    names = [f"room/{number}/temperature" for number in range(count) if "77" in str(number)]
    expect(page.locator("#found")).to_have_text(f"{len(names)} of {count} series")
    expect(page.locator("#rows a").first).to_have_text(names[-1])


def test_the_keyboard_goes_from_the_first_to_the_last(crowd: tuple[Service, int], look: Look) -> None:
    service, count = crowd
    visit = look(service.address)
    page = visit.go()
    expect(page.locator("#found")).to_have_text(f"{count} series")
    page.locator("#search").press("ArrowDown")
    page.keyboard.press("End")
    last = page.get_by_role("link", name=f"room/{count - 1}/temperature")
    expect(last).to_be_focused()
    expect(last).to_be_in_viewport()
    page.keyboard.press("PageUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("#name")).to_have_text(re.compile(rf"^room/{(count - 1) // 100}\d\d/temperature$"))
