from pathlib import Path

import pytest

from scheduler_app.publishing.home_assistant.told import ToldDevices
from tests.unit.home_assistant_broker import Site
from tests.unit.messages import message


def test_what_the_broker_keeps_of_ours_can_be_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    site = Site(monkeypatch, tmp_path)
    for topic in ("a", "b"):
        site.series(topic)
    site.up()
    told = ToldDevices(site.settings)
    others = {topic.replace("averages_", "averages_0"): payload for topic, payload in site.retained.items()}
    for topic, payload in {**site.retained, **others, "homeassistant/device/x/config": "{}"}.items():
        told.take(message(payload.encode(), topic, retained=True))
        told.take(message(b"", topic))  # somebody takes it back meanwhile
    told.take(message(b"online", "STATS/$state", retained=True))
    assert (len(told.devices), told.entities, len(told.others)) == (2, 4, 2)
    assert told.subscriber_is_there
    assert told.topics == ("homeassistant/device/+/config", "STATS/$state")
