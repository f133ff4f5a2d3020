"""New numbers come by themselves, and the page gets over whatever goes away."""

import re

import pytest

from tests.browser.conftest import Look
from tests.browser.driver import Page, expect
from tests.browser.service import Service, reading
from tests.browser.visit import Visit
from tests.support.waiting import TIMEOUT, wait_for
from tests.support.web import ask

pytestmark = pytest.mark.browser

WHILE = TIMEOUT * 1000  # milliseconds: what comes by itself is waited for as long as everywhere


def value(page: Page) -> str:
    """Return the last value of the first row."""
    return str(page.locator("#rows .row .last").first.inner_text())


def mark(page: Page) -> None:
    """Leave a mark in the page, which would be gone after a reload."""
    page.evaluate("() => { window.isMarked = true; }")


def is_marked(page: Page) -> bool:
    return page.evaluate("() => window.isMarked === true") is True


def test_new_numbers_show_in_the_list_and_in_the_plot_without_a_reload(service: Service, look: Look) -> None:
    service.publish([("a", "1.25")])
    service.wait_for_series(1)
    in_list, in_plot = look(service.address), look(service.address)
    expect(in_list.go().locator("#rows .last")).to_have_text("1.25")
    expect(in_plot.go("?series=a").locator("#told")).to_contain_text("1 reading.")
    for visit in (in_list, in_plot):
        mark(visit.page)
    service.publish([("a", "2.5"), ("b", "7")])
    expect(in_list.page.locator("#rows .last").first).to_have_text("2.5")
    expect(in_list.page.locator("#found")).to_have_text("2 series")
    expect(in_plot.page.locator("#last b")).to_have_text("2.5")
    expect(in_plot.page.locator("#told")).to_contain_text("2 readings.")
    expect(in_plot.page.get_by_role("row", name=re.compile("^count"))).to_have_text(re.compile("^count2"))
    assert is_marked(in_list.page)
    assert is_marked(in_plot.page)


def test_what_somebody_has_focused_or_opened_stays_when_new_numbers_come(
    service: Service, look: Look
) -> None:
    service.publish([("a", "1")])
    service.wait_for_series(1)
    visit = look(service.address)
    page = visit.go("?series=a")
    link = page.get_by_role("link", name="CSV")
    link.focus()
    service.publish([("a", "2")])
    expect(page.locator("#told")).to_contain_text("2 readings.")
    expect(link).to_be_focused()
    page.locator("#trust").click()
    page.get_by_text("All that the subscriber tells of itself").click()
    page.get_by_role("region", name="STATS/$metrics").focus()
    service.publish([("a", "3")])
    received = page.get_by_role("row", name=re.compile("^received")).first
    expect(received.locator("td").first).to_have_text("3")
    expect(page.get_by_role("region", name="STATS/$metrics")).to_be_focused()


def test_a_broker_that_is_gone_is_told_and_the_page_gets_over_it(service: Service, look: Look) -> None:
    service.publish([("a", "1.25")])
    service.wait_for_series(1)
    page = look(service.address).go()
    expect(page.locator("#trust")).to_have_text("All is well")
    mark(page)
    service.broker.stop()
    expect(page.locator("#trouble")).to_contain_text("There is no connection to the broker", timeout=WHILE)
    expect(page.locator("#trust")).to_have_text("Do not trust the numbers")
    assert value(page) == "1.25"
    page.locator("#trust").click()
    expect(page.locator("#report")).to_contain_text(f"no connection to {service.broker.address}")
    page.get_by_role("link", name="All series").click()
    service.broker.start()
    expect(page.locator("#trouble")).to_be_empty(timeout=WHILE)
    service.publish([("a", "2.5")])
    expect(page.locator("#rows .last")).to_have_text("2.5", timeout=WHILE)
    expect(page.locator("#trust")).to_have_text("All is well")
    assert is_marked(page)


@pytest.mark.parametrize("query", ["", "?series=a", "?view=health"])
def test_the_page_gets_over_a_web_service_that_is_killed(service: Service, look: Look, query: str) -> None:
    service.publish([("a", "1.25")])
    service.wait_for_series(1)
    page = look(service.address).go(query)
    expect(page.locator("#trust")).to_have_text("All is well")
    mark(page)
    service.web.kill()
    expect(page.locator("#trouble")).to_contain_text("There is no connection to the web service")
    expect(page.locator("#trust")).to_have_text("No connection")
    service.publish([("a", "2.5")])
    service.web.start_and_wait()
    expect(page.locator("#trouble")).to_be_empty(timeout=WHILE)
    expect(page.locator("#trust")).to_have_text("All is well")
    expect(page.locator("#overall b").first).to_have_text("1.875", timeout=WHILE)
    if query == "":
        expect(page.locator("#rows .last")).to_have_text("2.5")
    elif query == "?series=a":
        expect(page.locator("#told")).to_contain_text("2 readings.")
    assert is_marked(page)


def hide(visit: Visit, hidden: bool) -> None:
    """Tell the page that it is in a tab that nobody sees, or that it is seen again."""
    visit.page.evaluate(
        """(hidden) => {
          Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_a_tab_that_nobody_sees_closes_its_stream(service: Service, look: Look) -> None:
    service.publish([("a", "1.25")])
    service.wait_for_series(1)
    visit = look(service.address)
    page = visit.go()
    expect(page.locator("#trust")).to_have_text("All is well")

    def streams() -> int:
        return sum(url.endswith("/events") for url in visit.requests)

    assert streams() == 1
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/events")):
        hide(visit, hidden=True)
    asked = len(visit.requests)
    service.publish([("a", "2.5")])
    wait_for(lambda: "2.5" in ask(service.port, "/api/v1/series").text, "the service knows it")
    assert len(visit.requests) == asked
    assert value(page) == "1.25"
    hide(visit, hidden=False)
    expect(page.locator("#rows .last")).to_have_text("2.5")
    assert streams() == 2


def test_what_is_wrong_with_messages_is_told_with_its_cure(service: Service, look: Look) -> None:
    service.publish([("a", reading(1.0)), ("<b>bold</b>", "NaN"), ("c", "\u202eno number")])
    service.wait_for_series(1)
    page = look(service.address).go("?view=health")
    report = page.locator("#report")
    expect(page.locator("#trust")).to_have_text("Look at this")
    expect(page).to_have_title("Health \u2013 Rolling averages")
    expect(report).to_contain_text(
        "They add up: received = stored + duplicates + rejected + late + retained."
    )
    expect(report.locator("h3").last).to_have_text(
        re.compile(r"^Rejected messages since .+\d{4}, \d\d:\d\d:\d\d: 2$")
    )
    expect(report).to_contain_text("NaN and infinity are no readings")
    expect(report.locator("code", has_text="<b>bold</b>")).to_have_count(1)
    expect(report).to_contain_text("Europe/Berlin, UTC+01:00")
    assert "NaN" not in page.get_by_role("region", name="Messages").inner_text()
