"""The plot of one series: drawn, zoomed, moved, and handed out as a file."""

import csv
import json
import re
import time
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.browser.conftest import Look
from tests.browser.driver import Page, expect
from tests.browser.service import Service, reading, running
from tests.browser.visit import PHONE, Visit
from tests.support.waiting import wait_for

pytestmark = pytest.mark.browser

KITCHEN = "?series=home/kitchen/temperature"
# For each colour, given as #rrggbb or by its name in the style, how many pixels of each column of the canvas
# have it, or nearly so. Read from a copy: a canvas that is read itself is drawn in another way from then on.
COUNT_COLOURS = """(names) => {
  const canvas = document.querySelector("#plot canvas");
  const { width, height } = canvas;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const style = getComputedStyle(document.documentElement);
  return names.map((name) => {
    const colour = name.startsWith("#") ? name : style.getPropertyValue(name).trim();
    const wanted = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    const counts = Array(width).fill(0);
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] > 250 && wanted.every((part, channel) => Math.abs(part - data[at + channel]) < 3)) {
        counts[(at / 4) % width] += 1;
      }
    }
    return counts;
  });
}"""
CURVES = ["--curve-1", "--curve-2", "--curve-3"]


def colours(page: Page, *names: str) -> list[int]:
    """Return how many pixels of the plot have each colour."""
    found: list[list[int]] = page.evaluate(COUNT_COLOURS, list(names))
    return [sum(columns) for columns in found]


def shown(visit: Visit) -> tuple[float, float]:
    """Return the span in the address."""
    match = re.search(r"from=([\d.]+)&to=([\d.]+)", visit.page.url)
    assert match
    return float(match[1]), float(match[2])


def middle(page: Page) -> tuple[float, float]:
    """Return the place of the middle of the plot in the window."""
    box = page.locator("#plot .u-over").bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def downloaded(page: Page, name: str, folder: Path) -> str:
    """Return the content of a file that a link hands out."""
    with page.expect_download() as found:
        page.get_by_role("link", name=name).click()
    path = folder / str(found.value.suggested_filename)
    found.value.save_as(path)
    assert path.name.startswith("home_kitchen_temperature.")
    return path.read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dots_curves_and_axes_are_drawn_in_their_colours(house: Service, look: Look, scheme: str) -> None:
    page = look(house.address, color_scheme=scheme).go(KITCHEN)
    expect(page.locator("#told")).to_contain_text("600 readings.")
    dots, axes, *curves = colours(page, "--dots", "--quiet", *CURVES)
    assert dots > 1000
    assert axes > 50
    assert min(curves) > 200
    # axes in black would not be seen in the dark
    assert colours(page, "#000000") == [0]


def test_the_plot_changes_its_colours_with_the_system(house: Service, look: Look) -> None:
    page = look(house.address, color_scheme="light").go(KITCHEN)
    expect(page.locator("#told")).to_contain_text("600 readings.")
    schemes: list[Literal["dark", "light"]] = ["dark", "light"]
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        # colours of the other scheme are no longer those of the style
        wait_for(lambda: min(colours(page, "--dots", "--quiet", *CURVES)) > 50, "the plot in the new colours")


def test_each_curve_can_be_left_out(house: Service, look: Look) -> None:
    page = look(house.address).go(KITCHEN)
    expect(page.locator("#legend input")).to_have_count(4)
    page.get_by_label("average over 5min").uncheck()
    assert colours(page, "--curve-1", "--curve-2")[1] == 0
    page.get_by_role("checkbox", name="readings").uncheck()
    assert colours(page, "--dots") == [0]
    page.get_by_role("checkbox", name="readings").check()
    assert colours(page, "--dots")[0] > 1000


def test_what_is_under_the_pointer_is_told(house: Service, look: Look) -> None:
    page = look(house.address).go(KITCHEN)
    expect(page.locator("#told")).to_contain_text("600 readings.")
    page.mouse.move(*middle(page))
    expect(page.locator("#under")).to_have_text(re.compile(r"\d\d:\d\d:\d\d: .*(reading|1min) \d+\.\d+"))


