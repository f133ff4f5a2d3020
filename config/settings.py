"""Every setting: read once, from flags, the environment and `.env`, and validated before use."""

import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from config.broker_address import BrokerAddress, hide_password
from config.database_url import DatabaseUrl
from config.database_url import hide_password as hide_database_password
from config.near_names import nearest
from config.quantities import LONGEST_DURATION, Window, each_of, format_duration, parse_duration
from config.streams import RETENTION_MARGIN, Stream, load_streams, not_below, read_windows
from config.text import complaint, printable
from config.topic_setting import check_value, streams_of_topics
from config.topics import check_topic, check_topic_filter, disjoint, is_at_or_below

DEFAULT_WINDOWS = "1min,5min,30min"
# In WEB_ALLOWED_HOSTS: whatever the name is.
ANY_HOST = "*"
# Each is a session at the broker, and a connection to the database.
_MOST_MEMBERS = 64
_HOST_NAME = re.compile(r"(?!-)[\w-]{1,63}(?:\.[\w-]{1,63})*\.?", re.ASCII)
_TOKEN = re.compile(r"[!-~]{16,256}")


class InvalidSettings(Exception):
    """One or more settings are wrong. The text has a line for each: its name, its value, what it must be."""


def _duration(least: float, most: float = LONGEST_DURATION) -> Callable[[object], float]:
    def parse(value: object) -> float:
        seconds = parse_duration(value) if isinstance(value, str) else float(str(value))
        if not least <= seconds <= most:
            bounds = f"from {format_duration(least)} to {format_duration(most)}"
            raise ValueError(f"must be a duration {bounds}")
        return seconds

    return parse


def _windows(value: object) -> object:
    return parse_windows(value) if isinstance(value, str) else value


def parse_windows(text: str) -> tuple[Window, ...]:
    """Read a WINDOWS setting; ValueError says what is allowed."""
    return read_windows(text.split(","))


def _longest(windows: Iterable[Window]) -> float:
    return max((window.seconds for window in windows), default=0.0)


def _broker(value: object) -> object:
    return BrokerAddress.parse(value) if isinstance(value, str) else value


def _database_url(value: object) -> object:
    return DatabaseUrl.parse(value) if isinstance(value, str) else value


def _path(value: object) -> Path:
    """Read a path, in which ~ stands for the user's home, wherever it was written."""
    try:
        return Path(str(value)).expanduser()
    except RuntimeError:
        raise ValueError("must begin with no ~, or with that of a user who has a home folder") from None


def _existing_file(value: object) -> Path:
    path = _path(value)
    if not path.is_file():
        raise ValueError("must be an existing file")
    return path


def _client_id(value: object) -> object:
    if isinstance(value, str) and not (0 < len(value) <= 64 and value.isascii() and value.isprintable()):
        raise ValueError("must be 1 to 64 printable ASCII characters")
    return value


def _mqtt_version(value: object) -> object:
    """Read a version as it is, or as Mosquitto's clients write it."""
    return {"mqttv5": "5", "mqttv311": "3.1.1", "311": "3.1.1"}.get(str(value), value)


def _topic_filters(value: object) -> str:
    """Check the topic filters, separated by commas."""
    return ",".join(each_of(map(str.strip, str(value).split(",")), check_topic_filter))


def _filters(value: object) -> object:
    """Read topic filters, separated by commas, or nothing."""
    if not isinstance(value, str):
        return value
    return tuple(each_of(map(str.strip, value.split(",")), check_topic_filter)) if value.strip() else None


def _whole_number(value: object) -> int:
    if not str(value).isdecimal() or not 1 <= int(str(value)) <= 1_000_000:
        raise ValueError("must be a whole number from 1 to 1000000")
    return int(str(value))


def _members(value: object) -> int:
    if not str(value).isdecimal() or not 1 <= int(str(value)) <= _MOST_MEMBERS:
        raise ValueError(f"must be a whole number from 1 to {_MOST_MEMBERS}")
    return int(str(value))


def _share(value: object) -> object:
    if isinstance(value, str):
        try:
            check_topic_filter(f"$share/{value}/#")
        except ValueError:
            value = ""
        if not value or "/" in value:
            raise ValueError("must be the name of a group, without / + and #, for example averages")
    return value


