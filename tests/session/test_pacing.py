"""Whoever comes in waits for its turn, in order, when many do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from webchat.session.pacing import Pacing


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