def test_the_mouse_zooms_and_a_double_click_follows_the_clock_again(house: Service, look: Look) -> None:
    visit = look(house.address)
    page = visit.go(f"{KITCHEN}&span=30min")
    expect(page.locator("#told")).to_contain_text("readings.")
    x, y = middle(page)
    page.mouse.move(x - 100, y)
    page.mouse.down()
    page.mouse.move(x + 100, y, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile("from="))
    begin, end = shown(visit)
    assert 60 < end - begin < 600
    expect(page.get_by_role("button", name="The last 30min")).to_have_attribute("aria-pressed", "false")
    before = page.url
    page.mouse.move(x, y)
    page.mouse.wheel(0, 100)
    expect(page).not_to_have_url(before)
    begin_out, end_out = shown(visit)
    assert begin_out < begin < end < end_out
    before = page.url
    page.mouse.wheel(-100, 0)
    expect(page).not_to_have_url(before)
    begin_earlier, end_earlier = shown(visit)
    assert begin_earlier < begin_out
    assert end_earlier - begin_earlier == pytest.approx(end_out - begin_out, abs=0.01)
    # the link shows the same
    other = look(house.address)
    assert other.go(page.url.removeprefix(house.address)).url == page.url
    expect(other.page.locator("#told")).to_contain_text("readings.")
    assert page.get_by_role("link", name="CSV").get_attribute("href") == other.page.get_by_role(
        "link", name="CSV"
    ).get_attribute("href")
    page.mouse.dblclick(x, y)
    expect(page).to_have_url(re.compile("span=30min$"))
    expect(page.get_by_role("button", name="The last 30min")).to_have_attribute("aria-pressed", "true")


def test_nobody_gets_lost_outside_of_what_is_kept(house: Service, look: Look) -> None:
    visit = look(house.address)
    page = visit.go(KITCHEN)
    expect(page.locator("#told")).to_contain_text("600 readings.")
    for _ in range(12):
        page.get_by_role("button", name="Zoom out").click()
        page.get_by_role("button", name="Later").click()
    expect(page).to_have_url(re.compile("from="))
    begin, end = shown(visit)
    assert end - begin == pytest.approx(2100, abs=1)
    assert end <= time.time()
    for _ in range(12):
        page.get_by_role("button", name="Zoom in").click()
    expect(page.locator("#told")).to_have_text(re.compile(r"^\d readings?\."))
    begin, end = shown(visit)
    assert end - begin == pytest.approx(5, abs=0.01)
    page.get_by_role("button", name="All that is kept").click()
    expect(page.locator("#told")).to_contain_text("600 readings.")
    assert "from=" not in page.url


def test_one_finger_moves_it_and_two_zoom(house: Service, look: Look) -> None:
    visit = look(house.address, viewport=PHONE, has_touch=True, is_mobile=True)
    page = visit.go(f"{KITCHEN}&span=5min")
    expect(page.locator("#told")).to_contain_text("Kept for")
    assert visit.overflow() == 0
    x, y = middle(page)
    client = visit.context.new_cdp_session(page)

    def touch(kind: str, *places: float) -> None:
        points = [{"x": place, "y": y, "id": number} for number, place in enumerate(places)]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", x - 60)
    for step in range(0, 121, 20):
        touch("touchMove", x - 60 + step)
    touch("touchEnd")
    expect(page).to_have_url(re.compile("from="))
    begin, end = shown(visit)
    assert end - begin == pytest.approx(300, abs=1)
    before = page.url
    touch("touchStart", x - 20, x + 20)
    for step in range(0, 61, 10):
        touch("touchMove", x - 20 - step, x + 20 + step)
    touch("touchEnd")
    expect(page).not_to_have_url(before)
    begin_in, end_in = shown(visit)
    assert begin < begin_in < end_in < end
    assert end_in - begin_in == pytest.approx(300 / 4, rel=0.1)


