import csv
import io
import itertools
import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from models.storage.batch import NewRejected
from scheduler_app.web.history import HistoryReader
from scheduler_app.web.stored import StoredReadings
from tests.unit.database_file import store_readings
from tests.unit.series_messages import AT
from tests.unit.web_pages import Pages, pages

DATABASE = Path("test.db")
READINGS = [(AT - 100 + 10 * number, 0.1 * number) for number in range(10)]


def reject(*messages: NewRejected) -> None:
    with closing(sqlite3.connect(DATABASE)) as connection, connection:
        connection.executemany(
            "INSERT INTO rejected_message (arrived, topic, payload, size, reason, detail) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            messages,
        )
        connection.execute("INSERT OR REPLACE INTO counter VALUES ('m', 'rejected', ?)", (len(messages),))


@pytest.fixture
def found() -> Pages:
    store_readings(DATABASE, {"home/a": READINGS, "new": [(AT, 1.0)]})
    made = pages()
    made.publish_health()
    made.publish_series("home/a", "home/b10", "home/b9")
    return made


def error(pages_: Pages, address: str, status: int) -> str:
    answer = pages_.client.get(address)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    return str(answer.json()["error"])


def test_the_list_of_series(found: Pages) -> None:
    answer = found.client.get("/api/v1/series?search=B+home&sort=-name&limit=1")
    assert answer.headers["cache-control"] == "no-store"
    content = answer.json()
    assert content["total"] == 3
    assert content["matching"] == 2
    [row] = content["series"]
    assert row == {
        "name": "home/b10",
        "at": AT,
        "last": {"value": 21.5, "time": AT - 5},
        "count": 9,
        "unit": None,
        "trend": [21.25],
        "windows": {
            "1min": {"count": 2, "coverage": 1.0, "avg": 21.25, "max": 21.5},
            "5min": {"count": 9, "coverage": 0.5, "avg": 20.5, "max": None},
        },
    }


@pytest.mark.parametrize("limit", [1, 20_000])
def test_as_many_rows_may_be_asked_for(found: Pages, limit: int) -> None:
    assert found.client.get(f"/api/v1/series?limit={limit}").json()["limit"] == limit


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("series?limit=0", "limit=0 must be a whole number from 1 to 20000"),
        ("series?limit=20001", "limit=20001 must be a whole number from 1 to 20000"),
        ("series?offset=-1", "offset=-1 must be a whole number from 0 to 1000000000"),
        ("series?sort=size", "sort=size must be one of name, last, age, count or a window such as 5min"),
        ("series?sort=name&sort=age", "sort is given twice"),
        (f"series?search={'a' * 501}", "must have at most 500 characters"),
        ("series?page=2", "page is no parameter of this address"),
        ("series/home/a?x=1", "x is no parameter of this address"),
        ("health?x=1", "x is no parameter"),
        ("events?x=1", "x is no parameter"),
        ("rejected?limit=1001", "limit=1001 must be a whole number from 1 to 1000"),
        ("history", "series is missing"),
        ("history?series=home/a&from=yesterday", "from=yesterday must be a time in UTC epoch seconds"),
        ("history?series=home/a&from=nan", "from=nan must be a time in UTC epoch seconds"),
        ("history?series=home/a&from=5&to=5", "from must be earlier than to"),
        ("history?series=home/a&from=5&span=5min", "from and span exclude each other"),
        ("history?series=home/a&span=0s", "span=0s must be more than 0s"),
        ("history?series=home/a&span=5", "span=5 must be a number with a unit"),
        ("history?series=home/a&max_points=9", "max_points=9 must be a whole number from 10 to 10000"),
        ("history?series=home/a&max_points=10001", "max_points=10001 must be a whole number from 10 to"),
        ("history?series=home/a&windows=5", "windows=5 must be a number with a unit"),
        (f"history?series=home/a&windows={','.join(['1s'] * 21)}", "must be at most 20 windows"),
        ("history?series=home/a&patience=49ms", "patience=49ms must be a duration from 0.05s to 10s"),
        ("history?series=home/a&patience=11s", "patience=11s must be a duration from 0.05s to 10s"),
        ("history?series=home/a&format=xml", "format=xml must be json or csv"),
    ],
)
def test_a_wrong_parameter_is_told_with_what_is_allowed(found: Pages, address: str, told: str) -> None:
    assert told in error(found, f"/api/v1/{address}", 400)


