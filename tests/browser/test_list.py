"""The list of all series: searched, sorted, linked to, and used without a mouse."""

import json
import re
import time

import pytest

from docs.pictures.draw import SENSORS
from tests.browser.conftest import NAMES, Look
from tests.browser.driver import expect
from tests.browser.service import Service, reading, running
from tests.browser.visit import PHONE

pytestmark = pytest.mark.browser

ALL = len(SENSORS) + len(NAMES)


def test_every_series_is_shown_with_its_values(house: Service, look: Look) -> None:
    visit = look(house.address)
    page = visit.go("?search=kitchen")
    row = page.locator("#rows .row")
    expect(row).to_have_count(1)
    expect(row.locator("[role=rowheader]")).to_have_text("home/kitchen/temperature")
    for kind in (".last", ".window"):
        expect(row.locator(kind).first).to_have_text(re.compile(r"^\d+\.\d+$"))
    expect(row.locator(".age")).to_have_text(re.compile(r"^\d+ (s|min)$"))
    expect(row.locator(".trend path")).to_have_attribute("d", re.compile("^M"))
    assert page.locator("#head").inner_text().split() == [
        "Name",
        "Last",
        "Age",
        "1min",
        "5min",
        "30min",
        "Trend",
    ]
    expect(page.locator("#overall")).to_contain_text("All readings: 1min")


def test_it_is_searched_while_somebody_types(house: Service, look: Look) -> None:
    visit = look(house.address)
    page = visit.go()
    found = page.locator("#found")
    expect(found).to_have_text(f"{ALL} series")
    page.locator("#search").press_sequentially("TEMP home")
    expect(found).to_have_text(f"3 of {ALL} series")
    assert set(visit.names()) == {
        "home/kitchen/temperature",
        "home/livingroom/temperature",
        "home/\U0001f321\ufe0f/temperature",
    }
    expect(page).to_have_url(re.compile(r"\?search=TEMP\+home$"))
    page.locator("#search").press_sequentially(" cellar")
    expect(page.locator("#nothing")).to_have_text("No series has all of these words in its name.")
    expect(page.locator("#rows .row")).to_have_count(0)
    page.locator("#search").fill("")
    expect(found).to_have_text(f"{ALL} series")


def test_it_is_sorted_by_any_column_and_a_link_shows_the_same(house: Service, look: Look) -> None:
    visit = look(house.address)
    page = visit.go("?search=e")
    head = page.get_by_role("columnheader", name="5min")
    expect(head).to_have_attribute("aria-sort", "none")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "none")
    expect(page.locator("#rows .row").first).to_contain_text("home/office/co2")
    assert visit.focused() == "5min"
    page.keyboard.press("Enter")
    expect(head).to_have_attribute("aria-sort", "ascending")
    expect(page.locator("#rows .row").first).to_contain_text("outside/temperature")
    other = look(house.address).go(page.url.removeprefix(house.address))
    expect(other.locator("#search")).to_have_value("e")
    expect(other.get_by_role("columnheader", name="5min")).to_have_attribute("aria-sort", "ascending")
    expect(other.locator("#rows .row").first).to_contain_text("outside/temperature")


def test_a_link_with_a_wrong_order_shows_the_list_all_the_same(house: Service, look: Look) -> None:
    visit = look(house.address)
    page = visit.go("?sort=bogus")
    expect(page.locator("#found")).to_have_text(f"{ALL} series")
    expect(page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "ascending")
    assert len(visit.refused) == 1
    visit.refused.clear()


def test_back_goes_to_the_row_that_one_came_from(
    tmp_path_factory: pytest.TempPathFactory, look: Look
) -> None:
    with running(tmp_path_factory.mktemp("rows")) as service:
        service.publish((f"room/{number}", str(number)) for number in range(200))
        service.wait_for_series(200)
        visit = look(service.address)
        page = visit.go("?search=room&sort=-last")
        expect(page.locator("#rows .row").first).to_contain_text("room/199")
        page.locator("#table").evaluate("(table) => table.scrollTo(0, 3600)")
        link = page.get_by_role("link", name="room/95", exact=True)
        link.click()
        expect(page.locator("#name")).to_have_text("room/95")
        expect(page).to_have_title("room/95 \u2013 Rolling averages")
        assert visit.focused() == "room/95"
        page.go_back()
        expect(link).to_be_focused()
        expect(link).to_be_in_viewport()
        expect(page).to_have_title("Rolling averages")
        expect(page).to_have_url(f"{service.address}?search=room&sort=-last")
        page.go_forward()
        expect(page.locator("#name")).to_have_text("room/95")
        page.get_by_role("link", name="All series").click()
        expect(link).to_be_focused()


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_are_shown_as_they_are_and_lead_to_their_series(house: Service, look: Look, name: str) -> None:
    visit = look(house.address)
    page = visit.go("?sort=-age")
    link = page.locator("#rows a", has_text=re.compile(f"^{re.escape(name)}$"))
    expect(link).to_have_attribute("title", name)
    link.click()
    expect(page.locator("#name")).to_have_text(name)
    expect(page.locator("#last")).to_contain_text("21.5")
    expect(page.locator("#told")).to_contain_text("1 reading.")
    assert page.locator("main img, main script").count() == 0
    assert visit.overflow() == 0
    page.set_viewport_size({"width": 390, "height": 844})
    assert visit.overflow() == 0
    assert page.reload() is not None
    expect(page.locator("#name")).to_have_text(name)