def _host(value: object) -> str:
    host = str(value).strip().strip("[]")
    try:
        return str(ip_address(host))
    except ValueError:
        if not _HOST_NAME.fullmatch(host):
            raise ValueError("must be an IP address, such as 127.0.0.1, or the name of a host") from None
    return host.lower().removesuffix(".")


def _hosts(value: object) -> object:
    if not isinstance(value, str):
        return value
    return (ANY_HOST,) if value.strip() == ANY_HOST else tuple(each_of(value.split(","), _host))


def _port(value: object) -> int:
    if not str(value).isdecimal() or not 1 <= int(str(value)) <= 65535:
        raise ValueError("must be a port, from 1 to 65535")
    return int(str(value))


def _token(value: object) -> object:
    if isinstance(value, str) and not _TOKEN.fullmatch(value):
        raise ValueError("must be 16 to 256 letters, digits and other ASCII characters without spaces")
    return value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class Settings(BaseSettings):
    """The settings of one process. A flag wins over the environment, which wins over `.env`.

    Durations are in seconds. Each field's description and `default` text feed the help.
    """

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, validate_default=True
    )

    broker: Annotated[BrokerAddress, BeforeValidator(_broker), NoDecode] = Field(
        default=BrokerAddress("localhost", 1883),
        description="MQTT broker: host, host:port, or an mqtt://, mqtts://, ws:// or wss:// URL with "
        "optional user:password@ (a password only in the environment or .env)",
        json_schema_extra={"default": "localhost"},
    )
    broker_cafile: Annotated[Path | None, BeforeValidator(_existing_file)] = Field(
        default=None,
        validate_default=False,
        description="file with the CA certificates (PEM) to trust the broker by, for mqtts:// and wss://",
        json_schema_extra={"default": "the system's"},
    )
    broker_certfile: Annotated[Path | None, BeforeValidator(_existing_file)] = Field(
        default=None,
        validate_default=False,
        description="file with the client certificate (PEM); needs BROKER_KEYFILE too",
        json_schema_extra={"default": "none"},
    )
    broker_keyfile: Annotated[Path | None, BeforeValidator(_existing_file)] = Field(
        default=None,
        validate_default=False,
        description="file with the key (PEM) of the client certificate",
        json_schema_extra={"default": "none"},
    )
    mqtt_version: Annotated[Literal["auto", "5", "3.1.1"], BeforeValidator(_mqtt_version)] = Field(
        default="auto", description="MQTT version: 5, 3.1.1, or auto, which is 5 where the broker speaks it"
    )
    topic: Annotated[str, BeforeValidator(_topic_filters)] = Field(
        default="DATA",
        description="topic of the readings; the subscriber takes several, comma-separated, with + and # too",
    )
    value: Annotated[str | None, BeforeValidator(check_value)] = Field(
        default=None,
        validate_default=False,
        description="where the numbers stand in the messages on TOPIC, if these are JSON: a path such as "
        "temperature or ENERGY.Power, several separated by commas, or * for every number",
        json_schema_extra={"default": "none"},
    )
    streams_file: Annotated[Path | None, BeforeValidator(_existing_file)] = Field(
        default=None,
        validate_default=False,
        description="TOML file that says which topics are read, and how; it takes the place of TOPIC",
        json_schema_extra={"default": "none"},
    )
    max_series: Annotated[int, BeforeValidator(_whole_number)] = Field(
        default=20_000,
        description="how many series there may be; a message that would begin one more is rejected",
    )
    stats_topic: Annotated[str, BeforeValidator(check_topic)] = Field(
        default="STATS",
        description="topic of the averages; what is published at or below it is never taken as input",
    )
    db_file: Annotated[Path, BeforeValidator(_path)] = Field(
        default=Path("tmp/test.db"), description="SQLite file of the readings; missing folders are created"
    )
    db_url: Annotated[DatabaseUrl | None, BeforeValidator(_database_url), NoDecode] = Field(
        default=None,
        validate_default=False,
        description="PostgreSQL database of the readings, in the place of DB_FILE: a postgresql:// URL "
        "(a password only in the environment or .env, or as libpq finds it: PGPASSWORD, ~/.pgpass)",
        json_schema_extra={"default": "none"},
    )
    members: Annotated[int | None, BeforeValidator(_members)] = Field(
        default=None,
        validate_default=False,
        description="how many subscribers store at DB_URL at the same time, 1 to 64; the averages are then "
        "taken by manage.py averages, and more subscribers than that wait as spares",
        json_schema_extra={"default": "none"},
    )
    share: Annotated[str | None, BeforeValidator(_share)] = Field(
        default=None,
        validate_default=False,
        description="the group by which members share the messages ($share/GROUP/FILTER), so that each gets "
        "its part of them",
        json_schema_extra={"default": "none"},
    )
    outbox_file: Annotated[Path, BeforeValidator(_path)] = Field(
        default=Path("tmp/outbox.db"),
        description="SQLite file of the publisher's readings that no broker has acknowledged yet",
    )
    stats_interval: Annotated[float, BeforeValidator(_duration(0.1, 86400))] = Field(
        default=10.0,
        description="time between two publications of the averages",
        json_schema_extra={"default": "10s"},
    )
    windows: Annotated[tuple[Window, ...], BeforeValidator(_windows), NoDecode] = Field(
        default=parse_windows(DEFAULT_WINDOWS),
        description="windows to average over, separated by commas",
        json_schema_extra={"default": DEFAULT_WINDOWS},
    )
    retention: Annotated[float, BeforeValidator(_duration(1))] = Field(
        default_factory=lambda known: _longest(known.get("windows", ())) + RETENTION_MARGIN,
        validate_default=False,
        description="how long readings are kept",
        json_schema_extra={"default": "35min: the longest window and 5min"},
    )
    max_clock_skew: Annotated[float, BeforeValidator(_duration(0, 86400))] = Field(
        default=30.0,
        description="how far ahead of this machine's clock the time of a reading may be",
        json_schema_extra={"default": "30s"},
    )
    commit_interval: Annotated[float, BeforeValidator(_duration(0, 10))] = Field(
        default=0.0,
        description="time from one commit to the next at the least, unless 10 messages wait; it spares a "
        "memory card, and what waits is acknowledged only then",
        json_schema_extra={"default": "0s"},
    )
    client_id: Annotated[str, BeforeValidator(_client_id)] = Field(
        default="averages", description="prefix of the MQTT client ids"
    )
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)
    ] = Field(default="INFO", description="DEBUG, INFO, WARNING, ERROR or CRITICAL")
    web_host: Annotated[str, BeforeValidator(_host)] = Field(
        default="127.0.0.1",
        description="address that the page is served on; one that others can reach needs WEB_TOKEN",
    )
    web_port: Annotated[int, BeforeValidator(_port)] = Field(
        default=8080, description="port that the page is served on"
    )
    web_token: Annotated[str | None, BeforeValidator(_token)] = Field(
        default=None,
        validate_default=False,
        repr=False,
        description="what a browser must give as the password, or a program as a bearer token",
        json_schema_extra={"default": "none"},
    )
    web_allowed_hosts: Annotated[tuple[str, ...] | None, BeforeValidator(_hosts), NoDecode] = Field(
        default=None,
        validate_default=False,
        description="names, separated by commas, that a proxy or a program asks the page by, beside those of "
        "this machine; * for all, as with WEB_TOKEN",
        json_schema_extra={"default": "none"},
    )
    ha_discovery: Annotated[tuple[str, ...] | None, BeforeValidator(_filters), NoDecode] = Field(
        default=None,
        validate_default=False,
        description="topic filters, separated by commas: the averages of readings on these topics appear in "
        "Home Assistant",
        json_schema_extra={"default": "none"},
    )
    ha_prefix: Annotated[str, BeforeValidator(check_topic)] = Field(
        default="homeassistant",
        description="topic below which Home Assistant is told of entities: its discovery prefix",
    )
    health_file: Annotated[Path | None, BeforeValidator(_path)] = Field(
        default=None,
        validate_default=False,
        description="file that is touched every few seconds while the role is connected and "
        "working, for container health checks",
        json_schema_extra={"default": "none"},
    )

    _streams: tuple[Stream, ...] = PrivateAttr()

    @property
    def streams(self) -> tuple[Stream, ...]:
        """What the stream file says, or one stream for each filter in TOPIC."""
        return self._streams

    @model_validator(mode="after")
    def _read_streams(self) -> Self:
        if self.streams_file is not None:
            if self.value is not None:
                raise ValueError(
                    f"VALUE={printable(self.value)} must not stand beside STREAMS_FILE={self.streams_file}, "
                    "whose streams say themselves where their numbers stand: leave out one of the two"
                )
            self._streams = load_streams(self.streams_file, self.windows, self.retention, self.stats_topic)
            return self
        for topic in self.topic.split(","):
            if is_at_or_below(topic, self.stats_topic):
                raise ValueError(f"TOPIC={printable(topic)} {not_below(self.stats_topic)}")
        self._streams = streams_of_topics(self.topic.split(","), self.value, self.windows, self.retention)
        return self

    @model_validator(mode="after")
    def _subscribe_once(self) -> Self:
        try:
            disjoint(stream.topic for stream in self.streams)
        except ValueError as error:
            name = "TOPIC" if self.streams_file is None else f"STREAMS_FILE={self.streams_file}"
            raise ValueError(f"{name}: {printable(str(error))}") from None
        return self

    @model_validator(mode="after")
    def _members_need_a_shared_database(self) -> Self:
        if self.members is not None and self.db_url is None:
            raise ValueError(
                f"MEMBERS={self.members} needs DB_URL, a PostgreSQL database that all of them store in: "
                "set it, or leave MEMBERS out"
            )
        if self.share is not None and self.members is None:
            raise ValueError(
                f"SHARE={printable(self.share)} needs MEMBERS, how many subscribers share the messages, and "
                "DB_URL: set them, or leave SHARE out"
            )
        return self

    @model_validator(mode="after")
    def _certificates_fit(self) -> Self:
        for name in ("broker_cafile", "broker_certfile"):
            if getattr(self, name) is not None and not self.broker.tls:
                raise ValueError(
                    f"{name.upper()}={getattr(self, name)} needs a BROKER with mqtts:// or wss://, "
                    f"but BROKER is {self.broker}"
                )
        if (self.broker_certfile is None) != (self.broker_keyfile is None):
            given, missing = "BROKER_CERTFILE", "BROKER_KEYFILE"
            if self.broker_keyfile is not None:
                given, missing = missing, given
            raise ValueError(f"{given} needs {missing} too: set both, or neither")
        return self

    @model_validator(mode="after")
    def _keep_the_longest_window(self) -> Self:
        if self.retention < _longest(self.windows):
            raise ValueError(
                f"RETENTION={format_duration(self.retention)} must be at least "
                f"{format_duration(_longest(self.windows))}, the longest of WINDOWS"
            )
        return self


