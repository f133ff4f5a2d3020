import pytest

from config.database_url import FORM, DatabaseUrl, has_password, hide_password
from config.settings import InvalidSettings, load_settings
from scheduler_app.errors import CommandError
from scheduler_app.management import main
from scheduler_app.runtime import chosen_database as module
from scheduler_app.runtime.chosen_database import chosen_database

# Stands in every password here, and in nothing else.
SECRET = "geheim"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://u@pg1,pg2:5433/averages?target_session_attrs=read-write", None),
        ("postgres://localhost/averages", None),
        ("postgresql:///averages?host=/run/postgresql", None),
        ("postgresql://[::1]:5432,[fe80::1]/a", None),
        ("postgresql://u@%2Frun%2Fpostgresql/a", None),
        ("  postgresql://u@h/a  ", "postgresql://u@h/a"),
        ("postgresql://u:geheim@h/a", "postgresql://u:***@h/a"),
        ("postgresql://u:geh%40ei%2Fm:x@h1:1,h2:2/a", "postgresql://u:***@h1:1,h2:2/a"),
        (
            "postgresql://u@h/a?password=geheim&sslmode=require",
            "postgresql://u@h/a?password=***&sslmode=require",
        ),
        (
            "postgresql://u@h/a?sslmode=require&sslpassword=geheim",
            "postgresql://u@h/a?sslmode=require&sslpassword=***",
        ),
    ],
)
def test_a_url_is_taken_as_it_is_and_shown_without_its_password(text: str, shown: str | None) -> None:
    url = DatabaseUrl.parse(text)
    assert url.full == text.strip()
    assert str(url) == url.shown == (shown or text)
    assert SECRET not in repr(url)
    assert has_password(text) == ("***" in url.shown)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "averages",
            "host/averages",
            "mysql://u:geheim@h/a",
            "postgresql://u:geheim@h",
            "postgresql://u:geheim@h/",
        ),
        # what libpq would take for another host or port, and show
        *("postgresql://u:geh@eim@h/a", "postgresql://u:geheim/x@h/a", "postgresql://u:geheim#@h/a"),
        *("postgresql://u:geheim%4@h/a", "postgresql://u:geheim%00@h/a", "postgresql://u:geheim@h:port/a"),
        *("postgresql://u:geheim@h:123456/a", "postgresql://u:geheim @h/a", "postgresql://u:geheim@h/a/b"),
        *("postgresql://u:gehe\nim@h/a", "postgresql://u:geheim@h/a?", "postgresql//u:geheim@h/a"),
    ],
)
def test_what_is_no_such_url_is_told_in_one_line_without_what_may_be_a_password(text: str) -> None:
    with pytest.raises(ValueError, match="must be a URL such as postgresql://"):
        DatabaseUrl.parse(text)
    with pytest.raises(InvalidSettings) as caught:
        load_settings({"db_url": text})
    line = str(caught.value)
    assert line == f"DB_URL={hide_password(text)} {FORM}"
    assert SECRET not in line
    assert "eim" not in line
    assert "\n" not in line
    assert not has_password(text)


def test_the_settings_never_show_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_URL", f"postgresql://u:{SECRET}@h/a")
    settings = load_settings()
    assert settings.db_url is not None
    assert SECRET in settings.db_url.full
    assert SECRET not in f"{settings} {settings!r} {settings.db_url}"
    database = chosen_database(settings)
    assert (database.name, database.place) == ("DB_URL=postgresql://u:***@h/a", "postgresql://u:***@h/a")
    assert SECRET not in f"{database} {database!r}"


def test_without_it_the_database_is_a_file() -> None:
    database = chosen_database(load_settings({"db_file": "/x/y.db"}))
    assert (database.name, database.place) == ("DB_FILE=/x/y.db", "/x/y.db")


def test_a_flag_takes_no_password(capsys: pytest.CaptureFixture[str]) -> None:
    """Others could read it in the list of processes."""
    assert main(["manage.py", "series", "--db-url", f"postgresql://u:{SECRET}@h/a"]) == 2
    line = capsys.readouterr().err
    assert line.startswith("Error: --db-url takes no password")
    assert SECRET not in line


def test_a_missing_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(CommandError, match=r"pip install -r requirements-postgresql\.txt'") as caught:
        chosen_database(load_settings({"db_url": "postgresql://u@h/a"}))
    assert "\n" not in str(caught.value)


def test_a_copy_is_left_to_the_database_s_own_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manage.py", "backup", "--db-url", "postgresql://u@h/a", "copy.db"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "pg_dump" in line
