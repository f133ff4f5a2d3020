"""What is shipped for Telegraf and Grafana, held against their documentation: neither is here to be asked."""

import json
import tomllib
from pathlib import Path
from typing import Any

from config.topics import matches
from scheduler_app.publishing.messages import write_metrics
from scheduler_app.publishing.records import Metrics, TickMark
from tests.unit.series_messages import AT, content

CONFIG = Path(__file__).parents[2] / "config"
TELEGRAF = tomllib.loads((CONFIG / "telegraf.conf").read_text())
# From Telegraf's own documentation: docs/CONFIGURATION.md (every input, and the agent), and the READMEs of
# plugins/inputs/mqtt_consumer, plugins/parsers/json and plugins/outputs/influxdb_v2.
AGENT = {"interval", "flush_interval", "omit_hostname"}
EVERY_INPUT = {"name_override", "tagpass", "interval"}
MQTT_CONSUMER = {
    *("servers", "topics", "topic_tag", "qos", "connection_timeout", "max_undelivered_messages"),
    *("persistent_session", "client_id", "username", "password", "data_format"),
}
JSON = {"json_strict", "json_query", "tag_keys", "json_string_fields", "json_time_key", "json_time_format"}
INFLUXDB = {"urls", "token", "organization", "bucket"}


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Return the fields that Telegraf's parser of JSON makes of an object: names joined by underscores."""
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        for key, inner in value.items():
            found |= flat(inner, f"{name}_{key}" if name else key)
        return found
    return {} if value is None else {name: value}


def test_telegraf_knows_every_option() -> None:
    assert set(TELEGRAF) == {"agent", "inputs", "outputs"}
    assert set(TELEGRAF["agent"]) <= AGENT
    assert set(TELEGRAF["inputs"]) == {"mqtt_consumer"}
    for consumer in TELEGRAF["inputs"]["mqtt_consumer"]:
        assert set(consumer) <= EVERY_INPUT | MQTT_CONSUMER | JSON
        assert consumer["data_format"] == "json"
        assert consumer["json_time_format"] == "unix"
        # it refuses the one without the other
        assert ("client_id" in consumer) == consumer.get("persistent_session", False)
    [output] = TELEGRAF["outputs"]["influxdb_v2"]
    assert set(output) == INFLUXDB


def test_telegraf_reads_what_a_subscriber_publishes() -> None:
    series, subscriber = TELEGRAF["inputs"]["mqtt_consumer"]
    [wanted] = series["topics"]
    assert matches(wanted, "STATS/home/a")
    assert matches(wanted, "STATS/a")
    assert not matches(wanted, "STATS")
    fields = flat(content("home/a"))
    assert fields[series["json_time_key"]] == AT
    assert [fields[key] for key in series["tag_keys"]] == ["home/a"]
    assert (fields["windows_1min_avg"], fields["last_value"]) == (21.25, 21.5)
    assert "windows_5min_max" not in fields  # null

    assert subscriber["topics"] == ["STATS/$metrics"]
    counters = flat(json.loads(write_metrics(Metrics(AT, AT - 9, received=3, tick=TickMark(AT, 1)))))
    assert counters[subscriber["json_time_key"]] == AT
    assert counters["received"] == 3
    # what passes as a series has its name as a tag, and the counters have none
    assert series["tagpass"] == {"series": ["*"]}
    assert "series" in counters
    assert not isinstance(counters["series"], str)


def test_the_dashboard_is_one_that_grafana_can_import() -> None:
    board = json.loads((CONFIG / "grafana" / "averages.json").read_text())
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= set(board)
    assert board["uid"] == "rolling-averages"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids) >= 10
    variables = {variable["name"] for variable in board["templating"]["list"]}
    assert variables == {"datasource", "series", "window"}
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} lies on another panel"
        taken |= cells
