from scheduler_app.commands.status import readable


def test_names_are_words() -> None:
    assert readable({"state": "online", "in_flight": 3, "received": 0}) == {
        "state": "online",
        "in flight": 3,
        "received": 0,
    }


def test_times_are_read_as_utc() -> None:
    assert readable({"at": 1_700_000_000.9, "since": 0, "last_commit": 1_700_000_060}) == {
        "at": "2023-11-14 22:13:20 UTC",
        "since": "1970-01-01 00:00:00 UTC",
        "last commit": "2023-11-14 22:14:20 UTC",
    }


def test_an_age_has_its_unit() -> None:
    assert readable({"oldest_unacknowledged": 0.26}) == {"oldest unacknowledged": "0.3 s"}


def test_what_is_not_known_is_a_dash() -> None:
    assert readable({"oldest_unacknowledged": None, "last_commit": None, "other": None}) == {
        "oldest unacknowledged": "-",
        "last commit": "-",
        "other": "-",
    }


def test_the_order_stays_and_what_is_no_time_is_shown_as_it_is() -> None:
    metrics: dict[str, object] = {"since": "soon", "received": 1_700_000_000, "at": 0}
    assert list(readable(metrics).items()) == [
        ("since", "soon"),
        ("received", 1_700_000_000),
        ("at", "1970-01-01 00:00:00 UTC"),
    ]
