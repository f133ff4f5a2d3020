from pathlib import Path

import pytest

from config.settings import settings_from
from scheduler_app.web.units import rate_unit, units
from tests.unit.web_pages import Pages

STREAMS = """
[[stream]]
topic = "zigbee2mqtt/+"
value = [{ path = "temperature", unit = "°C" }, { path = "humidity", unit = "%" }, "battery"]

[[stream]]
topic = "tele/+/SENSOR"
value = "*"
unit = "W"

[[stream]]
topic = "depth"
unit = "m"

[[stream]]
topic = "rtl/events"
value = ["t", { path = "h", unit = "%" }]
unit = "K"
series = "{model}"
"""


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("zigbee2mqtt/kitchen/temperature", "°C"),
        ("zigbee2mqtt/kitchen/humidity", "%"),
        ("zigbee2mqtt/kitchen/battery", None),
        ("tele/plug/SENSOR/ENERGY/Power", "W"),
        ("depth", "m"),
        ("Acurite/t", "K"),
        ("Acurite/h", "%"),
    ],
)
def test_a_unit_is_that_of_the_stream_a_series_belongs_to(
    tmp_path: Path, name: str, unit: str | None
) -> None:
    path = tmp_path / "streams.toml"
    path.write_text(STREAMS)
    assert units(settings_from({"streams_file": str(path)}))(name) == unit


def test_without_a_stream_file_no_unit_is_known() -> None:
    assert units(settings_from({"topic": "#"}))("a/b") is None


def test_a_series_of_no_stream_has_none(tmp_path: Path) -> None:
    path = tmp_path / "streams.toml"
    path.write_text('[[stream]]\ntopic = "depth"\nunit = "m"')
    assert units(settings_from({"streams_file": str(path)}))("other") is None


@pytest.mark.parametrize(
    ("per", "unit"),
    [
        *((None, "kWh/s"), ("1h", "kWh/h"), ("60min", "kWh/h"), ("1d", "kWh/d"), ("1min", "kWh/min")),
        *(("15s", "kWh/15s"), ("1500ms", "kWh/1.5s"), ("11min", "kWh/11min")),
    ],
)
def test_a_rate_has_the_unit_that_its_stream_says(tmp_path: Path, per: str | None, unit: str) -> None:
    path = tmp_path / "streams.toml"
    said = "" if per is None else f'per = "{per}"\n'
    path.write_text(
        f'[[stream]]\ntopic = "meter"\nunit = "kWh"\nstatistics = ["rate"]\n{said}[[stream]]\ntopic = "x"'
    )
    pages = Pages(settings_from({"streams_file": str(path), "db_file": str(tmp_path / "none.db")}))
    pages.publish_series("meter", "x")
    assert pages.client.get("/api/v1/series/meter").json()["rate_unit"] == unit
    assert pages.client.get("/api/v1/series/x").json()["rate_unit"] is None
    assert rate_unit(settings_from({"topic": "#"}), "meter") is None


def test_the_page_is_told_the_units(tmp_path: Path) -> None:
    path = tmp_path / "streams.toml"
    path.write_text('[[stream]]\ntopic = "depth"\nunit = "m"\n[[stream]]\ntopic = "other"')
    pages = Pages(settings_from({"streams_file": str(path), "db_file": str(tmp_path / "none.db")}))
    pages.publish_series("depth", "other")
    rows = pages.client.get("/api/v1/series").json()["series"]
    assert {row["name"]: row["unit"] for row in rows} == {"depth": "m", "other": None}
    assert pages.client.get("/api/v1/series/depth").json()["unit"] == "m"
