"""What `check` leaves at the broker whose sessions it has tried out: nothing."""

import itertools

import pytest

from config.settings import load_settings
from scheduler_app.checks.session import check_session
from scheduler_app.mqtt.ingest_session import IngestSession
from tests.support.brokers import Mosquitto
from tests.support.waiting import wait_for


@pytest.mark.parametrize("moment", ["messages sent", "messages came back", None])
def test_no_session_is_left_also_where_it_is_interrupted(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch, moment: str | None
) -> None:
    """A broker would keep it, and all that waits in it, for ever."""
    numbers = itertools.count()
    monkeypatch.setattr("scheduler_app.checks.session.secrets.token_hex", lambda size: f"{next(numbers)}")
    settings = load_settings({"broker": mosquitto.access.url, "mqtt_version": "5"})
    awaited = moment

    def progress(text: str) -> None:
        nonlocal awaited
        if awaited is not None and text.endswith(awaited):
            awaited = None
            raise KeyboardInterrupt

    if moment is None:
        assert check_session(settings, None, 600.0, progress).level == "ok"
    else:
        with pytest.raises(KeyboardInterrupt):
            check_session(settings, None, 600.0, progress)
    left = IngestSession(settings, ["DATA"], role="check-1", quiet=True)
    try:
        assert left.connect()

        def is_new() -> bool:
            left.maintain()
            assert left.receive(1, 0.1) == []
            return left.take_session_loss()

        wait_for(is_new, "the broker begins a new session")
    finally:
        left.discard()
