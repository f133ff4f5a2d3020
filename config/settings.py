"""The settings: read once, from flags, the environment and `.env`, and checked before use.

Whoever adds one adds an entry to `Settings`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from config import setting_sources
from config import setting_values as read
from config.broker_address import BrokerAddress, hide_password
from config.database_url import DatabaseUrl
from config.database_url import hide_password as hide_database_password
from config.quantities import Window
from config.setting import InvalidSettings, Setting, read_values, setting, settings_of
from config.setting_checks import check_certificates, check_members, check_retention, longest, streams_of
from config.stream import RETENTION_MARGIN, Streams
from config.topic_setting import check_value
from config.topics import check_topic

__all__ = [
    "SETTINGS",
    "InvalidSettings",
    "Settings",
    "default_text",
    "load_settings",
    "misspelt_settings",
    "settings_from",
]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one process. A flag wins over the environment, which wins over `.env`.

    Durations are in seconds. The second argument of each is its description in the help, the third the text
    of its default.
    """

    broker: BrokerAddress = setting(
        BrokerAddress.parse,
        "MQTT broker: host, host:port, or an mqtt://, mqtts://, ws:// or wss:// URL with optional "
        "user:password@ (a password only in the environment or .env)",
        "localhost",
        shown=hide_password,
    )
    broker_cafile: Path | None = setting(
        read.existing_file,
        "file with the CA certificates (PEM) to trust the broker by, for mqtts:// and wss://",
        default_text="the system's",
    )
    broker_certfile: Path | None = setting(
        read.existing_file, "file with the client certificate (PEM); needs BROKER_KEYFILE too"
    )
    broker_keyfile: Path | None = setting(
        read.existing_file, "file with the key (PEM) of the client certificate"
    )
    mqtt_version: str = setting(
        read.mqtt_version, "MQTT version: 5, 3.1.1, or auto, which is 5 where the broker speaks it", "auto"
    )
    topic: str = setting(
        read.topic_filters,
        "topic of the readings; the subscriber takes several, comma-separated, with + and # too",
        "DATA",
    )
    value: str | None = setting(
        check_value,
        "where the numbers stand in the messages on TOPIC, if these are JSON: a path such as temperature or "
        "ENERGY.Power, several separated by commas, or * for every number",
    )
    streams_file: Path | None = setting(
        read.existing_file, "TOML file that says which topics are read, and how; it takes the place of TOPIC"
    )
    max_series: int = setting(
        read.whole_number(1, 1_000_000),
        "how many series there may be; a message that would begin one more is rejected",
        "20000",
    )
    stats_topic: str = setting(
        check_topic,
        "topic of the averages; what is published at or below it is never taken as input",
        "STATS",
    )
    db_file: Path = setting(
        read.path, "SQLite file of the readings; missing folders are created", "tmp/test.db"
    )
    db_url: DatabaseUrl | None = setting(
        DatabaseUrl.parse,
        "PostgreSQL database of the readings, in the place of DB_FILE: a postgresql:// URL (a password only "
        "in the environment or .env, or as libpq finds it: PGPASSWORD, ~/.pgpass)",
        shown=hide_database_password,
    )
    members: int | None = setting(
        # each is a session at the broker, and a connection to the database
        read.whole_number(1, 64),
        "how many subscribers store at DB_URL at the same time, 1 to 64; the averages are then taken by "
        "manage.py averages, and more subscribers than that wait as spares",
    )
    share: str | None = setting(
        read.group,
        "the group in which members share the messages ($share/GROUP/FILTER), so that each gets its part",
    )
    outbox_file: Path = setting(
        read.path,
        "SQLite file of the publisher's readings that no broker has acknowledged yet",
        "tmp/outbox.db",
    )
    stats_interval: float = setting(
        read.duration(0.1, 86400), "time between two publications of the averages", "10s"
    )
    windows: tuple[Window, ...] = setting(
        read.windows, "windows to average over, separated by commas", "1min,5min,30min"
    )
    retention: float = setting(
        read.duration(1),
        "how long readings are kept",
        default_text="35min: the longest window and 5min",
        otherwise=lambda values: longest(values["windows"]) + RETENTION_MARGIN,
    )
    max_clock_skew: float = setting(
        read.duration(0, 86400), "how far ahead of this machine's clock the time of a reading may be", "30s"
    )
    commit_interval: float = setting(
        read.duration(0, 10),
        "time from one commit to the next at the least, unless 10 messages wait; it spares a memory card, "
        "and what waits is acknowledged only then",
        "0s",
    )
    client_id: str = setting(read.client_id, "prefix of the MQTT client ids", "averages")
    log_level: str = setting(read.log_level, "DEBUG, INFO, WARNING, ERROR or CRITICAL", "INFO")
    web_host: str = setting(
        read.host,
        "address that the page is served on; one that others can reach needs WEB_TOKEN",
        "127.0.0.1",
    )
    web_port: int = setting(read.port, "port that the page is served on", "8080")
    web_token: str | None = setting(
        read.token,
        "what a browser must give as the password, or a program as a bearer token",
        shown=lambda _: "***",
    )
    web_allowed_hosts: tuple[str, ...] | None = setting(
        read.hosts,
        "names, separated by commas, that a proxy or a program asks the page by, beside those of this "
        "machine; * for all, as with WEB_TOKEN",
    )
    ha_discovery: tuple[str, ...] | None = setting(
        read.filters_if_any,
        "topic filters, separated by commas: the averages of readings on these topics appear in "
        "Home Assistant",
    )
    ha_prefix: str = setting(
        check_topic,
        "topic below which Home Assistant is told of entities: its discovery prefix",
        "homeassistant",
    )
    health_file: Path | None = setting(
        read.path,
        "file that is touched every few seconds while the role is connected and working, for container "
        "health checks",
    )

    # What the stream file says, or one stream for each filter in TOPIC.
    streams: Streams = field(default=Streams(), repr=False)
    # The names of the settings that somebody has set.
    given: frozenset[str] = field(default=frozenset(), compare=False, repr=False)


# Each entry by the name of its setting.
SETTINGS: Mapping[str, Setting[object]] = settings_of(Settings)


def load_settings(flags: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; `flags` holds those given on the command line, by field name.

    Raises InvalidSettings with one line for each setting that is wrong.
    """
    return settings_from({**setting_sources.written(), **(flags or {})})


def settings_from(values: Mapping[str, object]) -> Settings:
    """Return the settings that `values` give, by field name, with the defaults of all others.

    A text is read; what is no text has been read before. What is in `.env` and in the environment does not
    count. Raises InvalidSettings.
    """
    settings = Settings(**read_values(SETTINGS, values), given=frozenset(SETTINGS.keys() & values.keys()))
    try:
        settings = replace(settings, streams=streams_of(settings))
        check_certificates(settings)
        check_retention(settings)
        check_members(settings)
    except ValueError as error:
        raise InvalidSettings(str(error)) from None
    return settings


def misspelt_settings() -> list[str]:
    """Return a sentence for each name in `.env` and the environment that is nearly one of a setting."""
    return setting_sources.misspelt(SETTINGS)


def default_text(name: str) -> str:
    """Return the default of the setting `name`, as a user would write it."""
    return SETTINGS[name].default_text
