"""When Home Assistant is told of what, and how it is taken back."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from models.statistics.plan import Plan
from scheduler_app.mqtt.message import Puback
from scheduler_app.publishing.home_assistant import device_message
from scheduler_app.publishing.home_assistant.publisher import MOST_AT_ONCE, listened_to
from scheduler_app.publishing.home_assistant.series import anything_wanted
from tests.unit import discovery_payloads as payloads
from tests.unit.home_assistant_broker import PLAN, Site, entities

Z2M = payloads.ZIGBEE2MQTT
STATUS = "homeassistant/status"
FIELDS = '[[stream]]\ntopic = "zigbee2mqtt/+"\nvalue = ["temperature", "humidity"]'
MakeSite = Callable[..., Site]


@pytest.fixture
def make_site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MakeSite:
    return lambda streams="", **settings: Site(monkeypatch, tmp_path, streams, **settings)


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """One with three series on two topics, of which Home Assistant has been told."""
    site = make_site(FIELDS)
    for topic, field in (("kitchen", "temperature"), ("kitchen", "humidity"), ("bath", "humidity")):
        site.series(f"zigbee2mqtt/{topic}", field)
    assert len(site.up()) == 2
    return site


def shape(sent: list[tuple[str, dict[str, object] | None]]) -> list[str]:
    """Return what each message does: how many entities it has, and how many it takes back."""
    return [
        "clears"
        if content is None
        else f"{len(entities(content))} and {len(content['components']) - len(entities(content))} gone"  # type: ignore[arg-type]
        for _, content in sent
    ]


def test_one_message_for_each_topic_and_only_once(site: Site) -> None:
    site.tick()
    assert site.send_all() == []
    assert [len(json.loads(payload)["components"]) for payload in site.retained.values()] == [4, 2]


def test_nothing_is_sent_before_what_the_broker_keeps_was_heard(make_site: MakeSite) -> None:
    site = make_site()
    site.series("a")
    site.connect()
    site.tick()
    assert site.send(4.9) == []
    assert len(site.send(0.1)) == 1


def test_who_has_much_to_tell_is_listened_to_for_longer(make_site: MakeSite) -> None:
    site = make_site()
    site.series("a")
    site.connect()
    site.tick()
    site.now += 4.9
    site.hear("homeassistant/sensor/x/config", "{}")
    assert site.send(0.9) == []
    assert len(site.send(0.1)) == 1


def test_nothing_is_sent_before_the_series_are_known(make_site: MakeSite) -> None:
    """Or all that an earlier run has sent would be taken for what is gone."""
    site = make_site()
    site.series("a")
    site.up()
    site.restart()
    site.connect()
    assert site.send_all() == []
    site.tick()
    assert site.send_all() == []
    assert len(site.retained) == 1


def test_nothing_is_sent_without_a_connection(make_site: MakeSite) -> None:
    site = make_site()
    site.series("a")
    site.tick()
    assert site.send(10) == []


def test_after_a_restart_only_what_differs_is_sent(site: Site) -> None:
    site.restart()
    assert site.up() == []
    site.series("zigbee2mqtt/attic", "humidity")
    site.restart()
    assert shape(site.up()) == ["2 and 0 gone"]


def test_a_broker_that_has_forgotten_is_told_again(site: Site) -> None:
    site.retained.clear()
    site.connect()
    assert shape(site.send_all()) == ["4 and 0 gone", "2 and 0 gone"]


def test_a_statistic_that_is_not_computed_any_more_is_taken_back_by_name_and_then_left_out(
    site: Site,
) -> None:
    for name in site.plans:
        site.plans[name] = Plan([("5min", 300_000)], ["avg"])
    site.restart()
    assert shape(site.up()) == ["2 and 2 gone", "1 and 1 gone", "2 and 0 gone", "1 and 0 gone"]


def test_two_messages_of_a_device_are_a_second_apart(site: Site) -> None:
    """Home Assistant leaves out parts of one that comes while it still works on the one before."""
    site.gone("zigbee2mqtt/kitchen/humidity")
    assert shape(site.send()) == ["2 and 2 gone"]
    assert shape(site.send()) == ["2 and 0 gone"]
    assert site.send() == []


def test_the_last_series_of_a_device_takes_it_along(site: Site) -> None:
    assert site.gone("zigbee2mqtt/bath/humidity") == ["zigbee2mqtt/bath/humidity"]
    assert shape(site.send_all()) == ["clears"]
    assert len(site.retained) == 1
    site.series("zigbee2mqtt/bath", "humidity")
    site.tick()
    assert shape(site.send_all()) == ["2 and 0 gone"]


def test_a_source_is_inherited_later_although_one_of_its_series_has_gone(site: Site) -> None:
    site.gone("zigbee2mqtt/kitchen/humidity")
    site.send_all()
    site.tell(Z2M)
    assert shape(site.send_all()) == ["clears", "2 and 0 gone"]


def test_a_series_that_was_never_told_of_goes_without_a_message(make_site: MakeSite) -> None:
    site = make_site(ha_discovery="b")
    site.series("a")
    assert site.up() == []
    assert site.gone("a") == ["a"]
    assert site.send_all() == []


def test_what_an_earlier_run_has_left_behind_is_taken_back(site: Site) -> None:
    site.gone("zigbee2mqtt/bath/humidity")
    site.restart()  # before it was sent
    assert shape(site.up()) == ["clears"]


def test_devices_of_others_are_left_alone(site: Site, make_site: MakeSite) -> None:
    other = make_site(client_id="other")
    other.retained = {**site.retained, "homeassistant/device/x/config": '{"components": {}}'}
    assert other.up() == []
    assert len(other.retained) == 3


@pytest.mark.parametrize("kept", ["x", "[]", "{}", '{"device": {}, "components": []}', '{"device": []}'])
def test_what_is_no_message_of_ours_is_replaced(site: Site, kept: str) -> None:
    topic = next(iter(site.retained))
    site.retained[topic] = kept
    site.connect()
    assert shape(site.send_all()) == ["4 and 0 gone"]


def test_a_source_that_appears_later_is_inherited_later(site: Site) -> None:
    """Home Assistant leaves an entity on its device, so it has to go for a moment."""
    site.tell(Z2M)
    assert shape(site.send()) == ["clears"]
    [(_, content)] = site.send()
    assert content is not None
    assert content["device"] == {"identifiers": ["zigbee2mqtt_0x00158d0001a2b3c4"]}
    assert entities(content)["temperature average 1min"]["unit_of_measurement"] == "°C"
    assert site.send() == []


def test_a_unit_that_changes_takes_one_message(site: Site) -> None:
    site.tell(Z2M)
    site.send_all()
    site.tell(Z2M, unit_of_measurement="°F")
    assert shape(site.send_all()) == ["4 and 0 gone"]


def test_a_source_that_goes_is_missed(site: Site) -> None:
    site.tell(Z2M)
    site.send_all()
    site.hear(Z2M.topic, "")
    assert shape(site.send_all()) == ["clears", "4 and 0 gone"]


def test_a_source_that_names_its_topics_by_a_filter_is_inherited_later_too(make_site: MakeSite) -> None:
    site = make_site('[[stream]]\ntopic = "home/#"\nvalue = "tempc"')
    site.series("home/gateway/BTtoMQTT/A4C138000102")
    site.up()
    site.tell(payloads.OPENMQTTGATEWAY)
    assert shape(site.send_all()) == ["clears", "2 and 0 gone"]


def test_home_assistant_is_answered_within_five_seconds_of_its_birth(site: Site) -> None:
    site.hear(STATUS, "online")
    assert site.send(4.9) == []
    assert shape(site.send(0.1)) == ["4 and 0 gone", "2 and 0 gone"]
    assert site.send_all() == []


@pytest.mark.parametrize(("payload", "retained"), [("offline", False), ("", False), ("online", True)])
def test_what_is_no_birth_is_not_answered(site: Site, payload: str, *, retained: bool) -> None:
    site.hear(STATUS, payload, retained=retained)
    assert site.send_all() == []


def test_what_somebody_takes_back_comes_again_only_with_the_next_birth(site: Site) -> None:
    """Home Assistant does that when an entity is deleted there."""
    topic = next(iter(site.retained))
    site.hear(topic, "")
    assert site.send_all() == []
    site.hear(STATUS, "online")
    assert len(site.send_all()) == 2


@pytest.mark.parametrize(("after", "sent"), [(9.0, ["4 and 0 gone"]), (11.0, [])])
def test_what_home_assistant_takes_back_because_we_did_comes_again_at_once(
    site: Site, after: float, sent: list[str]
) -> None:
    """For a moment a device of ours has no enabled entity; then it is removed, with each disabled one."""
    topic = next(iter(site.retained))
    site.tell(Z2M)
    assert shape(site.send()) == ["clears"]
    site.send(after)
    site.hear(topic, "")
    site.hear(topic, "")
    assert shape(site.send(0)) == sent


def test_many_devices_are_no_flood(make_site: MakeSite, log_lines: list[str]) -> None:
    site = make_site()
    for number in range(2 * MOST_AT_ONCE + 1):
        site.series(f"a/{number}")
    site.connect()
    site.tick()
    assert [len(site.send(seconds)) for seconds in (6.0, 1.0, 1.0, 1.0)] == [MOST_AT_ONCE, MOST_AT_ONCE, 1, 0]
    line = (
        "INFO: {} devices of Home Assistant are looked at; what differs is sent, up to 100 messages a "
        "second: that takes up to 2 s"
    )
    assert log_lines == [line.format(201), "INFO: discovery messages sent to Home Assistant: 201"]
    del log_lines[:]
    site.hear(STATUS, "online")
    assert len(site.send_all()) == 201
    assert len(log_lines) == 2


@pytest.mark.parametrize(("limit", "left_out"), [(0, 4), (1, 3)])
def test_a_message_is_bounded_and_the_averages_come_first(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, log_lines: list[str], limit: int, left_out: int
) -> None:
    site = make_site()
    site.series("a", plan=Plan(PLAN.windows, ["max", "avg"]))
    [(_, content)] = site.up()
    assert content is not None
    sizes = [len(json.dumps({key: component})) for key, component in content["components"].items()]
    monkeypatch.setattr(device_message, "LARGEST", sum(sizes[:limit]))
    del log_lines[:]
    site.restart()
    sent = site.up()
    assert any(f" {left_out} of them are left out" in line for line in log_lines)
    assert list(entities(sent[0][1])) == ["average 1min"][:limit]


def test_a_refusal_is_told_once_with_its_cure(make_site: MakeSite, log_lines: list[str]) -> None:
    site = make_site()
    site.series("a")
    site.series("b")
    site.connection.answer = Puback(accepted=False, reason="Not authorized")
    site.up()
    [line] = [line for line in log_lines if "refuses" in line]
    assert "Not authorized; have its rules (ACL) allow us to publish on homeassistant/device/+/config" in line


@pytest.mark.parametrize(
    ("streams", "ha_discovery", "wanted", "anything"),
    [
        ("", "", [], False),
        ("", "a/+", ["a/1"], True),
        ("", "a/+, b", ["a/1", "b"], True),
        ('[[stream]]\ntopic = "b"\nha_discovery = true\n[[stream]]\ntopic = "#"', "", ["b"], True),
        (
            '[[stream]]\ntopic = "b"\nha_discovery = false\n[[stream]]\ntopic = "#"',
            "#",
            ["a/1", "a/1/x"],
            True,
        ),
        ('[[stream]]\ntopic = "#"\nha_discovery = false', "", [], False),
    ],
)
def test_what_appears_is_said_by_the_setting_and_by_the_stream(
    make_site: MakeSite, streams: str, ha_discovery: str, wanted: list[str], *, anything: bool
) -> None:
    site = make_site(streams, ha_discovery=ha_discovery)
    assert anything_wanted(site.settings) is anything
    for name in ("a/1", "a/1/x", "b", "homeassistant/x"):
        site.series(name)
    found = [entity["state_topic"] for _, content in site.up() for entity in entities(content).values()]
    assert sorted(set(found)) == [f"STATS/{name}" for name in wanted]


def test_the_prefix_may_be_another(make_site: MakeSite) -> None:
    site = make_site(ha_prefix="home/discovery")
    site.series("a")
    assert site.connection.topic_filters == ("home/discovery/status", *listened_to("home/discovery"))
    site.hear("home/discovery/status", "online")
    assert [topic.rpartition("/device/")[0] for topic, _ in site.up()] == ["home/discovery"]


def test_it_does_nothing_of_its_own_when_others_connect(site: Site) -> None:
    site.publisher.connected()
    assert site.send_all() == []
    site.publisher.stop()
    assert not site.connection.connected


def test_a_series_of_which_nothing_is_known_is_left_out_until_it_is(make_site: MakeSite) -> None:
    site = make_site()
    name = site.series("a")
    row = site.rows.pop(name)
    assert site.up() == []
    site.rows[name] = row
    site.tick()
    assert len(site.send_all()) == 1


@pytest.mark.parametrize("what", ["trouble", "too_large"])
def test_what_is_the_matter_with_the_connection_is_told_once(
    site: Site, log_lines: list[str], what: str
) -> None:
    del log_lines[:]
    for text in ("broken", "broken", None, "broken"):
        setattr(site.connection, what, text)
        site.send()
    line = "ERROR: what Home Assistant is told may not be all there is: broken"
    assert log_lines == [line, line]