def test_csv_and_json_are_of_what_is_shown(house: Service, look: Look, tmp_path: Path) -> None:
    visit = look(house.address)
    page = visit.go(f"{KITCHEN}&span=30min")
    expect(page.locator("#told")).to_contain_text("readings.")
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Earlier").click()
    expect(page).to_have_url(re.compile("from="))
    begin, end = shown(visit)
    link = page.get_by_role("link", name="CSV")
    expect(link).to_have_attribute("href", re.compile(f"from={begin}&to={end}"))
    rows = list(csv.DictReader(downloaded(page, "CSV", tmp_path).splitlines()))
    answer: dict[str, Any] = json.loads(downloaded(page, "JSON", tmp_path))
    assert answer["series"] == "home/kitchen/temperature"
    assert [float(row["time"]) for row in rows] == answer["readings"]["time"]
    assert len(rows) > 200
    assert all(begin < float(row["time"]) <= end for row in rows)
    expect(page.locator("#told")).to_contain_text(f"{len(rows)} readings.")
    assert list(rows[0]) == ["time", "value", "avg_1min", "avg_5min", "avg_30min"]


def test_a_gap_is_a_gap(service: Service, look: Look) -> None:
    """One-minute averages of readings twenty minutes apart have a curve of two parts, and no line between."""
    service.publish([("a", reading(1.0, 1500)), ("a", reading(1.0, 1495)), ("a", reading(1.0, 60))])
    service.wait_for_series(1)
    page = look(service.address).go("?series=a")
    expect(page.locator("#told")).to_contain_text("3 readings.")
    for name in ("5min", "30min"):
        page.get_by_label(f"average over {name}").uncheck()
    page.get_by_role("checkbox", name="readings").uncheck()
    [counts] = page.evaluate(COUNT_COLOURS, ["--curve-1"])
    columns = [column for column, count in enumerate(counts) if count]
    jumps = [after - before for before, after in pairwise(columns) if after - before > 1]
    assert len(jumps) == 1
    assert jumps[0] > 600


@pytest.mark.parametrize(
    "values",
    [(1.7e308, -1.7e308, 1.7e308), (1e15, 2e15, 0.5), (2e-9, 1e-10, 0), (3e-320, 1e-320, 2e-320)],
    ids=["as large as can be", "large", "small", "as small as can be"],
)
def test_readings_of_every_size_are_drawn(
    service: Service, look: Look, values: tuple[float, float, float]
) -> None:
    service.publish(("a", reading(value, 60.0 - number)) for number, value in enumerate(values))
    service.wait_for_series(1)
    page = look(service.address).go("?series=a")
    expect(page.locator("#told")).to_contain_text("3 readings.")
    wait_for(lambda: min(colours(page, "--dots", "--curve-3")) > 20, "dots and a curve")
    page.get_by_role("link", name="All series").click()
    expect(page.locator("#rows .trend path")).to_have_attribute("d", re.compile(r"^M[-\d. MLl]+$"))


def test_a_rate_is_told_in_the_unit_that_its_stream_says(
    tmp_path_factory: pytest.TempPathFactory, look: Look
) -> None:
    folder = tmp_path_factory.mktemp("rate")
    streams = folder / "streams.toml"
    streams.write_text(
        '[[stream]]\ntopic = "meter"\nunit = "kWh"\nper = "1h"\nstatistics = ["max", "rate"]\n'
    )
    with running(folder, STREAMS_FILE=str(streams), TOPIC="") as service:
        service.publish([("meter", reading(10.0, 20.0)), ("meter", reading(11.0, 10.0))])
        service.wait_for_series(1)
        page = look(service.address).go("?series=meter")
        statistics = page.locator("#statistics")
        expect(statistics.get_by_role("row", name="rate")).to_contain_text(re.compile(r"\d kWh/h"))
        expect(statistics.get_by_role("row", name="max")).to_contain_text("11 kWh")


