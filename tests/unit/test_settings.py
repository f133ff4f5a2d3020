from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from config import setting_sources
from config.broker_address import BrokerAddress
from config.quantities import Window
from config.settings import (
    SETTINGS,
    InvalidSettings,
    default_text,
    load_settings,
    misspelt_settings,
    settings_from,
)
from tests.unit.ordinary_user import outside_of


def refusal(**flags: str) -> str:
    """Return what is said about settings that are refused."""
    with pytest.raises(InvalidSettings) as caught:
        load_settings(flags)
    return str(caught.value)


def test_the_defaults_are_those_of_the_original_project() -> None:
    settings = load_settings()
    assert settings.broker == BrokerAddress("localhost", 1883)
    assert (settings.topic, settings.stats_topic) == ("DATA", "STATS")
    assert settings.db_file == Path("tmp/test.db")
    assert settings.stats_interval == 10
    assert settings.windows == (Window("1min", 60), Window("5min", 300), Window("30min", 1800))
    assert settings.retention == 35 * 60
    assert settings.max_clock_skew == 30
    assert (settings.client_id, settings.log_level) == ("averages", "INFO")
    assert settings.broker_cafile is settings.broker_certfile is settings.broker_keyfile is None
    assert settings.health_file is settings.streams_file is None
    assert settings.max_series == 20_000
    assert settings.commit_interval == 0


@pytest.mark.parametrize("name", ["db_file", "outbox_file", "health_file"])
def test_a_path_may_begin_with_the_home_folder(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    Path(".env").write_text(f"{name.upper()}=~/x/y\n")
    assert getattr(load_settings(), name) == Path("/home/somebody/x/y")
    assert f"{name.upper()}=~nobody-at-all/x must begin with no ~" in refusal(**{name: "~nobody-at-all/x"})


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("mqttv5", "5"),
        ("5", "5"),
        ("mqttv311", "3.1.1"),
        ("311", "3.1.1"),
        ("3.1.1", "3.1.1"),
        ("auto", "auto"),
    ],
)
def test_a_version_may_be_written_as_mosquitto_writes_it(text: str, version: str) -> None:
    assert load_settings({"mqtt_version": text}).mqtt_version == version


@pytest.mark.parametrize("text", ["mqttv31", "4", "31"])
def test_other_versions_are_refused(text: str) -> None:
    assert refusal(mqtt_version=text) == f"MQTT_VERSION={text} must be 'auto', '5' or '3.1.1'"


@pytest.mark.parametrize(
    ("text", "filters"), [("a/#", ("a/#",)), (" a/+ , b", ("a/+", "b")), ("", None), (" ", None)]
)
def test_home_assistant_is_told_of_what_comes_on_some_topics(
    text: str, filters: tuple[str, ...] | None
) -> None:
    assert load_settings().ha_discovery is None
    assert load_settings({"ha_discovery": text}).ha_discovery == filters


def test_a_name_that_is_nearly_a_setting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert misspelt_settings() == []
    Path(".env").write_text("BROKR=a\nTOPIC=b\ntopics=c\nPASSWORD=d\n")
    monkeypatch.setenv("LOGLEVEL", "INFO")
    monkeypatch.setenv("BROWSER", "firefox")
    assert misspelt_settings() == [
        "LOGLEVEL in the environment is no setting and is ignored; did you mean LOG_LEVEL?",
        "BROKR in .env is no setting and is ignored; did you mean BROKER?",
        "TOPICS in .env is no setting and is ignored; did you mean TOPIC?",
    ]


def test_settings_can_be_made_of_values_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("TOPIC=from/file\nWINDOWS=soon\n")
    monkeypatch.setenv("STATS_TOPIC", "from/environment")
    settings = settings_from({"broker": "mqtt://me:secret@host:1", "stats_interval": "2s"})
    assert (settings.broker.host, settings.stats_interval) == ("host", 2)
    assert (settings.topic, settings.stats_topic) == ("DATA", "STATS")
    with pytest.raises(InvalidSettings, match="TOPIC=a/#/b must"):
        settings_from({"topic": "a/#/b"})


