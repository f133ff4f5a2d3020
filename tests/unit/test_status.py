from scheduler_app.commands.status import readable


def test_names_are_words_and_numbers_have_their_units() -> None:
    assert readable(
        {"state": "online", "in_flight": 1, "received": 1234, "pruned": 2, "series": 7, "new": 3}
    ) == {
        "state": "online",
        "not yet acknowledged": "1 message",
        "received": "1,234 messages",
        "pruned": "2 readings",
        "series": 7,
        "new": 3,
    }


def test_what_was_received_has_its_rate() -> None:
    assert readable({"at": 1_700_000_100, "since": 1_700_000_000, "received": 5000, "rejected": 50}) == {
        "as of": "2023-11-14 22:15:00 +00:00",
        "counted since": "2023-11-14 22:13:20 +00:00",
        "received": "5,000 messages, 50.0 a second on average",
        "rejected": "50 messages",
    }


def test_times_have_their_offset() -> None:
    assert readable({"at": 1_700_000_000.9, "since": 0, "last_commit": 1_700_000_060, "tick": {"at": 0}}) == {
        "as of": "2023-11-14 22:13:20 +00:00",
        "counted since": "1970-01-01 00:00:00 +00:00",
        "last commit": "2023-11-14 22:14:20 +00:00",
        "last statistics": "1970-01-01 00:00:00 +00:00",
    }


def test_sizes_and_ages_have_their_units() -> None:
    assert readable({"oldest_unacknowledged": 0.26, "database_bytes": 5_074_592}) == {
        "the oldest of these": "0.3 s",
        "database": "5.07 MB",
    }


def test_what_is_not_known_is_a_dash() -> None:
    assert readable({"oldest_unacknowledged": None, "last_commit": None, "other": None, "tick": None}) == {
        "the oldest of these": "-",
        "last commit": "-",
        "other": "-",
        "last statistics": "-",
    }


def test_the_order_stays_and_what_is_no_time_is_shown_as_it_is() -> None:
    metrics: dict[str, object] = {"since": "soon", "received": "many", "database_bytes": "large", "at": 0}
    assert list(readable(metrics).items()) == [
        ("counted since", "soon"),
        ("received", "many"),
        ("database", "large"),
        ("as of", "1970-01-01 00:00:00 +00:00"),
    ]
