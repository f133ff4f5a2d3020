"""How the page looks: axe finds nothing that one could not read or reach, and nothing is out of sight."""

from typing import Any

import pytest

from tests.browser.conftest import Look
from tests.browser.driver import Axe, Page, expect
from tests.browser.service import Service
from tests.browser.visit import DESKTOP, PHONE

pytestmark = pytest.mark.browser

# What is shown, and what is there when all of it is.
VIEWS = {
    "?search=home": "#rows .last:not(:empty)",
    "?search=nothing has this": "#nothing",
    "?series=home/kitchen/temperature": "#statistics table",
    "?series=home/nowhere": "#told:not(:empty)",
    "?view=health": "#report table",
}


def findings(page: Page) -> list[str]:
    """Return what axe finds, in one line each."""
    return [
        f"{found['id']}: {found['help']}: {[node['html'] for node in found['nodes']]}"
        for found in Axe().run(page).response["violations"]
    ]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_out_of_sight(
    house: Service, look: Look, scheme: str, viewport: dict[str, Any]
) -> None:
    visit = look(house.address, color_scheme=scheme, viewport=viewport)
    for query, there in VIEWS.items():
        page = visit.go(query)
        expect(page.locator(there).first).to_be_visible()
        expect(page.locator("#trust")).not_to_have_text("Health")
        assert findings(page) == []
        assert visit.overflow() == 0
    visit.refused.clear()


def test_axe_finds_what_is_wrong(house: Service, look: Look) -> None:
    """The test above can fail."""
    page = look(house.address).go()
    expect(page.locator("#rows .row").first).to_be_visible()
    page.evaluate("() => document.querySelector('#search').removeAttribute('aria-label')")
    page.evaluate("() => document.querySelector('#search').removeAttribute('placeholder')")
    assert len(findings(page)) == 1


def test_a_narrow_window_sorts_by_a_choice_and_opens_a_series_anywhere_in_its_row(
    house: Service, look: Look
) -> None:
    visit = look(house.address, viewport=PHONE, has_touch=True, is_mobile=True)
    page = visit.go()
    expect(page.locator("#head")).to_be_hidden()
    page.get_by_label("Sort by").select_option("Last, largest first")
    first = page.locator("#rows .row").first
    expect(first).to_contain_text("home/office/co2")
    first.locator(".window").nth(1).tap(force=True)
    expect(page.locator("#name")).to_have_text("home/office/co2")
