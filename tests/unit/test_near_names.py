import pytest

from config.near_names import distance, nearest
from config.settings import SETTINGS

NAMES = [name.upper() for name in SETTINGS]


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("", "", 0),
        ("", "ab", 2),
        ("TOPIC", "TOPIC", 0),
        ("TOPICS", "TOPIC", 1),
        ("BROKR", "BROKER", 1),
        ("BROEKR", "BROKER", 1),  # swapped
        ("BROWSER", "BROKER", 2),
        ("ABC", "CBA", 2),
        ("abc", "xyz", 3),
    ],
)
def test_distance(one: str, other: str, apart: int) -> None:
    assert distance(one, other) == distance(other, one) == apart


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("BROKR", "BROKER"),
        ("BROKERS", "BROKER"),
        ("TOPICS", "TOPIC"),
        ("WINDOW", "WINDOWS"),
        ("DBFILE", "DB_FILE"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("CLIENTID", "CLIENT_ID"),
        ("RETENTOINS", "RETENTION"),  # two letters, in a long name
        ("STAT_TOPICS", "STATS_TOPIC"),
    ],
)
def test_a_name_that_is_nearly_one_of_ours_is_found(name: str, meant: str) -> None:
    assert nearest(name, NAMES) == meant


@pytest.mark.parametrize(
    "name",
    [
        *("BROWSER", "WINDOWID", "PATH", "HOME", "SHELL", "PROFILE", "TERM", "TZ", "USER", "LOGNAME", "LANG"),
        *("DB_NAME", "DB_USER", "DB_HOST", "DOCKER", "PYTHONPATH", "SSH_CLIENT", "NO_COLOR", "TOP", "WIN"),
        *NAMES,
    ],
)
def test_what_others_set_and_what_is_one_of_ours_is_not(name: str) -> None:
    assert nearest(name, NAMES) is None


def test_nothing_is_near_where_nothing_is_known() -> None:
    assert nearest("TOPIC", []) is None