def test_a_flag_wins_over_the_environment_which_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().topic == "DATA"
    Path(".env").write_text("TOPIC=from/file\n")
    assert load_settings().topic == "from/file"
    monkeypatch.setenv("TOPIC", "from/environment")
    assert load_settings().topic == "from/environment"
    assert load_settings({"topic": "from/flag"}).topic == "from/flag"


def test_each_setting_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "BROKER": "mqtts://user:word@broker.example",
        "TOPIC": "sensors/#",
        "STATS_TOPIC": "averages",
        "DB_FILE": "a.db",
        "STATS_INTERVAL": "500ms",
        "RETENTION": "2h",
        "WINDOWS": "10s, 1h",
        "MAX_CLOCK_SKEW": "1min",
        "COMMIT_INTERVAL": "2s",
        "CLIENT_ID": "kitchen",
        "LOG_LEVEL": "debug",
        "HEALTH_FILE": "health",
    }.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.broker == BrokerAddress("broker.example", 8883, "mqtts", username="user", password="word")
    assert (settings.topic, settings.stats_topic) == ("sensors/#", "averages")
    assert (settings.db_file, settings.health_file) == (Path("a.db"), Path("health"))
    assert (settings.stats_interval, settings.retention, settings.max_clock_skew) == (0.5, 7200, 60)
    assert settings.commit_interval == 2
    assert settings.windows == (Window("10s", 10), Window("1h", 3600))
    assert (settings.client_id, settings.log_level) == ("kitchen", "DEBUG")


