"""Who may see the page, and from where: as a browser sees to it, together with the service."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Look
from tests.browser.driver import Browser, Error, expect
from tests.browser.proxy import prefixed, serving, showing
from tests.browser.service import Service, running
from tests.support.waiting import wait_for

pytestmark = pytest.mark.browser

TOKEN = "a-token-for-this-test"


def test_nothing_is_loaded_from_elsewhere_and_the_policy_is_kept(house: Service, look: Look) -> None:
    visit = look(house.address)
    page = visit.page
    response = page.goto(house.address)
    assert response is not None
    assert "default-src 'none'" in response.headers["content-security-policy"]
    expect(page.locator("#rows .row").first).to_be_visible()
    visit.go("?series=home/office/co2")
    expect(page.locator("#plot canvas")).to_be_visible()
    visit.go("?view=health")
    expect(page.locator("#report table").first).to_be_visible()
    assert {url.removeprefix(house.address).partition("?")[0] for url in visit.requests} > {
        *("", "static/app.js", "static/style.css", "static/vendor/uPlot.iife.min.js"),
        *("api/v1/events", "api/v1/series", "api/v1/history", "api/v1/health", "api/v1/rejected"),
    }
    # what is violated by purpose is noticed: this test can fail
    with page.expect_console_message(lambda message: "Content Security Policy" in message.text):
        page.evaluate("() => document.body.append(Object.assign(new Image(), { src: '//evil.example/' }))")
    assert any("Content Security Policy" in complaint for complaint in visit.complaints)
    visit.complaints.clear()


def test_the_favicon_is_there(house: Service, look: Look) -> None:
    visit = look(house.address)
    page = visit.go()
    href = page.locator("link[rel=icon]").get_attribute("href")
    kind = page.evaluate("async (href) => (await fetch(href)).headers.get('content-type')", href)
    assert kind == "image/svg+xml"


def test_with_a_token_the_browser_asks_for_a_password(tmp_path: Path, look: Look) -> None:
    with running(tmp_path, WEB_TOKEN=TOKEN) as service:
        service.publish([("a", "1.25")])
        for headers in ({}, {"Authorization": "Bearer not-the-token-at-all"}):
            visit = look(service.address, extra_http_headers=headers)
            # nobody is there to type it in
            with pytest.raises(Error, match="ERR_INVALID_AUTH_CREDENTIALS"):
                visit.go()
            assert visit.refused == [f"401 {service.address}"]
            visit.refused.clear()
        page = look(service.address, http_credentials={"username": "me", "password": TOKEN}).go()
        expect(page.locator("#rows .last")).to_have_text("1.25")
        service.publish([("a", "2.5")])
        expect(page.locator("#rows .last")).to_have_text("2.5")
        page.get_by_role("link", name="a", exact=True).click()
        expect(page.locator("#told")).to_contain_text("2 readings.")


def test_a_name_that_was_made_to_point_here_gets_nothing(house: Service, look: Look) -> None:
    visit = look(f"http://evil.example:{house.port}/")
    response = visit.page.goto(visit.address)
    assert response is not None
    assert response.status == 421
    assert "'evil.example" in visit.page.inner_text("body")
    visit.refused.clear()
    # without TLS, and under a name, a browser says that it leaves one of our headers aside
    assert [
        complaint for complaint in visit.complaints if "Cross-Origin-Opener-Policy" not in complaint
    ] == []
    visit.complaints.clear()


def test_a_page_of_another_site_gets_nothing(house: Service, chromium: Browser) -> None:
    with serving(showing("<!doctype html><title>evil</title>")) as port:
        page = chromium.new_page()
        page.goto(f"http://evil.example:{port}/")
        # what the page is not told, its browser is
        client = page.context.new_cdp_session(page)
        statuses: list[int] = []

        def take(event: dict[str, Any]) -> None:
            if "content-security-policy" in map(str.lower, event["headers"]):  # an answer of ours
                statuses.append(event["statusCode"])

        client.on("Network.responseReceivedExtraInfo", take)
        client.send("Network.enable")
        fetched = page.evaluate(
            """async (address) => {
              const text = (answer) => answer.text();
              const attempts = [fetch(address).then(text), fetch(address, { mode: "no-cors" }).then(text)];
              const ended = await Promise.allSettled(attempts);
              return ended.map(({ status, value }) => `${status} ${value ?? ""}`);
            }""",
            f"{house.address}api/v1/series",
        )
        assert [answer for answer in fetched if "home" in answer] == []
        assert fetched[0].startswith("rejected")
        heard = page.evaluate(
            """(address) => new Promise((resolve) => {
              const source = new EventSource(address);
              source.addEventListener("state", () => resolve("heard"));
              source.addEventListener("error", () => { source.close(); resolve("error"); });
            })""",
            f"{house.address}api/v1/events",
        )
        assert heard == "error"
        # what the browser tells us comes while it answers our questions
        wait_for(lambda: page.evaluate("true") and len(statuses) >= 3, lambda: f"three answers: {statuses}")
        assert statuses == [403, 403, 403]
        # a link to the page is another matter
        page.evaluate("(address) => { location.href = address; }", house.address)
        expect(page.locator("#rows .row").first).to_be_visible()
        page.close()


def test_it_works_behind_a_prefix_of_a_proxy(service: Service, look: Look) -> None:
    service.publish([("a/b", "1.25"), ("c", "1")])
    service.wait_for_series(2)
    prefix = "/some/averages/"
    with serving(prefixed(prefix, service.port)) as port:
        visit = look(f"http://127.0.0.1:{port}{prefix}")
        page = visit.go("?search=b")
        expect(page.locator("#found")).to_have_text("1 of 2 series")
        service.publish([("a/b", "2.5")])
        expect(page.locator("#rows .last")).to_have_text("2.5")
        page.get_by_role("link", name="a/b").click()
        expect(page.locator("#told")).to_contain_text("2 readings.")
        expect(page).to_have_url(re.compile(rf"^http://127\.0\.0\.1:{port}{prefix}\?search=b&series=a%2Fb$"))
        with page.expect_download() as found:
            page.get_by_role("link", name="CSV").click()
        assert found.value.failure() is None
        page.locator("#trust").click()
        expect(page.locator("#report")).to_contain_text("The numbers can be trusted.")
        # every stream ends before the proxy does
        visit.close()
