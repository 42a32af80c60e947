"""Waits of one length, on one timer."""

from __future__ import annotations

import pytest

from tests.memory.clock import ManualClock
from webchat.session.deadlines import Deadlines


def test_each_item_falls_due_after_its_own_wait() -> None:
    clock, due = ManualClock(), list[str]()
    deadlines = Deadlines[str](clock, 1.0, due.append)
    deadlines.add("first")
    clock.advance(0.5)
    deadlines.add("second")
    clock.advance(0.49)
    assert due == ["first"]
    clock.advance(0.49)
    assert due == ["first"]
    clock.advance(0.02)
    assert due == ["first", "second"]


def test_what_is_due_now_is_not_left_to_a_later_look() -> None:
    clock, due = ManualClock(), list[str]()
    deadlines = Deadlines[str](clock, 1.0, due.append)
    deadlines.add("item")
    clock.advance(1.0)
    assert due == ["item"]


def test_adding_again_begins_anew() -> None:
    clock, due = ManualClock(), list[str]()
    deadlines = Deadlines[str](clock, 1.0, due.append)
    deadlines.add("item")
    clock.advance(0.9)
    deadlines.add("item")
    clock.advance(0.9)
    assert due == []
    clock.advance(0.1)
    assert due == ["item"]


def test_what_is_discarded_does_not_fall_due() -> None:
    clock, due = ManualClock(), list[str]()
    deadlines = Deadlines[str](clock, 1.0, due.append)
    deadlines.add("item")
    assert deadlines.discard("item")
    assert not deadlines.discard("item")
    clock.advance(2.0)
    assert due == []


def test_an_item_added_while_others_fall_due_does_not_hold_up_the_rest() -> None:
    clock, due = ManualClock(), list[str]()

    def on_due(item: str) -> None:
        due.append(item)
        if item == "first":
            deadlines.add("again")

    deadlines = Deadlines[str](clock, 1.0, on_due)
    deadlines.add("first")
    clock.advance(0.5)
    deadlines.add("second")
    clock.advance(1.0)
    assert due == ["first", "second"]
    clock.advance(0.5)
    assert due == ["first", "second", "again"]


def test_an_item_whose_turn_fails_takes_no_other_down(caplog: pytest.LogCaptureFixture) -> None:
    clock, due = ManualClock(), list[str]()

    def on_due(item: str) -> None:
        due.append(item)
        if item == "bad":
            raise RuntimeError(item)

    deadlines = Deadlines[str](clock, 1.0, on_due)
    for item in ("bad", "beside it"):
        deadlines.add(item)
    clock.advance(0.5)
    deadlines.add("later")
    clock.advance(1.0)
    assert due == ["bad", "beside it", "later"]
    (line,) = [record for record in caplog.records if record.name.startswith("webchat.")]
    assert line.exc_info is not None


def test_after_a_stop_nothing_falls_due() -> None:
    clock, due = ManualClock(), list[str]()
    deadlines = Deadlines[str](clock, 1.0, due.append)
    deadlines.add("item")
    deadlines.stop()
    clock.advance(2.0)
    assert due == []
    assert len(deadlines) == 0