def test_one_series_is_told_with_what_is_stored_of_it(found: Pages) -> None:
    content = found.client.get("/api/v1/series/home/a").json()
    assert content["last"] == {"value": 21.5, "time": AT - 5}
    assert content["stored"] == {"topic": "home/a", "field": "", "since": AT - 100, "retention": 2100.0}
    assert found.client.get("/api/v1/series/home/b9").json()["stored"] is None
    new = found.client.get("/api/v1/series/new").json()
    assert (new["name"], new["last"], new["windows"], new["stored"]["since"]) == ("new", None, {}, AT)
    assert error(found, "/api/v1/series/home", 404) == "there is no series 'home'"


@pytest.mark.parametrize(
    "name", [".", "..", "a/../b", "a//b", "/a", "a/", "ä?x=1#%", "a b+c", "$x", '"<b>"', "a\u2028b"]
)
def test_every_name_that_a_series_can_have_can_be_asked_for(found: Pages, name: str) -> None:
    found.publish_series(name)
    store_readings(DATABASE, {name: [(AT, 1.0)]})
    answer = found.client.get("/api/v1/series/", params={"name": name}).json()
    assert (answer["name"], answer["stored"]["topic"]) == (name, name)
    if name not in (".", ".."):  # a client takes these out of a path
        assert found.client.get(f"/api/v1/series/{quote(name, safe='')}").json() == answer
    history = found.client.get("/api/v1/history", params={"series": name}).json()
    assert history["readings"]["value"] == [1.0]
    listed = found.client.get("/api/v1/series", params={"search": name}).json()["series"]
    assert name in [row["name"] for row in listed]


def test_a_name_is_given_once(found: Pages) -> None:
    assert error(found, "/api/v1/series/", 400) == "name is missing"
    assert "name is no parameter" in error(found, "/api/v1/series/home/a?name=home/a", 400)


def test_one_series_is_told_without_a_database_too() -> None:
    made = pages()
    made.publish_series("a")
    assert made.client.get("/api/v1/series/a").json()["stored"] is None
    assert "does not exist" in error(made, "/api/v1/series/b", 503)


def test_history_has_readings_averages_and_what_was_rejected(found: Pages) -> None:
    reject(
        NewRejected(AT - 50, "home/a", b"nan", 3, "not finite", ""),
        NewRejected(AT - 500, "home/a", b"nan", 3, "not finite", ""),
        NewRejected(AT - 50, "home/b", b"nan", 3, "not finite", ""),
    )
    content = found.client.get(
        "/api/v1/history", params={"series": "home/a", "from": AT - 55, "to": AT, "windows": "20s"}
    ).json()
    assert content["readings"] == {
        "total": 5,
        "thinned": False,
        "time": [AT - 50, AT - 40, AT - 30, AT - 20, AT - 10],
        "value": [value for _, value in READINGS[5:]],
    }
    [curve] = content["averages"]["curves"]
    assert (curve["window"], curve["seconds"]) == ("20s", 20.0)
    at = content["averages"]["time"].index(AT - 20)
    assert curve["value"][at] == (READINGS[7][1] + READINGS[8][1]) / 2
    assert len(curve["value"]) == len(content["averages"]["time"]) > 500
    assert (content["complete"], content["begins"], content["from"], content["to"]) == (
        True,
        AT - 55,
        AT - 55,
        AT,
    )
    assert content["delayed"] == []
    assert content["rejected"] == [{"arrived": AT - 50, "reason": "not finite", "detail": "", "size": 3}]


