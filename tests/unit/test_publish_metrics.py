from collections.abc import Mapping

from jobs.publish_metrics import COUNTERS, ENDINGS, publish_metrics

NOW = 1_700_000_000.5
SINCE = 1_600_000_000


def published(counters: Mapping[str, int], present: Mapping[str, object]) -> dict[str, object]:
    messages: list[Mapping[str, object]] = []
    publish_metrics(lambda: counters, lambda: present, messages.append, lambda: NOW)
    [message] = messages
    return dict(message)


def test_the_counters_and_the_present_are_one_object() -> None:
    counters = {"since": SINCE, **{name: number for number, name in enumerate(COUNTERS, 1)}}
    present = {
        "tick": {"at": NOW - 5, "sequence": 7},
        "in_flight": 3,
        "oldest_unacknowledged": 0.25,
        "last_commit": None,
    }
    assert published({**counters, "sequence": 8}, present) == {
        "at": NOW,
        **counters,
        "tick": {"at": NOW - 5, "sequence": 7},
        "in_flight": 3,
        "oldest_unacknowledged": 0.25,
        "last_commit": None,
    }


def test_what_has_never_happened_is_zero() -> None:
    message = published({"since": SINCE, "received": 2, "stored": 2}, {})
    assert message == {
        "at": NOW,
        "since": SINCE,
        "received": 2,
        "stored": 2,
        "duplicates": 0,
        "rejected": 0,
        "late": 0,
        "retained": 0,
        "pruned": 0,
    }


def test_the_order_is_that_of_a_message_on_its_way() -> None:
    assert list(published({"pruned": 1, "since": SINCE}, {"in_flight": 0})) == [
        "at",
        "since",
        "received",
        *ENDINGS,
        "pruned",
        "in_flight",
    ]
