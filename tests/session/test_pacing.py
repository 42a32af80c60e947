"""Whoever comes in, or says much, waits for its turn, in order, when many do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from webchat.session.pacing import Pacing, Sharing


class Turns:
    """A loop whose turns are taken by hand."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], object]] = []

    def turn(self) -> None:
        for _ in range(len(self.calls)):
            self.calls.pop(0)()


def test_of_many_some_begin_in_each_turn_in_their_order() -> None:
    turns, done = Turns(), list[int]()
    pacing = Pacing(turns.calls.append, per_turn=2)
    assert [pacing.begin(partial(done.append, number)) for number in range(5)] == [
        True, True, False, False, False,
    ]  # fmt: skip
    turns.turn()
    assert done == [0, 1, 2, 3]
    turns.turn()
    assert done == [0, 1, 2, 3, 4]


def test_whoever_comes_alone_does_not_wait() -> None:
    turns, done = Turns(), list[int]()
    pacing = Pacing(turns.calls.append, per_turn=1)
    for number in range(3):
        assert pacing.begin(partial(done.append, number))
        turns.turn()
    assert done == [0, 1, 2]
    assert not turns.calls


def test_who_comes_while_others_wait_comes_after_them() -> None:
    turns, done = Turns(), list[int]()
    pacing = Pacing(turns.calls.append, per_turn=1)
    for number in range(3):
        pacing.begin(partial(done.append, number))
    turns.turn()
    assert not pacing.begin(partial(done.append, 3))
    turns.turn()
    turns.turn()
    assert done == [0, 1, 2, 3]


class Loop(Turns):
    """As that, and how long it was at work."""

    busy_s = 0.0

    def act(self, done: list[str], name: str) -> Callable[[], None]:
        def act() -> None:
            self.busy_s += 1.0
            done.append(name)

        return act


@pytest.mark.parametrize(("others_s", "a_turn"), [(0.0, 1), (0.9, 1), (2.0, 2), (2.1, 3), (9.0, 5)])
def test_what_shares_a_turn_takes_as_long_as_all_else_in_it(others_s: float, a_turn: int) -> None:
    loop, done = Loop(), list[str]()
    sharing = Sharing(loop.calls.append, lambda: loop.busy_s)
    for name in "abcde":
        sharing.put_off(loop.act(done, name))
    assert not done
    loop.busy_s += others_s
    loop.turn()
    assert "".join(done) == "abcde"[:a_turn]
    for _ in range(5):
        loop.turn()
    assert "".join(done) == "abcde"
    assert not loop.calls


def test_who_puts_off_again_comes_after_the_others() -> None:
    loop, done = Loop(), list[str]()
    sharing = Sharing(loop.calls.append, lambda: loop.busy_s)

    def again() -> None:
        done.append("x")
        sharing.put_off(loop.act(done, "y"))

    sharing.put_off(again)
    sharing.put_off(loop.act(done, "a"))
    loop.busy_s += 100.0
    loop.turn()
    assert done == ["x", "a"]
    loop.turn()
    assert done == ["x", "a", "y"]


def test_what_fails_stops_nobody_else() -> None:
    loop, done = Loop(), list[str]()
    sharing = Sharing(loop.calls.append, lambda: loop.busy_s)

    def fail() -> None:
        raise ValueError("failed")

    sharing.put_off(fail)
    sharing.put_off(loop.act(done, "a"))
    with pytest.raises(ValueError, match="failed"):
        loop.turn()
    loop.turn()
    assert done == ["a"]