def test_each_series_shows_the_first_of_its_own_statistics(
    tmp_path_factory: pytest.TempPathFactory, look: Look
) -> None:
    folder = tmp_path_factory.mktemp("statistics")
    streams = folder / "streams.toml"
    statistics = {"a": "avg", "b": "max", "c": "count"}
    streams.write_text(
        "".join(f'[[stream]]\ntopic = "{name}"\nstatistics = ["{one}"]\n' for name, one in statistics.items())
    )
    with running(folder, STREAMS_FILE=str(streams), TOPIC="") as service:
        service.publish((name, str(number)) for name in statistics for number in (1, 5, 3))
        service.wait_for_series(3)
        page = look(service.address).go()
        for name, value in (("a", "3"), ("b", "5"), ("c", "3")):
            cell = (
                page.locator("#rows .row", has=page.get_by_role("link", name=name)).locator(".window").first
            )
            expect(cell).to_have_text(value)
            expect(cell).to_have_attribute(
                "title", re.compile(f"^{statistics[name]} {value} of 3 readings in 1min")
            )


def test_a_trend_is_drawn_however_far_its_values_are_apart(service: Service, look: Look) -> None:
    for value in (1.7e308, -1.7e308, 0.0):
        now = time.time()
        windows = {"1min": {"count": 1, "coverage": 1.0, "avg": value}}
        last = {"value": value, "time": now}
        message = {"series": "a", "at": now, "sequence": 1, "last": last, "windows": windows}
        service.publish([("STATS/a", json.dumps(message))])
    service.wait_for_series(1)
    page = look(service.address).go()
    path = page.locator("#rows .trend path")
    expect(path).to_have_attribute("d", "M0.0 2.0l0 0L50.0 22.0L100.0 12.0")


def test_spaces_in_names_are_shown_as_they_are(service: Service, look: Look) -> None:
    names = [" ", "a  b", "a b", " a"]
    service.publish((name, "1") for name in names)
    service.wait_for_series(len(names))
    page = look(service.address).go()
    rows = page.locator("#rows a")
    expect(rows).to_have_count(len(names))
    assert sorted(rows.all_inner_texts()) == sorted(names)
    page.locator("#rows a[title='a  b']").click()
    assert page.locator("#name").inner_text() == "a  b"
    page.go_back()
    page.locator("#rows a[title=' ']").click()
    assert page.locator("#name").text_content() == " "
    expect(page.locator("#told")).to_contain_text("1 reading.")


def test_it_is_used_by_the_keyboard_alone(house: Service, look: Look) -> None:
    visit = look(house.address)
    page = visit.go("?sort=-last")
    expect(page.locator("#found")).to_have_text(f"{ALL} series")
    names = visit.names()
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.press("ArrowDown")
    assert visit.focused() == names[0]
    page.keyboard.press("ArrowDown")
    assert visit.focused() == names[1]
    page.keyboard.press("End")
    assert visit.focused() == names[-1]
    page.keyboard.press("Home")
    assert visit.focused() == names[0] == "home/office/co2"
    page.keyboard.press("Enter")
    expect(page.locator("#name")).to_be_focused()
    expect(page.get_by_role("button", name="The last 5min")).to_be_visible()
    page.keyboard.press("Tab")
    assert visit.focused() == "The last 5min"
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("span=5min"))
    expect(page.get_by_role("button", name="The last 5min")).to_have_attribute("aria-pressed", "true")
    assert visit.focused() == "The last 5min"
    page.get_by_role("button", name="Zoom in").focus()
    page.keyboard.press("Space")
    expect(page).to_have_url(re.compile(r"from=\d+\.\d+&to=\d+"))
    assert visit.focused() == "Zoom in"
    page.locator("#trust").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#health-title")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#trust")).to_be_focused()


def test_many_windows_are_reached_at_the_side_and_the_name_stays(
    tmp_path_factory: pytest.TempPathFactory, look: Look
) -> None:
    windows = ",".join(f"{number}min" for number in range(1, 21))
    with running(tmp_path_factory.mktemp("windows"), WINDOWS=windows) as service:
        service.publish([("a/b", reading(1.5, 2)), ("a/c", reading(2.5, 1))])
        service.wait_for_series(2)
        visit = look(service.address)
        page = visit.go()
        expect(page.locator("#rows .window")).to_have_count(40)
        assert visit.overflow() == 0
        page.locator("#table").evaluate("(table) => table.scrollTo(table.scrollWidth, 0)")
        expect(page.get_by_role("columnheader", name="20min")).to_be_in_viewport()
        expect(page.get_by_role("link", name="a/b")).to_be_in_viewport()
        page.get_by_role("link", name="a/b").click()
        expect(page.locator("#legend input")).to_have_count(21)
        assert visit.overflow() == 0
        phone = look(service.address, viewport=PHONE)
        expect(phone.go().locator("#rows .window:visible")).to_have_count(6)
        assert phone.overflow() == 0


def test_a_new_installation_says_what_comes_next(service: Service, look: Look) -> None:
    page = look(service.address).go()
    expect(page.locator("#nothing")).to_contain_text("There is no series yet.")
    expect(page.locator("#found")).to_have_text("0 series")
    service.publish([("garden/rain", "0.5")])
    expect(page.get_by_role("link", name="garden/rain")).to_be_visible()
    expect(page.locator("#nothing")).to_be_hidden()