def test_late_and_rejected_messages_are_marked(service: Service, look: Look) -> None:
    service.publish(
        [("a", reading(1.0, 20)), ("a", reading(2.0, 10)), ("a", reading(3.0, 15)), ("a", "warm")]
    )
    service.wait_for_series(1)
    page = look(service.address).go("?series=a")
    expect(page.locator("#marks")).to_contain_text("1 reading came after a later one, and still counted")
    expect(page.locator("#marks")).to_contain_text("Rejected on this topic: 1 message.")
    assert min(colours(page, "--limited", "--bad")) > 10


def test_of_very_many_delayed_readings_it_is_told_that_there_are_more(service: Service, look: Look) -> None:
    service.publish(("a", reading(1.0, 100 + number / 10)) for number in range(3000))
    service.wait_for_series(1)
    page = look(service.address).go("?series=a")
    expect(page.locator("#marks")).to_contain_text(
        re.compile(r"At least \d{4} readings came after a later one")
    )


def test_a_series_that_there_is_not_is_told(house: Service, look: Look) -> None:
    visit = look(house.address)
    page = visit.go("?series=home/nowhere")
    expect(page.locator("#told")).to_have_text("There is no plot: there is no series 'home/nowhere'")
    expect(page.locator("#downloads a")).to_have_count(0)
    page.get_by_role("link", name="All series").click()
    expect(page.locator("#rows .row").first).to_be_visible()
    visit.refused.clear()


def test_a_series_that_ends_leaves_no_numbers(service: Service, look: Look) -> None:
    now = time.time()
    windows = {"1min": {"count": 1, "coverage": 1.0, "avg": 2.5}}
    last = {"value": 2.5, "time": now}
    message = {"series": "a", "at": now, "sequence": 1, "last": last, "windows": windows}
    service.publish([("STATS/a", json.dumps(message))])
    service.wait_for_series(1)
    visit = look(service.address)
    page = visit.go("?series=a")
    expect(page.locator("#last")).to_contain_text("2.5")
    expect(page.locator("#statistics")).to_contain_text("2.5")
    service.publish([("STATS/a", "")])
    expect(page.locator("#last")).to_be_empty()
    expect(page.locator("#statistics")).to_be_empty()
    expect(page.locator("#told")).to_have_text("There is no plot: there is no series 'a'")
    visit.close()
    # it is in no database
    assert all(refused.startswith("404") for refused in visit.refused)
    visit.refused.clear()


def test_a_wrong_span_in_a_link_shows_all(house: Service, look: Look) -> None:
    visit = look(house.address)
    page = visit.go(f"{KITCHEN}&span=bogus")
    expect(page.locator("#told")).to_contain_text("600 readings.")
    assert page.url == house.address + KITCHEN.replace("/", "%2F")
    [refused] = visit.refused
    assert refused.startswith("400")
    visit.refused.clear()


def test_without_a_database_the_page_says_why_there_is_no_plot(service: Service, look: Look) -> None:
    service.publish([("a", "1.5")])
    service.wait_for_series(1)
    visit = look(service.address)
    page = visit.go("?series=a")
    expect(page.locator("#plot canvas")).to_be_visible()
    service.subscriber.stop()
    hidden = service.database.rename(service.database.with_suffix(".hidden"))
    page.reload()
    expect(page.locator("#told")).to_contain_text("There is no plot: DB_FILE=")
    expect(page.locator("#plot canvas")).to_have_count(0)
    expect(page.locator("#last")).to_contain_text("1.5")
    expect(page.locator("#trust")).to_have_text("Do not trust the numbers")
    hidden.rename(service.database)
    service.subscriber.start_and_wait()
    expect(page.locator("#plot canvas")).to_be_visible()
    expect(page.locator("#trust")).to_have_text("All is well")
    assert all(refused.startswith("503") for refused in visit.refused)
    visit.refused.clear()
