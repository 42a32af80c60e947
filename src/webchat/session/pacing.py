"""Who comes in while many do, or says much at once, waits for its turn: others are not held up."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

Act = Callable[[], object]


class Pacing:
    """Acts in their order, at most `per_turn` of them in one turn of the loop."""

    __slots__ = ("_call_soon", "_done", "_per_turn", "_waiting")

    def __init__(self, call_soon: Callable[[Act], object], per_turn: int) -> None:
        self._call_soon = call_soon
        self._per_turn = per_turn
        self._done = 0
        self._waiting: deque[Act] = deque()

    def begin(self, act: Act) -> bool:
        """Do `act` at once, or in one of the next turns; whether it is done."""
        if self._done >= self._per_turn:
            self._waiting.append(act)
            return False
        if not self._done:
            self._call_soon(self._next_turn)
        self._done += 1
        act()
        return True

    def _next_turn(self) -> None:
        self._done = min(self._per_turn, len(self._waiting))
        if self._done:
            self._call_soon(self._next_turn)
        for _ in range(self._done):
            self._waiting.popleft()()


class Sharing:
    """Acts in their order: in each turn of the loop one, and further ones for as long as all else
    in the turn has taken. So they make a turn twice as long as it is, or longer by one act.

    `busy_s`: for how long the loop's thread has been at work; not where others had the processor.
    """

    __slots__ = ("_busy_s", "_call_soon", "_ended_s", "_is_under_way", "_waiting")

    def __init__(
        self,
        call_soon: Callable[[Act], object],
        busy_s: Callable[[], float] = time.thread_time,
    ) -> None:
        self._call_soon = call_soon
        self._busy_s = busy_s
        self._ended_s = 0.0
        self._is_under_way = False
        self._waiting: deque[Act] = deque()

    def put_off(self, act: Act) -> None:
        """Do `act` in one of the next turns."""
        self._waiting.append(act)
        if not self._is_under_way:
            self._is_under_way = True
            self._ended_s = self._busy_s()
            self._call_soon(self._take_turn)

    def _take_turn(self) -> None:
        began_s = self._busy_s()
        try:
            self._act_until(2 * began_s - self._ended_s)
        finally:
            self._ended_s = self._busy_s()
            self._is_under_way = bool(self._waiting)
            if self._waiting:
                self._call_soon(self._take_turn)

    def _act_until(self, end_s: float) -> None:
        """What is put off meanwhile is for the turns after this one."""
        for _ in range(len(self._waiting)):
            self._waiting.popleft()()
            if self._busy_s() >= end_s:
                break