def test_history_is_that_of_the_retention_and_the_published_windows_if_nothing_is_asked_for(
    found: Pages,
) -> None:
    content = found.client.get("/api/v1/history?series=home/a").json()
    assert content["to"] == AT + 30  # as far ahead of our clock as the time of a reading may be
    assert content["at"] - content["from"] == 2100.0
    assert [curve["window"] for curve in content["averages"]["curves"]] == ["1min", "5min"]
    new = found.client.get("/api/v1/history?series=new&span=1min").json()
    assert [curve["window"] for curve in new["averages"]["curves"]] == ["1min", "5min", "30min"]
    assert new["at"] - new["from"] == 60.0
    old = found.client.get(f"/api/v1/history?series=new&span=1min&to={AT - 100}").json()
    assert old["to"] - old["from"] == 60.0


def test_history_of_many_readings_is_thinned(found: Pages) -> None:
    many = [(AT - 1000 + number, float(number % 5)) for number in range(1000)]
    store_readings(DATABASE, {"many": many})
    content = found.client.get("/api/v1/history?series=many&max_points=10").json()
    assert content["readings"]["total"] == 1000
    assert content["readings"]["thinned"] is True
    assert len(content["readings"]["time"]) == len(content["readings"]["value"]) == 10
    assert len(content["averages"]["time"]) <= 10


def test_history_that_would_be_too_much_says_where_it_begins(found: Pages) -> None:
    less = pages(HistoryReader(now=lambda: AT, most=4))
    content = less.client.get("/api/v1/history", params={"series": "home/a", "to": AT}).json()
    assert content["complete"] is False
    assert content["begins"] == AT - 40
    assert content["readings"]["time"] == [AT - 30, AT - 20, AT - 10]
    file: dict[str, str | float] = {"series": "home/a", "to": AT, "format": "csv"}
    refused = less.client.get("/api/v1/history", params=file)
    assert refused.status_code == 413
    assert f"ask with from={AT - 40!r}" in refused.json()["error"]
    lines = less.client.get("/api/v1/history", params=file | {"from": content["begins"]}).text.splitlines()
    assert [float(line.split(",")[0]) for line in lines[1:]] == [AT - 30, AT - 20, AT - 10]


@pytest.mark.parametrize(("patience", "complete"), [("50ms", False), ("10s", True)])
def test_history_takes_no_longer_than_somebody_has_patience(
    found: Pages, patience: str, complete: bool
) -> None:
    ticks = itertools.count(step=0.01)  # of a clock that goes on each time it is looked at
    slow = pages(HistoryReader(now=lambda: AT, elapsed=lambda: next(ticks)))
    content = slow.client.get(f"/api/v1/history?series=home/a&patience={patience}").json()
    assert content["complete"] is complete
    assert content["took"] > 0


def test_history_as_a_file_has_every_digit(found: Pages) -> None:
    answer = found.client.get("/api/v1/history?series=home/a&format=csv&windows=20s,1min&span=55s")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''home_a.csv"
    heading, *lines = csv.reader(io.StringIO(answer.text))
    assert heading == ["time", "value", "avg_20s", "avg_1min"]
    assert [(float(line[0]), float(line[1])) for line in lines] == READINGS[5:]
    assert [float(line[2]) for line in lines] == [
        (READINGS[number - 1][1] + READINGS[number][1]) / 2 for number in range(5, 10)
    ]


def test_what_was_rejected_is_told_with_its_cure(found: Pages) -> None:
    reject(
        NewRejected(AT - 2, "a", b"nan", 3, "not finite", ""),
        NewRejected(AT - 1, "a", b"\xff\x00", 9000, "not UTF-8", "why"),
        NewRejected(AT, "b", b"nan", 3, "not finite", ""),
    )
    content = found.client.get("/api/v1/rejected?limit=2").json()
    assert (content["counted"], len(content["reasons"])) == (3, 2)
    [_, finite] = content["reasons"]
    assert (finite["reason"], finite["kept"], finite["more_topics"]) == ("not finite", 2, 0)
    assert finite["topics"] == [{"topic": "a", "kept": 1}, {"topic": "b", "kept": 1}]
    assert "NaN" in finite["cure"]
    [newest, before] = content["newest"]
    assert (newest["topic"], newest["payload"]) == ("b", "nan")
    assert (before["payload_base64"], before["size"], before["detail"]) == ("/wA=", 9000, "why")