class _NothingElse(Settings):
    """The same settings, with nothing but what they are made with."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *others: PydanticBaseSettingsSource,
        **named: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def load_settings(flags: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; `flags` holds those given on the command line, by field name.

    Raises InvalidSettings with one line for each setting that is wrong.
    """
    return _read(Settings, flags or {})


def _read(kind: type[Settings], values: Mapping[str, object]) -> Settings:
    try:
        return kind(**dict[str, Any](values))
    except ValidationError as error:
        wrong = [entry for entry in error.errors() if entry["type"] != "default_factory_not_called"]
        raise InvalidSettings("\n".join(_describe(entry) for entry in wrong)) from None
    except (SettingsError, OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f".env cannot be read: {error}") from None


def settings_from(values: Mapping[str, object]) -> Settings:
    """Return the settings that `values` give, by field name, with the defaults of all others.

    What is in `.env` and in the environment does not count. Raises InvalidSettings.
    """
    return _read(_NothingElse, values)


def misspelt_settings() -> list[str]:
    """Return a sentence for each name in `.env` and the environment that is nearly one of a setting."""
    known = [name.upper() for name in Settings.model_fields]
    written = {
        "the environment": EnvSettingsSource(Settings).env_vars,
        ".env": DotEnvSettingsSource(Settings).env_vars,
    }
    return [
        f"{printable(name.upper())} in {where} is no setting and is ignored; did you mean {near}?"
        for where, names in written.items()
        for name in names
        if (near := nearest(name.upper(), known)) is not None
    ]


def default_text(name: str) -> str:
    """Return the default of the setting `name`, as a user would write it."""
    field = Settings.model_fields[name]
    extra = field.json_schema_extra
    return str(extra["default"]) if isinstance(extra, dict) else str(field.default)


def _describe(error: Mapping[str, Any]) -> str:
    why = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    if not error["loc"]:
        return why  # checks of several settings name them themselves
    name = str(error["loc"][0]).upper()
    value = str(error["input"])
    hide = {"BROKER": hide_password, "DB_URL": hide_database_password}.get(name, str)
    shown = "***" if name == "WEB_TOKEN" else printable(hide(value))
    return complaint(f"{name}={shown}", printable(why))
