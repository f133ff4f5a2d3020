"""What is told of slots that nobody has."""

from models.storage.cluster import Slot, Standing
from scheduler_app.averages.slot_watch import PATIENCE, SlotWatch
from scheduler_app.checks.finding import Level
from scheduler_app.checks.slots import check_slots


def slot(number: int, *, held: bool = True, **standing: object) -> Slot:
    return Slot(number, held, "here", 1, 0.0, 0.0, Standing(**standing))  # type: ignore[arg-type]


def test_a_slot_that_stays_empty_is_told_once_and_that_it_is_taken_again_once(log_lines: list[str]) -> None:
    """A spare needs a moment: that is nothing to tell."""
    watch = SlotWatch()
    for now in (0.0, PATIENCE - 0.1):
        watch.look([slot(1), slot(2, held=False, shared=True)], now)
    assert log_lines == []
    for now in (PATIENCE, PATIENCE + 1):
        watch.look([slot(1), slot(2, held=False, shared=True)], now)
    [line] = log_lines
    assert "slot 2 is empty: its part of the shared messages waits at the broker" in line
    for now in (PATIENCE + 2, PATIENCE + 3):
        watch.look([slot(1), slot(2)], now)
    assert len(log_lines) == 2
    assert "slot 2 is taken again, on here" in log_lines[1]


def test_a_slot_that_is_empty_for_moments_is_never_told(log_lines: list[str]) -> None:
    watch = SlotWatch()
    for now, held in ((0.0, False), (PATIENCE - 1, True), (PATIENCE, False), (2 * PATIENCE - 0.1, False)):
        watch.look([slot(1, held=held)], now)
    assert log_lines == []


def test_what_waits_is_named_as_it_is(log_lines: list[str]) -> None:
    """Without a group, nobody else takes in what comes on the topics of a member."""
    watch = SlotWatch()
    for now in (0.0, PATIENCE):
        watch.look([slot(1, held=False)], now)
    assert "slot 1 is empty: what comes on its topics waits" in log_lines[0]


def test_check_tells_which_slots_are_taken() -> None:
    [finding] = check_slots([slot(1), slot(2)], 2)
    assert finding.level == Level.OK
    assert finding.text == "all 2 are taken: 1 on here, 2 on here"
    [finding] = check_slots([], 2)
    assert finding.level == Level.OK


def test_check_warns_of_slots_that_nobody_has() -> None:
    """Also of one that has never been taken, and of one beyond MEMBERS, whose queue goes on filling."""
    empty, never, beyond = check_slots([slot(1, held=False, shared=True), slot(3)], 2)
    assert {empty.level, never.level, beyond.level} == {Level.WARN}
    assert "slot 1 is empty" in empty.text
    assert "slot 2 of MEMBERS=2 has never been taken" in never.text
    assert "slot 3 is in use, on here, but MEMBERS=2" in beyond.text
