from pathlib import Path

import pytest

from config.broker_address import BrokerAddress
from config.quantities import Window
from config.settings import InvalidSettings, Settings, default_text, load_settings


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
    assert settings.health_file is None


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
    assert settings.windows == (Window("10s", 10), Window("1h", 3600))
    assert (settings.client_id, settings.log_level) == ("kitchen", "DEBUG")


def test_an_empty_environment_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files pass `${TOPIC:-}` on as an empty one."""
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), "")
    assert load_settings() == load_settings({"topic": "DATA"})


def test_other_variables_are_none_of_our_business(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("COMPOSE_PROJECT_NAME=x\n")
    monkeypatch.setenv("UNKNOWN", "x")
    assert load_settings().topic == "DATA"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("broker", "http://host", "host, host:port, or an mqtt://"),
        ("broker", "host:port:", "host, host:port, or an mqtt://"),
        ("broker_cafile", "/missing.pem", "the path of a file that exists"),
        ("broker_certfile", "/missing.pem", "the path of a file that exists"),
        ("broker_keyfile", "/", "the path of a file that exists"),
        ("topic", "a/#/b", "sensors/+/temp"),
        ("topic", "", "1 to 65535 bytes"),
        ("stats_topic", "averages/+", "without the wildcards"),
        ("stats_interval", "10", "10s, 5min, 24h"),
        ("stats_interval", "99ms", "from 0.1s to 1d"),
        ("stats_interval", "25h", "from 0.1s to 1d"),
        ("retention", "forever", "10s, 5min, 24h"),
        ("retention", "367d", "to 366d"),
        ("windows", "", "10s, 5min, 24h"),
        ("windows", "1min,", "10s, 5min, 24h"),
        ("windows", "1min,soon", "10s, 5min, 24h"),
        ("windows", "1min,500ms", "from 1s to 366d, in whole milliseconds"),
        ("windows", "1min,5min,1 min", "one window or more, each once"),
        ("windows", "367d", "from 1s to 366d, in whole milliseconds"),
        ("max_clock_skew", "-1s", "10s, 5min, 24h"),
        ("max_clock_skew", "2d", "from 0s to 1d"),
        ("client_id", "", "1 to 64 printable ASCII characters"),
        ("client_id", "x" * 65, "1 to 64 printable ASCII characters"),
        ("client_id", "küche", "1 to 64 printable ASCII characters"),
        ("log_level", "LOUD", "'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line(name: str, value: str, allowed: str) -> None:
    """The line has the name of the setting, its value, and what is allowed."""
    line = refusal(**{name: value})
    assert "\n" not in line
    shown = "host:***" if value == "host:port:" else value
    assert line.startswith(f"{name.upper()}={shown} is not allowed: ")
    assert allowed in line


@pytest.mark.parametrize(
    ("name", "value", "seconds"),
    [
        ("stats_interval", "100ms", 0.1),
        ("stats_interval", "24h", 86400),
        ("retention", "366d", 366 * 86400),
        ("max_clock_skew", "0s", 0),
        ("max_clock_skew", "24h", 86400),
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
    assert refusal(windows="x").startswith("WINDOWS=x is not allowed: ")
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
    assert line == "RETENTION=599s is not allowed: at least 10min, the longest of WINDOWS"
    assert "RETENTION=29min" in refusal(retention="29min")  # of the default windows


@pytest.mark.parametrize("topic", ["STATS", "STATS/x", "STATS/#", "STATS/+/x"])
def test_a_topic_at_or_below_the_stats_topic_is_refused(topic: str) -> None:
    line = refusal(topic=topic)
    assert line.startswith(f"TOPIC={topic} is not allowed: ")
    assert "STATS_TOPIC=STATS" in line


@pytest.mark.parametrize("topic", ["#", "+", "STATS2", "a/STATS"])
def test_a_filter_that_reaches_further_than_the_stats_topic_is_taken(topic: str) -> None:
    assert load_settings({"topic": topic}).topic == topic


def test_certificates_are_for_an_encrypted_connection() -> None:
    Path("a.pem").touch()
    assert refusal(broker_cafile="a.pem").startswith(
        "BROKER_CAFILE=a.pem is not allowed: only with an mqtts://"
    )
    line = refusal(broker_certfile="a.pem", broker_keyfile="a.pem", broker="ws://u:geheim@host")
    assert line.startswith("BROKER_CERTFILE=a.pem is not allowed: only with an mqtts://")
    assert "(it is ws://host:80)" in line


@pytest.mark.parametrize("given", ["broker_certfile", "broker_keyfile"])
def test_a_client_certificate_and_its_key_come_together(given: str) -> None:
    Path("a.pem").touch()
    assert refusal(broker="mqtts://host", **{given: "a.pem"}) == (
        f"{given.upper()} is not allowed alone: BROKER_CERTFILE and BROKER_KEYFILE together"
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


def test_settings_do_not_change_once_they_are_read() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.topic = "other"


def test_settings_show_no_password() -> None:
    settings = load_settings({"broker": "mqtt://user:geheim@host"})
    assert settings.broker.password == "geheim"
    assert "geheim" not in f"{settings} {settings!r}"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_default_that_the_help_shows_is_the_default(name: str) -> None:
    shown = default_text(name)
    if name == "retention":
        shown = shown.partition(":")[0]
    if shown in ("none", "the system's"):
        assert getattr(load_settings(), name) is None
    else:
        assert getattr(load_settings({name: shown}), name) == getattr(load_settings(), name)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_is_described(name: str) -> None:
    assert Settings.model_fields[name].description