def test_an_empty_environment_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files pass `${TOPIC:-}` on as an empty one."""
    for name in SETTINGS:
        monkeypatch.setenv(name.upper(), "")
    assert load_settings() == load_settings({"topic": "DATA"})


def test_other_variables_are_none_of_our_business(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("COMPOSE_PROJECT_NAME=x\n")
    monkeypatch.setenv("UNKNOWN", "x")
    assert load_settings().topic == "DATA"


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("broker", "http://host", "must be host, host:port, or an mqtt://"),
        ("broker", "host:port:", "must be host, host:port, or an mqtt://"),
        ("broker_cafile", "/missing.pem", "must be an existing file"),
        ("broker_certfile", "/missing.pem", "must be an existing file"),
        ("broker_keyfile", "/", "must be an existing file"),
        ("topic", "a/#/b", "must have + alone between slashes"),
        ("topic", "", "must be 1 to 65535 bytes"),
        ("stats_topic", "averages/+", "must be a topic without the wildcards"),
        ("ha_discovery", "a/#/b", "must have + alone between slashes"),
        ("ha_discovery", "a,b#", "holds 'b#', which must have + alone between slashes"),
        ("ha_discovery", "a,,b", "holds '', which must be 1 to 65535 bytes"),
        ("ha_prefix", "home/#", "must be a topic without the wildcards"),
        (
            "stats_interval",
            "10",
            "must be a number with a unit (ms, s, min, h or d), for example 10s, 5min, 24h",
        ),
        ("stats_interval", "99ms", "must be a duration from 0.1s to 1d"),
        ("stats_interval", "25h", "must be a duration from 0.1s to 1d"),
        ("retention", "forever", "must be a number with a unit"),
        ("retention", "367d", "must be a duration from 1s to 366d"),
        ("windows", "", "must be a number with a unit"),
        ("windows", "1min,", "holds '', which must be a number with a unit"),
        ("windows", "1min,soon", "holds 'soon', which must be a number with a unit"),
        (
            "windows",
            "1min,500ms",
            "holds '500ms', which must be a window from 1s to 366d, in whole milliseconds",
        ),
        ("windows", "1min,5min,1 min", "must name at least one window, and each only once"),
        ("windows", "367d", "must be a window from 1s to 366d, in whole milliseconds"),
        ("max_clock_skew", "-1s", "must be a number with a unit"),
        ("max_clock_skew", "2d", "must be a duration from 0s to 1d"),
        ("commit_interval", "-1s", "must be a number with a unit"),
        ("commit_interval", "11s", "must be a duration from 0s to 10s"),
        ("streams_file", "/missing.toml", "must be an existing file"),
        ("streams_file", "/", "must be an existing file"),
        ("streams_file", "a" * 300, "must be an existing file"),
        ("max_series", "0", "must be a whole number from 1 to 1000000"),
        ("max_series", "1000001", "must be a whole number from 1 to 1000000"),
        ("max_series", "-1", "must be a whole number from 1 to 1000000"),
        ("max_series", "1e3", "must be a whole number from 1 to 1000000"),
        ("max_series", "many", "must be a whole number from 1 to 1000000"),
        ("client_id", "", "must be 1 to 64 printable ASCII characters"),
        ("client_id", "x" * 65, "must be 1 to 64 printable ASCII characters"),
        ("client_id", "küche", "must be 1 to 64 printable ASCII characters"),
        ("log_level", "LOUD", "must be 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line(name: str, value: str, wrong: str) -> None:
    """The line has the name of the setting, its value, and what it must be."""
    line = refusal(**{name: value})
    assert "\n" not in line
    shown = "host:***" if value == "host:port:" else value
    assert line.startswith(f"{name.upper()}={shown} {wrong}")


@pytest.mark.parametrize(
    ("name", "value", "seconds"),
    [
        ("stats_interval", "100ms", 0.1),
        ("stats_interval", "24h", 86400),
        ("retention", "366d", 366 * 86400),
        ("max_clock_skew", "0s", 0),
        ("max_clock_skew", "24h", 86400),
        ("commit_interval", "0s", 0),
        ("commit_interval", "10s", 10),
    ],
)
def test_the_bounds_of_a_duration_are_allowed(name: str, value: str, seconds: float) -> None:
    assert getattr(load_settings({name: value}), name) == seconds


def test_the_shortest_window_and_retention_are_allowed() -> None:
    settings = load_settings({"windows": "1s", "retention": "1s"})
    assert (settings.windows, settings.retention) == ((Window("1s", 1),), 1)


@pytest.mark.parametrize("client_id", ["x", "x" * 64, "kitchen-1 (old)"])
def test_a_client_id_has_1_to_64_characters(client_id: str) -> None:
    assert load_settings({"client_id": client_id}).client_id == client_id


def test_each_wrong_setting_has_a_line_of_its_own() -> None:
    lines = refusal(windows="x", retention="y", stats_interval="z", topic="#/#").splitlines()
    assert {line.partition("=")[0] for line in lines} == {"WINDOWS", "RETENTION", "STATS_INTERVAL", "TOPIC"}
    assert len(lines) == 4


def test_wrong_windows_alone_say_nothing_about_the_retention() -> None:
    assert refusal(windows="x").startswith("WINDOWS=x must be a number with a unit")
    assert "RETENTION" not in refusal(windows="x")


@pytest.mark.parametrize("value", ["a\nb", "a\r\nTOPIC=x", "a\u2028b"])
def test_a_value_of_several_lines_is_told_in_one(value: str) -> None:
    assert len(refusal(client_id=value).splitlines()) == 1


def test_a_topic_that_is_not_utf8_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """MQTT could not carry it: better one line now than a traceback on subscribing."""
    monkeypatch.setenv("TOPIC", "sensors/\udcff")
    assert "1 to 65535 bytes of UTF-8 without NUL" in refusal()


@pytest.mark.parametrize(("windows", "retention"), [("1min", 6 * 60), ("1s,2h,1min", 125 * 60), ("1s", 301)])
def test_readings_are_kept_for_the_longest_window_and_five_minutes(windows: str, retention: float) -> None:
    assert load_settings({"windows": windows}).retention == retention


def test_the_longest_window_that_is_allowed_needs_no_other_setting() -> None:
    assert load_settings({"windows": "366d"}).retention >= 366 * 86400


def test_a_retention_shorter_than_the_longest_window_is_refused() -> None:
    assert load_settings({"windows": "1min,10min", "retention": "10min"}).retention == 600
    line = refusal(windows="1min,10min", retention="599s")
    assert line == "RETENTION=599s must be at least 10min, the longest of WINDOWS"
    assert "RETENTION=29min" in refusal(retention="29min")  # of the default windows


@pytest.mark.parametrize("topic", ["STATS", "STATS/x", "STATS/#", "STATS/+/x"])
def test_a_topic_at_or_below_the_stats_topic_is_refused(topic: str) -> None:
    line = refusal(topic=topic)
    assert line.startswith(f"TOPIC={topic} must not be at or below STATS_TOPIC=STATS: ")


@pytest.mark.parametrize("topic", ["a,STATS/x", "STATS/\nx", "STATS/\u2028x"])
def test_of_several_topics_the_wrong_one_is_told_in_one_line(topic: str) -> None:
    line = refusal(topic=topic)
    assert len(line.splitlines()) == 1
    assert line.startswith("TOPIC=STATS/")


def test_several_topics_are_a_stream_each() -> None:
    settings = load_settings({"topic": " a/+ , b/#,c", "windows": "1min,2h"})
    assert [stream.topic for stream in settings.streams] == ["a/+", "b/#", "c"]
    assert all(stream.plain and stream.windows == settings.windows for stream in settings.streams)
    assert {stream.retention for stream in settings.streams} == {settings.retention} == {7500.0}


@pytest.mark.parametrize(
    ("topic", "wrong"),
    [("a,", "'', which must be"), (",a", "''"), ("a,,b", "''"), ("a,#b", "'#b', which must have + alone")],
)
def test_a_list_of_topics_with_one_that_is_none_is_refused(topic: str, wrong: str) -> None:
    assert refusal(topic=topic).startswith(f"TOPIC={topic} holds {wrong}")


@pytest.mark.parametrize("topic", ["#", "+", "STATS2", "a/STATS"])
def test_a_filter_that_reaches_further_than_the_stats_topic_is_taken(topic: str) -> None:
    assert load_settings({"topic": topic}).topic == topic


def test_certificates_are_for_an_encrypted_connection() -> None:
    Path("a.pem").touch()
    assert refusal(broker_cafile="a.pem").startswith(
        "BROKER_CAFILE=a.pem needs a BROKER with mqtts:// or wss://"
    )
    line = refusal(broker_certfile="a.pem", broker_keyfile="a.pem", broker="ws://u:geheim@host")
    assert line.startswith("BROKER_CERTFILE=a.pem needs a BROKER with mqtts:// or wss://")
    assert line.endswith("but BROKER is ws://host:80")


@pytest.mark.parametrize("given", ["broker_certfile", "broker_keyfile"])
def test_a_client_certificate_and_its_key_come_together(given: str) -> None:
    Path("a.pem").touch()
    missing = "BROKER_KEYFILE" if given == "broker_certfile" else "BROKER_CERTFILE"
    assert refusal(broker="mqtts://host", **{given: "a.pem"}) == (
        f"{given.upper()} needs {missing} too: set both, or neither"
    )


@pytest.mark.parametrize("broker", ["mqtts://host", "wss://host"])
def test_certificates_that_exist_are_taken(broker: str) -> None:
    for name in ("ca.pem", "cert.pem", "key.pem"):
        Path(name).touch()
    settings = load_settings(
        {
            "broker": broker,
            "broker_cafile": "ca.pem",
            "broker_certfile": "cert.pem",
            "broker_keyfile": "key.pem",
        }
    )
    assert settings.broker_cafile == Path("ca.pem")
    assert settings.broker_certfile == Path("cert.pem")
    assert settings.broker_keyfile == Path("key.pem")


def test_a_file_of_settings_that_is_no_text_is_told_in_one_line() -> None:
    Path(".env").write_bytes(b"TOPIC=\xff\xfe\n")
    assert refusal().startswith(".env cannot be read: ")
    assert "\n" not in refusal()


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("TOPIC: home/#", 1),
        ("TOPIC=a\n\n# of the broker\n\n  BROKER mqtts://me:geheim@host\nWINDOWS=1min\n", 5),
        ('WINDOWS=1min\r\nBROKER="mqtts://me:geheim@host\r\n', 2),
    ],
)
def test_a_line_of_the_file_of_settings_that_is_none_is_told_by_its_number(written: str, line: int) -> None:
    """What it was to set would be left out; and what stands there may be a password."""
    Path(".env").write_text(written)
    assert refusal() == f".env, line {line}: must be NAME=value, with both of its quotation marks"


def test_a_file_that_cannot_be_looked_for_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    with outside_of("streams.toml") as path:
        assert refusal(streams_file=str(path)) == (
            f"STREAMS_FILE={path} must be a file in a folder that we may enter"
        )
        monkeypatch.setattr(setting_sources, "_FILE", path)
        assert refusal().startswith(".env cannot be read: ")


def test_settings_do_not_change_once_they_are_read() -> None:
    settings = load_settings()
    with pytest.raises(FrozenInstanceError):
        settings.topic = "other"  # type: ignore[misc]


def test_settings_show_no_password() -> None:
    token = "geheim" * 3
    settings = load_settings({"broker": "mqtt://user:geheim@host", "web_token": token})
    assert (settings.broker.password, settings.web_token) == ("geheim", token)
    assert "geheim" not in f"{settings} {settings!r}"


def test_it_is_known_which_settings_somebody_has_set(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("TOPIC=a\nBROKER=\nPASSWORD=x\n")
    monkeypatch.setenv("web_port", "1")
    assert load_settings({"windows": "1min"}).given == {"topic", "web_port", "windows"}
    assert settings_from({"windows": "1min"}).given == {"windows"}
    assert load_settings().retention == 35 * 60


def test_a_name_without_a_value_in_the_file_sets_nothing() -> None:
    Path(".env").write_text("TOPIC\nWINDOW\n")
    assert load_settings().topic == "DATA"
    assert load_settings().given == frozenset()
    assert misspelt_settings() == ["WINDOW in .env is no setting and is ignored; did you mean WINDOWS?"]


def test_a_value_that_has_been_read_before_is_taken_as_it_is() -> None:
    windows = load_settings({"windows": "2s,1min"}).windows
    assert settings_from({"windows": windows, "retention": 100.0}).windows == windows


@pytest.mark.parametrize("name", SETTINGS)
def test_the_default_that_the_help_shows_is_the_default(name: str) -> None:
    shown = default_text(name)
    if name == "retention":
        shown = shown.partition(":")[0]
    if shown in ("none", "the system's"):
        assert getattr(load_settings(), name) is None
    else:
        assert getattr(load_settings({name: shown}), name) == getattr(load_settings(), name)


@pytest.mark.parametrize("name", SETTINGS)
def test_each_setting_is_described(name: str) -> None:
    assert SETTINGS[name].description


DB_URL = "postgresql://u@host/averages"


@pytest.mark.parametrize("number", ["1", "64"])
def test_so_many_members_there_may_be(number: str) -> None:
    settings = load_settings({"members": number, "share": "averages", "db_url": DB_URL})
    assert (settings.members, settings.share) == (int(number), "averages")
    assert (load_settings().members, load_settings().share) == (None, None)


@pytest.mark.parametrize("number", ["0", "65", "-1", "2.0", "two", "1e1"])
def test_another_number_of_members_is_refused(number: str) -> None:
    assert refusal(members=number, db_url=DB_URL) == f"MEMBERS={number} must be a whole number from 1 to 64"


@pytest.mark.parametrize("group", ["a/b", "a+", "#", "a#b"])
def test_a_group_has_a_name_that_a_broker_takes(group: str) -> None:
    line = refusal(share=group, members="2", db_url=DB_URL)
    assert line == f"SHARE={group} must be the name of a group, without / + and #, for example averages"


def test_a_group_cannot_take_retained_copies() -> None:
    """A broker sends none for a shared subscription; in a filter with $share that is refused, too."""
    Path("streams.toml").write_text('[[stream]]\ntopic = "z/+"\nvalue = "v"\ntime = "t"\nretained = "take"\n')
    several = {"streams_file": "streams.toml", "members": "2", "db_url": DB_URL}
    assert load_settings(several).streams[0].retained == "take"
    assert refusal(share="averages", **several) == (
        "SHARE=averages must not stand beside retained = take, which the stream of z/+ has in STREAMS_FILE: "
        "a group that shares messages gets no retained copies"
    )


@pytest.mark.parametrize(("name", "value"), [("members", "2"), ("share", "averages")])
def test_several_subscribers_need_a_database_that_they_can_share(name: str, value: str) -> None:
    assert refusal(**{name: value}) == (
        f"{name.upper()}={value} needs DB_URL, a PostgreSQL database that several subscribers store in: "
        f"set it, or leave {name.upper()} out"
    )