def test_of_very_many_topics_some_are_named(found: Pages) -> None:
    reject(*(NewRejected(AT, f"t/{number}", b"", 0, "no number", "") for number in range(23)))
    [reason] = found.client.get("/api/v1/rejected").json()["reasons"]
    assert (len(reason["topics"]), reason["more_topics"], reason["kept"]) == (20, 3, 23)


def test_a_database_that_cannot_be_read_is_told() -> None:
    made = pages()
    assert "does not exist" in error(made, "/api/v1/history?series=a", 503)
    assert "does not exist" in error(made, "/api/v1/rejected", 503)
    DATABASE.write_bytes(b"notes" * 1000)
    assert "not a database" in error(made, "/api/v1/history?series=a", 503)


def test_a_series_that_there_is_not_has_no_history(found: Pages) -> None:
    assert error(found, "/api/v1/history?series=nothing", 404) == "there is no series 'nothing'"


def test_reading_never_writes(found: Pages) -> None:
    before = DATABASE.read_bytes()
    for address in ("history?series=home/a", "rejected", "series/home/a", "health"):
        assert found.client.get(f"/api/v1/{address}").status_code == 200
    assert DATABASE.read_bytes() == before


def test_an_address_that_there_is_not(found: Pages) -> None:
    for address in ("/api/v1/nothing", "/nothing", "/static/nothing", "/static/../app.py", "/api/v2/series"):
        assert found.client.get(address).status_code == 404
    assert error(found, "/api/v1/nothing", 404) == "Not Found"


@pytest.mark.parametrize(
    "address",
    [
        *("/%0A", "/metrics%0A", "/metrics/series%0A", "/healthz%0A", "/readyz%0A", "/static/app.js%0A"),
        *(f"/api/v1/{name}%0A" for name in ("series", "history", "rejected", "health", "events")),
        *("/api%0A/v1/health", "/api/v1/health%0Ax"),
    ],
)
def test_an_address_with_a_line_end_is_another_one(found: Pages, address: str) -> None:
    assert found.client.get(address).status_code == 404


def test_a_name_with_a_line_end_is_another_one(found: Pages) -> None:
    for end in ("\n", "\nb"):
        told = error(found, f"/api/v1/series/home/a{quote(end)}", 404)
        assert told == f"there is no series {f'home/a{end}'!r}"


@pytest.mark.parametrize("address", ["/static", "/api/v1", "/api/v1/health/", "/metrics/", "/static/"])
def test_nobody_is_sent_to_another_address(found: Pages, address: str) -> None:
    """Behind a proxy it would be none."""
    answer = found.client.get(address, follow_redirects=False)
    assert answer.status_code == 404
    assert "location" not in answer.headers


def test_the_page_is_asked_for_anew_each_time(found: Pages) -> None:
    page = found.client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for answer in (page, found.client.get("/static/index.html")):
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["etag"]


def test_too_many_questions_at_once_are_refused(found: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(found.stored, StoredReadings)
    monkeypatch.setattr(found.stored, "_asked", 34)
    assert "too many requests at once" in error(found, "/api/v1/rejected", 503)
    monkeypatch.setattr(found.stored, "_asked", 33)
    assert found.client.get("/api/v1/rejected").status_code == 200
    assert found.stored._asked == 33


def test_every_answer_is_json_that_browsers_take(found: Pages) -> None:
    """Python writes NaN, which is no JSON."""
    statuses = Counter(
        found.client.get(f"/api/v1/{address}").status_code
        for address in ("series", "series/home/a", "health", "history?series=home/a", "rejected")
    )
    assert statuses == {200: 5}
    text = found.client.get("/api/v1/series").text
    assert json.loads(text, parse_constant=pytest.fail)
